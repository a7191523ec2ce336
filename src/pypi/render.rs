//! Writes the HTML of simple pages and of lists for people, in one canonical form and with one escaping function.
//!
//! Every HTML page that a client is given is written here, from what was understood: what our reader doesn't see, no
//! client's parser sees either. It looks as PyPI's own pages do.

use super::meta::Meta;
use crate::name::NameRef;

/// The start of a root list.
pub(super) fn root_head(meta: &Meta, out: &mut Vec<u8>) {
    head(meta, "Simple index", out);
}

/// One project of PyPI's root list. A display name that could be folded is made of letters, digits and `.-_`: there is
/// nothing to escape in it.
pub(super) fn project_anchor(folded: NameRef<'_>, display: &[u8], out: &mut Vec<u8>) {
    for part in [&b"    <a href=\"/simple/"[..], folded.as_str().as_bytes(), b"/\">", display, b"</a>\n"] {
        out.extend_from_slice(part);
    }
}

/// One project of another index's root list, which may be anywhere.
pub(super) fn root_anchor(href: &str, display: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"    <a");
    attribute("href", href, out);
    out.push(b'>');
    escape(display, out);
    out.extend_from_slice(b"</a>\n");
}

/// The end of a root list.
pub(super) fn root_tail(out: &mut Vec<u8>) {
    out.extend_from_slice(b"  </body>\n</html>\n");
}

/// The start of a project page.
pub(super) fn page_head(meta: &Meta, project: &str, out: &mut Vec<u8>) {
    let title = format!("Links for {project}");
    head(meta, &title, out);
    out.extend_from_slice(b"    <h1>");
    escape(&title, out);
    out.extend_from_slice(b"</h1>\n");
}

/// One text in pieces, which needn't be put together to be written.
pub(super) type Pieces<'a> = [&'a str; 5];

/// A text that is in one piece.
pub(super) const fn whole(text: &str) -> Pieces<'_> {
    [text, "", "", "", ""]
}

/// One file of a project page. The text is the file's name, as the specification demands.
pub(super) fn page_anchor<'a>(
    href: Pieces<'_>,
    attributes: impl IntoIterator<Item = (&'a str, Pieces<'a>)>,
    filename: &str,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"    <a");
    attribute_of("href", href, out);
    for (name, value) in attributes {
        attribute_of(name, value, out);
    }
    out.push(b'>');
    escape(filename, out);
    out.extend_from_slice(b"</a><br />\n");
}

/// The end of a project page.
pub(super) fn page_tail(meta: &Meta, out: &mut Vec<u8>) {
    out.extend_from_slice(b"  </body>\n</html>\n");
    if let Some(serial) = meta.serial {
        out.extend_from_slice(format!("<!--SERIAL {serial}-->\n").as_bytes());
    }
}

/// What a person is shown in place of a page that lists hidden projects: how many names are hidden, never which.
pub(super) fn listing<'a>(removed: u64, kept: impl Iterator<Item = NameRef<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    let title = match removed {
        1 => "1 name is hidden here".to_owned(),
        _ => format!("{removed} names are hidden here"),
    };
    out.extend_from_slice(b"<!DOCTYPE html>\n<html lang=\"en\">\n  <head>\n    <meta charset=\"utf-8\">\n    <title>");
    escape(&title, &mut out);
    out.extend_from_slice(b"</title>\n  </head>\n  <body>\n    <h1>");
    escape(&title, &mut out);
    out.extend_from_slice(
        b"</h1>\n    <p>The page of the public index lists projects that namewall hides here, so it is not shown as it is.</p>\n",
    );
    let mut kept = kept.peekable();
    if kept.peek().is_some() {
        out.extend_from_slice(b"    <p>The other projects on it:</p>\n    <ul>\n");
        for name in kept {
            out.extend_from_slice(b"      <li><a");
            attribute("href", &format!("/project/{name}/"), &mut out);
            out.push(b'>');
            escape(name.as_str(), &mut out);
            out.extend_from_slice(b"</a></li>\n");
        }
        out.extend_from_slice(b"    </ul>\n");
    }
    out.extend_from_slice(b"  </body>\n</html>\n");
    out
}

fn head(meta: &Meta, title: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<!DOCTYPE html>\n<html lang=\"en\">\n  <head>\n");
    let entries = [
        ("pypi:repository-version", Some(meta.version.as_str())),
        ("pypi:project-status", meta.status.as_deref()),
        ("pypi:project-status-reason", meta.status_reason.as_deref()),
    ];
    for (name, content) in entries.into_iter().filter_map(|(name, content)| Some((name, content?))) {
        out.extend_from_slice(b"    <meta");
        attribute("name", name, out);
        attribute("content", content, out);
        out.extend_from_slice(b">\n");
    }
    out.extend_from_slice(b"    <title>");
    escape(title, out);
    out.extend_from_slice(b"</title>\n  </head>\n  <body>\n");
}

fn attribute(name: &str, value: &str, out: &mut Vec<u8>) {
    attribute_of(name, whole(value), out);
}

fn attribute_of(name: &str, value: Pieces<'_>, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    value.into_iter().for_each(|piece| escape(piece, out));
    out.push(b'"');
}

/// Safe as text and between either kind of quotes; the same five as PyPI's templates escape, and NUL, which no HTML holds.
pub(crate) fn escape(raw: &str, out: &mut Vec<u8>) {
    let is_special = |byte: u8| matches!(byte, 0 | b'&' | b'<' | b'>' | b'"' | b'\'');
    let mut rest = raw.as_bytes();
    // Without a way out, so that many bytes are looked at at once: most texts have nothing to escape.
    if !rest.iter().fold(false, |found, &byte| found | is_special(byte)) {
        return out.extend_from_slice(rest);
    }
    while let Some(at) = rest.iter().position(|&byte| is_special(byte)) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&special, after)) = special.split_first() else { break };
        out.extend_from_slice(match special {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&#34;",
            0 => "\u{fffd}".as_bytes(),
            _ => b"&#39;",
        });
        rest = after;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_escapes_from_an_attribute_or_a_text() {
        assert_eq!(text(|out| escape("a<b>&\"'\u{e9}\0", out)), "a&lt;b&gt;&amp;&#34;&#39;\u{e9}\u{fffd}");
        let anchor = text(|out| page_anchor(whole("\"><a href=x>"), [("data-yanked", whole("'>"))], "</a>", out));
        assert_eq!(anchor.matches(['<', '>']).count(), 6, "{anchor}");
    }

    #[test]
    fn a_page_looks_as_pypis() {
        let meta = Meta { version: "1.4".into(), status: Some("active".into()), status_reason: None, serial: Some(7) };
        let page = text(|out| {
            page_head(&meta, "sampleproject", out);
            let href = ["https://h/a-1.tar.gz", "#", "sha256", "=", "00"];
            page_anchor(href, [("data-requires-python", whole(">=3.7"))], "a-1.tar.gz", out);
            page_tail(&meta, out);
        });
        insta::assert_snapshot!(page, @r#"
        <!DOCTYPE html>
        <html lang="en">
          <head>
            <meta name="pypi:repository-version" content="1.4">
            <meta name="pypi:project-status" content="active">
            <title>Links for sampleproject</title>
          </head>
          <body>
            <h1>Links for sampleproject</h1>
            <a href="https://h/a-1.tar.gz#sha256=00" data-requires-python="&gt;=3.7">a-1.tar.gz</a><br />
          </body>
        </html>
        <!--SERIAL 7-->
        "#);
    }
}
