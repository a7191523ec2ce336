//! How other people's text is shown: without what a terminal would obey, without secrets, as one word of a shell.

use std::borrow::Cow;

use url::Url;

/// `text` on one line, and without what a terminal would obey: somebody else wrote it.
pub(crate) fn printable(text: &str) -> String {
    let shown = |letter: char| match letter {
        '\t' | '\n' | '\r' => ' ',
        // Those that turn the direction make a text look like another.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ if letter.is_control() => '\u{fffd}',
        _ => letter,
    };
    text.chars().map(shown).collect()
}

/// `url` without what is nobody's business: credentials, query and fragment. Only its scheme, if it is no URL.
pub(crate) fn without_secrets(url: &str) -> String {
    let cleared = Url::parse(url).ok().and_then(|mut url| {
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if has_credentials {
            url.set_username("").and_then(|()| url.set_password(None)).ok()?;
        }
        url.set_query(None);
        url.set_fragment(None);
        Some(url.to_string())
    });
    cleared.unwrap_or_else(|| match url.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…"),
        None => "…".to_owned(),
    })
}

/// `text` with each URL in it that could hold a secret shown without.
pub(crate) fn without_secrets_in(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((front, _)) = rest.split_once("://") {
        let scheme = front.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')).len();
        let (before, from_url) = rest.split_at(scheme);
        let (url, behind) = from_url.split_at(from_url.find(char::is_whitespace).unwrap_or(from_url.len()));
        shown.push_str(before);
        shown.push_str(&if may_hold_secrets(url) { Cow::Owned(without_secrets(url)) } else { Cow::Borrowed(url) });
        rest = behind;
    }
    shown + rest
}

fn may_hold_secrets(url: &str) -> bool {
    Url::parse(url).map_or(true, |url| !url.username().is_empty() || url.password().is_some() || url.query().is_some())
}

/// `text` as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b'@' | b',')
    };
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        assert_eq!(printable("a\nb\x1b[2J\u{9b}c\u{202e}\u{e9}"), "a b\u{fffd}[2J\u{fffd}c\u{fffd}\u{e9}");
    }

    #[test]
    fn no_secret_is_shown() {
        for (text, shown) in [
            ("acme", "acme"),
            ("https://pypi.org/simple/acme/#x", "https://pypi.org/simple/acme/#x"),
            ("acme @ git+https://u:hunter2@github.com/x/y@main ; x", "acme @ git+https://github.com/x/y@main ; x"),
            ("acme@https://u:hunter2@h/a b://t@h/?hunter2#hunter2", "acme@https://h/a b://h/"),
            ("https://u:hunter2/x@h/a", "https://…"),
            ("file://u:hunter2@h/a", "file://…"),
            ("a ://hunter2@", "a ://…"),
        ] {
            assert_eq!(without_secrets_in(text), shown, "{text}");
        }
    }

    #[test]
    fn a_shell_sees_one_word() {
        assert_eq!(quoted("https://pypi.acme.example/simple/"), "https://pypi.acme.example/simple/");
        assert_eq!(quoted("acme[x]>=1.0"), "'acme[x]>=1.0'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }
}
