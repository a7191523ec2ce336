//! Reads a users file: one `name:hash` a line, as `htpasswd -B` writes it.

use super::hash::{Hash, HashError};

/// What makes a line.
const HOW: &str = "make it with `htpasswd -B FILE NAME`";

/// The longest name.
const LONGEST: usize = 255;

/// One user.
pub(super) struct Entry<'t> {
    pub(super) line: usize,
    pub(super) name: &'t str,
    pub(super) hash: Hash,
}

/// What is wrong with a users file. Shows no hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The line, from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// The users in `text`, each with its line. Empty lines and those that begin with `#` are none.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Result<Entry<'_>, FileError>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, text)| entry(line, text))
}

fn entry(line: usize, text: &str) -> Result<Entry<'_>, FileError> {
    // At the first colon: no name has one, and a hash may.
    let Some((name, hash)) = text.split_once(':') else {
        return Err(FileError::at(line, "the line is no `name:hash`".to_owned(), HOW));
    };
    if let Some(why) = flaw(name) {
        return Err(FileError::at(line, why.to_owned(), "write another name"));
    }
    match Hash::parse(hash) {
        Ok(hash) => Ok(Entry { line, name, hash }),
        Err(error) => Err(FileError::of_hash(line, name, &error)),
    }
}

/// Why `name` can't be one, if it can't: names stand in log lines, and in rules beside wildcards.
fn flaw(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("the name is empty"),
        _ if name.len() > LONGEST => Some("the name is longer than 255 bytes"),
        _ if name.chars().any(char::is_control) => Some("the name has a control character in it"),
        _ if name.trim() != name => Some("the name begins or ends with a space"),
        _ if name.contains('*') => Some("the name has a `*` in it, which is a wildcard in the config's rules"),
        _ => None,
    }
}

impl FileError {
    fn at(line: usize, message: String, help: &str) -> Self {
        Self { line: Some(line), message, help: help.to_owned() }
    }

    fn of_hash(line: usize, name: &str, error: &HashError) -> Self {
        let help = match error {
            HashError::Costly(_) => "make a cheaper one: everybody who knows a name can have it computed",
            HashError::Unknown(_) | HashError::Plain | HashError::Broken(_) => HOW,
        };
        Self::at(line, format!("user `{name}`: {error}"), help)
    }

    pub(super) fn twice(line: usize, name: &str, first: usize) -> Self {
        Self::at(line, format!("user `{name}` stands in line {first}, too"), "remove one of the two")
    }

    pub(super) fn nobody() -> Self {
        let help = "add one with `htpasswd -B FILE NAME`, or leave `users` out of the config";
        Self {
            line: None,
            message: "there is no user in it, so nobody could use the proxy".to_owned(),
            help: help.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::users::Users;

    // Made by `htpasswd -nbB -C 4`.
    const BCRYPT: &str = "$2y$04$31DfG.VIh2vT.oLm.gL0DelCP9z.jfyOlshgCq50upTs50rGyhExa";

    fn refused(text: &str) -> (Option<usize>, String) {
        let error = Users::parse(text).unwrap_err();
        assert!(!error.help.is_empty());
        (error.line, error.message)
    }

    #[test]
    fn names_and_hashes_comments_and_empty_lines() {
        let text = format!("\u{feff}# ours\r\n\r\nalice:{BCRYPT}\r\nj\u{fc}rgen m:{BCRYPT}  \n");
        let users = Users::parse(&text).unwrap();
        assert_eq!(users.len(), 2);
        assert!(users.find("alice").is_some() && users.find("j\u{fc}rgen m").is_some());
        assert!(users.find("Alice").is_none() && users.find("bob").is_none() && users.stand_in("bob").is_some());
        assert_eq!(format!("{users:?}"), "{\"alice\", \"jürgen m\"}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_without_its_hash() {
        for (text, line, said) in [
            ("", None, "no user"),
            ("# nobody\n", None, "no user"),
            ("alice\n", Some(1), "no `name:hash`"),
            (":HASH", Some(1), "empty"),
            (" alice:HASH", Some(1), "space"),
            ("a\u{7}:HASH", Some(1), "control"),
            ("a*:HASH", Some(1), "wildcard"),
            ("a:HASH\n\nb:HASH\na:HASH\n", Some(4), "line 1, too"),
            ("a:HASH\nb:$apr1$zzzzzzzz$zzzzzzzzzzzzzzzzzzzzzz\n", Some(2), "MD5"),
            ("b:{SHA}zzzzzzzzzzzzzzzzzzzzzzzzzzz=\n", Some(1), "SHA-1"),
            ("b:$6$zzzzzzzz$zzzzzzz\n", Some(1), "crypt"),
            ("b:zzzzzzzz\n", Some(1), "no hash"),
            ("b:\n", Some(1), "no hash"),
            ("b:$2y$04$zzz\n", Some(1), "broken"),
            ("b:$argon2id$v=19$m=zzz\n", Some(1), "broken"),
            ("b:$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$zzzz\n", Some(1), "argon2d"),
        ] {
            let text = text.replace("HASH", BCRYPT);
            let (at, message) = refused(&text);
            assert_eq!(at, line, "{text}: {message}");
            assert!(
                message.contains(said) && !message.contains("zzz") && !message.contains("31Df"),
                "{text}: {message}"
            );
        }
    }
}
