//! Finds the URLs in attributes and in text.

use crate::pypi::html::tags::Attribute;
use crate::pypi::refresh;

/// Attributes whose value is a URL, in the HTML standard's index of attributes and in its lists of obsolete ones.
const URLS: [&str; 22] = [
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "cite",
    "poster",
    "background",
    "longdesc",
    "manifest",
    "profile",
    "codebase",
    "archive",
    "classid",
    "code",
    "icon",
    "lowsrc",
    "dynsrc",
    "usemap",
    "xlink:href",
    "itemid",
    "object",
];

/// Attributes whose value is a list of URLs, each with or without a description.
const LISTS: [&str; 4] = ["srcset", "imagesrcset", "ping", "archive"];

/// The end of the name of a `data-` attribute that holds a URL, whatever that looks like.
const DATA_URLS: [&str; 5] = ["url", "href", "src", "uri", "link"];

/// Calls `found` with each URL that an attribute may hold.
pub(super) fn in_attribute(attribute: &Attribute, mut found: impl FnMut(&str)) {
    let Attribute { name, value, .. } = attribute;
    let of_data = name.strip_prefix("data-");
    if URLS.contains(&name.as_str())
        || of_data.is_some_and(|data| value.contains('/') || DATA_URLS.iter().any(|end| data.ends_with(end)))
    {
        found(value.trim());
    }
    if LISTS.contains(&name.as_str()) {
        value.split([' ', '\t', '\n', '\r', '\u{c}', ',']).filter(|url| !url.is_empty()).for_each(&mut found);
    }
    if name == "content"
        && let Some(url) = refresh::target(value)
    {
        found(url);
    }
    in_text(value, found);
}

/// Calls `found` with what looks like a URL in text: absolute, or relative with a slash in front. In scripts, slashes may
/// be escaped.
pub(super) fn in_text(text: &str, mut found: impl FnMut(&str)) {
    if !text.contains('/') {
        return;
    }
    let text = text.replace("\\/", "/");
    for (index, part) in text.split('<').enumerate() {
        let part = if index > 0 { after_end_tag(part) } else { part };
        for piece in part.split(separates) {
            in_piece(piece.trim_end_matches(['.', ':', '!', '?', '*', '_', '-']), &mut found);
        }
    }
}

/// What a `<` and a slash begin is an end tag, not a path.
fn after_end_tag(part: &str) -> &str {
    if part.starts_with('/') { part.split_at(part.find(separates).unwrap_or(part.len())).1 } else { part }
}

fn separates(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`<>(),;{}[]|".contains(c)
}

fn in_piece(piece: &str, found: &mut impl FnMut(&str)) {
    if !piece.contains('/') {
        return;
    }
    for (at, _) in piece.to_ascii_lowercase().match_indices("http") {
        piece.get(at..).into_iter().filter(|url| has_scheme(url)).for_each(&mut *found);
    }
    let assigned = piece.split_once('=').map(|(_, value)| value);
    [Some(piece), assigned].into_iter().flatten().filter(|part| is_relative(part)).for_each(found);
}

fn has_scheme(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    scheme.len() < url.len() && ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

fn is_relative(part: &str) -> bool {
    ["/", "./", "../"].iter().any(|start| part.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, value: &str) -> Vec<String> {
        let mut urls = Vec::new();
        let attribute = Attribute { name: name.to_owned(), value: value.to_owned(), at: 0 };
        in_attribute(&attribute, |url| urls.push(url.to_owned()));
        urls.dedup();
        urls
    }

    #[test]
    fn attributes_that_hold_urls() {
        for (name, value, urls) in [
            ("href", " acme\n", &["acme"][..]),
            ("href", "", &[""]),
            ("formaction", "x y", &["x y"]),
            ("data-html-include", "_includes/x", &["_includes/x"]),
            ("data-href", "acme", &["acme"]),
            ("data-action", "keydown@window->search-focus#focus", &[]),
            ("srcset", "a.png 1x,\tb.png 2x", &["a.png", "1x", "b.png", "2x"]),
            ("ping", "a b", &["a", "b"]),
            ("content", "0;URL='../acme/'", &["../acme/"]),
            ("content", " 3.5 , acme", &["acme"]),
            ("content", "0 url = \"acme\" x", &["acme"]),
            ("content", "0", &[]),
            ("content", "width=device-width", &[]),
            ("class", "a b", &[]),
            ("style", "x: url( \"/a.png\" )", &["/a.png"]),
            ("onclick", "location.href='/acme/?a=b';", &["/acme/?a=b"]),
        ] {
            assert_eq!(attribute(name, value), urls, "{name}={value}");
        }
    }

    #[test]
    fn urls_in_text() {
        for (text, urls) in [
            ("see https://pypi.org/project/acme.", &["https://pypi.org/project/acme"][..]),
            ("(HTTP://h/x),view-source:https://h/y", &["HTTP://h/x", "https://h/y"]),
            (r#"{"item":"https:\/\/h\/x"}"#, &["https://h/x"]),
            ("href=/a/b a=../x=y </b>/c ./d", &["/a/b", "../x=y", "/c", "./d"]),
            ("<https://h/x> </https://h/x>", &["https://h/x"]),
            ("and/or n/a 1/2 http/2 </a>", &[]),
            ("nothing", &[]),
        ] {
            let mut found = Vec::new();
            in_text(text, |url| found.push(url.to_owned()));
            assert_eq!(found, urls, "{text}");
        }
    }
}
