//! A line of a list of names, as people and databases write them: a name, and perhaps a rank behind it.

/// The name on a line, as it is written, and the fields behind it; `None` if nothing stands there, or a comment. Fields
/// are parted by whitespace and commas.
pub fn name_on_line(line: &[u8]) -> Option<(&[u8], impl Iterator<Item = &[u8]>)> {
    // Editors on Windows begin a file with a byte order mark.
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let is_gap = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    let mut fields = line.split(is_gap).filter(|field| !field.is_empty());
    let name = fields.next().filter(|name| !name.starts_with(b"#"))?;
    Some((name, fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_stands_behind_them() {
        for (line, expected) in [
            ("acme", Some(("acme", ""))),
            ("acme\t12\r", Some(("acme", "12"))),
            (" ,Acme.Core, 7 x", Some(("Acme.Core", "7 x"))),
            ("\u{feff}acme", Some(("acme", ""))),
            ("# acme", None),
            (" #acme", None),
            (" ,\r", None),
            ("", None),
        ] {
            let found = name_on_line(line.as_bytes());
            let found = found.map(|(name, fields)| (name.to_vec(), fields.collect::<Vec<_>>().join(&b' ')));
            let expected = expected.map(|(name, fields)| (name.as_bytes().to_vec(), fields.as_bytes().to_vec()));
            assert_eq!(found, expected, "{line:?}");
        }
    }
}
