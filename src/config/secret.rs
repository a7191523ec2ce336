//! A secret: shown by nothing that prints, and handed out only where it is asked for by name.

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A password or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// What `text` says, kept from sight.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// A user and a password, as a field of HTTP says them (RFC 7617).
    #[must_use]
    pub fn basic(user: &str, password: &str) -> Self {
        Self::new(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// The secret itself: for the field of a request, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A line of a config with stars for what may be secret: whoever is in a URL, and what a key with such a name says. As
/// long as before, so that a caret stands where it stood.
pub(super) fn masked(line: &str) -> String {
    let (key, value) = line.split_once('=').unwrap_or(("", line));
    let key = key.trim().to_ascii_lowercase();
    let is_secret =
        ["password", "passwd", "token", "secret", "api-key", "api_key"].iter().any(|word| key.contains(word));
    let mut hidden = vec![false; line.len()];
    let mut hide = |range: Range<usize>| hidden.get_mut(range).into_iter().flatten().for_each(|byte| *byte = true);
    if is_secret && !key.ends_with("file") {
        hide(line.len() - value.len()..line.len());
    }
    for (at, _) in line.match_indices("://") {
        let from = at + "://".len();
        let url = line.get(from..).unwrap_or_default().split(['"', '\'', ' ']).next().unwrap_or_default();
        let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may hold what would end the authority, had it been encoded.
        if let Some((user, _host)) = authority.rsplit_once('@').or_else(|| url.rsplit_once('@')) {
            hide(from..from + user.len());
        }
    }
    // A proxy is also written without a scheme.
    for (at, _) in line.match_indices('@') {
        let before = line.get(..at).unwrap_or_default();
        let from = before.rfind(['"', '\'', ' ', '=']).map_or(0, |quote| quote + 1);
        if before.get(from..).is_some_and(|user| user.contains(':') && !user.contains("://")) {
            hide(from..at);
        }
    }
    let shown = |(at, letter): (usize, char)| {
        let quoted = letter.is_whitespace() || matches!(letter, '"' | '\'');
        if hidden.get(at).is_some_and(|hidden| *hidden) && !quoted { '*' } else { letter }
    };
    line.char_indices().map(shown).collect()
}

/// The same of a value by itself, byte for byte as long.
pub(super) fn masked_value(text: &str) -> String {
    let masked = masked(text);
    // A letter of several bytes has become a star of one.
    text.chars().zip(masked.chars()).fold(String::with_capacity(text.len()), |mut shown, (letter, star)| {
        let length = if letter == star { 1 } else { letter.len_utf8() };
        shown.extend(std::iter::repeat_n(star, length));
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for (line, shown) in [
            ("password = \"hunter2\"", "password = \"*******\""),
            ("api_key=  'h\u{fc}nter'", "api_key=  '******'"),
            ("password-file = \"pw\"", "password-file = \"pw\""),
            (
                "url = \"https://u:hunter2@pypi.acme.example/?a@b\"",
                "url = \"https://*********@pypi.acme.example/?a@b\"",
            ),
            ("proxy = \"http://token@a:1\" # b@c", "proxy = \"http://*****@a:1\" # b@c"),
            ("proxy = \"http://u:hun#ter2@p:1\"", "proxy = \"http://**********@p:1\""),
            ("proxy = \"u:hunter2@p:1\"", "proxy = \"*********@p:1\""),
            ("owner = \"a@b.example\"", "owner = \"a@b.example\""),
            ("names = [\"acme\"]", "names = [\"acme\"]"),
            ("", ""),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
