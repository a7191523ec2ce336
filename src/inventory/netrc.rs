//! Finds the user and the password of a host in a netrc file, as curl, pip and uv read it.

/// User and password of `host`; those of `default` if it is not named.
pub(crate) fn find(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = words(text).into_iter();
    let (mut wanted, mut user, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" if wanted && password.is_some() => break,
            "machine" => {
                wanted = words.next().is_some_and(|machine| machine.eq_ignore_ascii_case(host));
                (user, password) = (None, None);
            }
            "default" => {
                wanted = true;
                (user, password) = (None, None);
            }
            "login" if wanted => user = words.next(),
            "password" if wanted => password = words.next(),
            "login" | "password" | "account" => drop(words.next()),
            _ => {}
        }
    }
    let password = password.filter(|_| wanted)?;
    Some((user.unwrap_or_default(), password))
}

/// The words outside of comments and macros; a word in double quotes may have anything in it.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        // A macro ends with an empty line.
        in_macro = in_macro && !line.trim().is_empty();
        let mut rest = line.trim_start();
        while !rest.is_empty() && !in_macro && !rest.starts_with('#') {
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => unquoted(quoted),
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    let (word, after) = rest.split_at(end);
                    (word.to_owned(), after)
                }
            };
            in_macro = word == "macdef";
            found.push(word);
            rest = after.trim_start();
            // A password may begin with `#`.
            if rest.starts_with('#') && matches!(found.last().map(String::as_str), Some("password" | "login")) {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                found.push(word.to_owned());
                rest = after.trim_start();
            }
        }
    }
    found
}

/// The text before the closing quote, and what follows it.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut word = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (word, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => word.extend(letters.next().map(|(_, escaped)| escaped)),
            other => word.push(other),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_their_own_entry_or_the_default() {
        let text = "# ours\nmachine pypi.acme.example\n  login ci account x\n  password s3cr#t\n\
                    machine other.example login \"a b\" password \"q\\\"x\" # end\n\
                    macdef init\nmachine evil.example password no\n\n\
                    machine hash.example login u password #1\n\
                    default login anonymous password guest\nmachine late.example password never\n";
        for (host, user, password) in [
            ("PyPI.acme.example", "ci", "s3cr#t"),
            ("other.example", "a b", "q\"x"),
            ("hash.example", "u", "#1"),
            ("nobody.example", "anonymous", "guest"),
            ("evil.example", "anonymous", "guest"),
        ] {
            assert_eq!(find(text, host), Some((user.to_owned(), password.to_owned())), "{host}");
        }
        assert_eq!(find("machine a login b", "a"), None);
        assert_eq!(find("", "a"), None);
    }
}
