//! Takes apart a header of the form `value; name=value`, and refuses whatever two readers would take apart differently.

/// A header's value and its parameters. Borrowed as written: without escapes there is nothing to undo.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    /// What stands before the first `;`.
    pub(super) value: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Parameters<'a> {
    /// Reads the whole of `header`.
    ///
    /// Backslashes are refused: Python's readers undo `\"` and `\\` alone, browsers' servers neither, the RFCs any. No
    /// file that a package index takes and no field that it knows needs one.
    pub(super) fn parse(header: &'a str) -> Result<Self, &'static str> {
        if !header.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\') {
            return Err("it has a backslash, a control character or a non-ASCII byte in it");
        }
        let (value, mut rest) = header.split_at(header.find(';').unwrap_or(header.len()));
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        while let Some(parameter) = rest.strip_prefix(';') {
            let (name, after) = parameter.trim_start().split_once('=').ok_or("a parameter has no value")?;
            let (value, after) = value_of(after)?;
            if !is_token(name) {
                return Err("a parameter's name is none");
            }
            if pairs.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err("a parameter stands twice");
            }
            pairs.push((name, value));
            rest = after.trim_start();
        }
        if rest.is_empty() { Ok(Self { value: value.trim(), pairs }) } else { Err("something follows a parameter") }
    }

    /// The names, as written, and the values.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pairs.iter().copied()
    }
}

/// A parameter's value without its quotes, and what follows.
fn value_of(text: &str) -> Result<(&str, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').ok_or("a quote is not closed");
    }
    let (value, after) = text.split_at(text.find([';', ' ']).unwrap_or(text.len()));
    if is_token(value) { Ok((value, after)) } else { Err("a parameter's value should be in quotes") }
}

/// Whether `text` is a `token` of RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether `text` names an encoding in which ASCII is ASCII, the same to every reader.
pub(super) fn is_utf_8(text: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|charset| text.eq_ignore_ascii_case(charset))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read<'a> = (&'a str, Vec<(&'a str, &'a str)>);

    fn parsed(header: &str) -> Result<Read<'_>, &'static str> {
        Parameters::parse(header).map(|read| (read.value, read.pairs().collect()))
    }

    #[test]
    fn parameters_as_clients_write_them() {
        let file = Ok(("form-data", vec![("name", "content"), ("filename", "a b.zip")]));
        for header in [
            r#"form-data; name="content"; filename="a b.zip""#,
            r#"form-data;name="content";filename="a b.zip""#,
            r#" form-data ;  name=content ;  filename="a b.zip" "#,
        ] {
            assert_eq!(parsed(header), file, "{header}");
        }
        assert_eq!(parsed("text/plain"), Ok(("text/plain", vec![])));
        assert_eq!(parsed(r#"x; a="b; c=d"; e="""#), Ok(("x", vec![("a", "b; c=d"), ("e", "")])));
    }

    #[test]
    fn what_readers_would_disagree_on_is_refused() {
        for header in [
            "x;",
            "x; ",
            "x;;a=b",
            "x; a",
            "x; =b",
            "x; a=",
            "x; a =b",
            "x; a= b",
            "x; a=b c",
            "x; a=b\"c",
            "x; a=\"b",
            "x; a=\"b\"c",
            "x; a=\"b\" c; d=e",
            "x; a=b; A=c",
            "x; a=\"b\\\"c\"",
            "x; a=\"\u{e9}\"",
            "x;\ta=b",
        ] {
            assert!(parsed(header).is_err(), "{header:?}");
        }
    }
}
