//! Reads the headers of one part: which field it is, and what its file is called, by every reading of it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::error::BadUpload;
use super::params::{Parameters, is_token, is_utf_8};
use crate::name::FileName;

/// What the headers of a part say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Which part it is, the first being 1.
    pub(super) part: usize,
    /// The field, as the index may see it: as written, and percent-decoded if that differs. Lower-case, trimmed.
    pub(super) fields: Vec<String>,
    /// All names that readers may find for the file; none if the part is no file.
    pub(super) files: Vec<FileName>,
}

/// The headers that mean something.
#[derive(Default)]
struct Headers<'a> {
    disposition: Option<&'a str>,
    content_type: Option<&'a str>,
    transfer_encoding: Option<&'a str>,
}

impl Head {
    /// Reads `raw`, which ends in an empty line.
    pub(super) fn parse(raw: &[u8], part: usize) -> Result<Self, BadUpload> {
        let bad = |what| BadUpload::Head { part, what };
        let headers = Headers::parse(raw).map_err(bad)?;
        headers.check_transfer_encoding().map_err(bad)?;
        headers.check_content_type().map_err(bad)?;
        let disposition = headers.disposition.ok_or_else(|| bad("there is no Content-Disposition"))?;
        let disposition = Disposition::parse(disposition).map_err(bad)?;
        let mut files: Vec<FileName> = Vec::new();
        for raw in disposition.file_names() {
            let file = FileName::parse(raw).map_err(|why| BadUpload::FileName { part, why })?;
            if !files.contains(&file) {
                files.push(file);
            }
        }
        Ok(Self { part, fields: disposition.fields(), files })
    }

    /// Whether it is the field called `field`, by any reading.
    pub(super) fn is_field(&self, field: &str) -> bool {
        self.fields.iter().any(|own| own == field)
    }
}

impl<'a> Headers<'a> {
    /// Splits lines strictly. Bare line ends, folded lines and control characters end a line, or all headers, for some
    /// readers; non-ASCII has been a line end too (Python's `str.splitlines`).
    fn parse(raw: &'a [u8]) -> Result<Self, &'static str> {
        let text = raw.strip_suffix(b"\r\n\r\n").ok_or("they don't end")?;
        let text = str::from_utf8(text).map_err(|_not_utf8| "they are not UTF-8")?;
        let mut headers = Self::default();
        for line in text.split("\r\n") {
            if !line.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err("there is a control character, a bare line end or a non-ASCII byte in them");
            }
            let (name, value) = line.split_once(':').ok_or("a line has no colon")?;
            if !is_token(name) {
                return Err("a line begins with something other than a header's name");
            }
            headers.add(name, value.trim())?;
        }
        Ok(headers)
    }

    fn add(&mut self, name: &str, value: &'a str) -> Result<(), &'static str> {
        let slot = match name.to_ascii_lowercase().as_str() {
            "content-disposition" => &mut self.disposition,
            "content-type" => &mut self.content_type,
            "content-transfer-encoding" => &mut self.transfer_encoding,
            // Some readers go by the length instead of the boundary, and might by the others.
            "content-length" | "content-encoding" | "content-range" | "transfer-encoding" => {
                return Err("a part may have no Content-Length, Content-Encoding or Content-Range");
            }
            // RFC 7578 section 4.8: to be ignored.
            _ => return Ok(()),
        };
        if slot.replace(value).is_some() { Err("a header stands twice") } else { Ok(()) }
    }

    /// WebOb, which PyPI reads forms with, decodes base64 and quoted-printable, although RFC 7578 deprecates them.
    fn check_transfer_encoding(&self) -> Result<(), &'static str> {
        let plain =
            |encoding: &str| ["binary", "8bit", "7bit"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain));
        if self.transfer_encoding.is_none_or(plain) { Ok(()) } else { Err("the part has a Content-Transfer-Encoding") }
    }

    /// Forms within the form are read as such by Python's `cgi`, and so by WebOb, which also decodes values and file
    /// names by the charset.
    fn check_content_type(&self) -> Result<(), &'static str> {
        let Some(content_type) = self.content_type else { return Ok(()) };
        let read = Parameters::parse(content_type)?;
        let kind = read.value.to_ascii_lowercase();
        if !kind.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype)) {
            return Err("the Content-Type is none");
        }
        if kind.starts_with("multipart/") || kind.starts_with("message/") || kind == "application/x-www-form-urlencoded"
        {
            return Err("the part is a form, or a message, of its own");
        }
        let plain = |(name, value): (&str, &str)| {
            !name.contains('*') && (!name.eq_ignore_ascii_case("charset") || is_utf_8(value))
        };
        if read.pairs().all(plain) { Ok(()) } else { Err("the part's charset is not UTF-8") }
    }
}

/// A part's `Content-Disposition`, as written.
#[derive(Default)]
struct Disposition<'a> {
    name: &'a str,
    filename: Option<&'a str>,
    /// `filename*` behind its charset and its language (RFC 8187). RFC 7578 forbids it, and yet it is sent.
    extended: Option<&'a str>,
}

impl<'a> Disposition<'a> {
    fn parse(header: &'a str) -> Result<Self, &'static str> {
        let read = Parameters::parse(header)?;
        if !read.value.eq_ignore_ascii_case("form-data") {
            return Err("the Content-Disposition is not `form-data`");
        }
        let mut disposition = Self::default();
        for (name, value) in read.pairs() {
            match name.to_ascii_lowercase().as_str() {
                "name" => disposition.name = value,
                "filename" => disposition.filename = Some(value),
                "filename*" => disposition.extended = Some(extended(value).ok_or("`filename*` is not UTF-8")?),
                // `name*` and `filename*0` among them (RFC 2231): only some readers know these.
                _ => return Err("the Content-Disposition has a parameter other than `name` and `filename`"),
            }
        }
        if disposition.name.trim().is_empty() { Err("the part has no name") } else { Ok(disposition) }
    }

    fn fields(&self) -> Vec<String> {
        let shown = |text: &str| text.trim().to_ascii_lowercase();
        let mut fields = vec![shown(self.name)];
        let decoded = shown(&percent_decode_str(self.name).decode_utf8_lossy());
        if !fields.contains(&decoded) {
            fields.push(decoded);
        }
        fields
    }

    /// As written and percent-decoded: browsers and urllib3 encode what can't stand between quotes, and not every
    /// server decodes it.
    fn file_names(&self) -> impl Iterator<Item = Cow<'a, [u8]>> {
        let names = self.filename.into_iter().chain(self.extended);
        names.flat_map(|name| [Cow::Borrowed(name.as_bytes()), percent_decode_str(name).into()])
    }
}

/// What stands behind `utf-8'en'`.
fn extended(value: &str) -> Option<&str> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    is_utf_8(charset).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[&str]) -> Result<Head, BadUpload> {
        Head::parse(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes(), 1)
    }

    fn disposition(rest: &str) -> Result<Head, BadUpload> {
        head(&[&format!("Content-Disposition: form-data; {rest}")])
    }

    fn files(head: &Head) -> Vec<&str> {
        head.files.iter().map(FileName::as_str).collect()
    }

    #[test]
    fn heads_as_clients_write_them() {
        let file = head(&[
            r#"Content-Disposition: form-data; name="content"; filename="acme-1.0.zip""#,
            "Content-Type: application/octet-stream",
        ]);
        let file = file.unwrap();
        assert_eq!((file.fields.as_slice(), files(&file)), (&["content".to_owned()][..], vec!["acme-1.0.zip"]));
        let action = disposition(r#"name=":action""#).unwrap();
        assert_eq!((action.fields.as_slice(), files(&action)), (&[":action".to_owned()][..], vec![]));
        for lines in [
            &[r#"content-disposition:form-data;name="x""#][..],
            &[r#"Content-Disposition: form-data; name="x""#, "Content-Type: text/plain; charset=UTF-8"],
            &[r#"Content-Disposition: form-data; name="x""#, "Content-Transfer-Encoding: binary", "X-Any: thing"],
            &["Content-Type: text/plain", r#"Content-Disposition: Form-Data; name=x"#],
        ] {
            assert!(head(lines).unwrap().is_field("x"), "{lines:?}");
        }
    }

    #[test]
    fn every_reading_of_a_name_counts() {
        for field in ["name", "Name", " name ", "n%61me", "%6e%61%6D%45", "name%20"] {
            let head = disposition(&format!("name=\"{field}\"")).unwrap();
            assert!(head.is_field("name"), "{field}");
        }
        for (rest, names) in [
            (r#"filename="%61cme-1.0.zip""#, &["%61cme-1.0.zip", "acme-1.0.zip"][..]),
            (r#"filename=a%22b.zip"#, &["a%22b.zip", "a\"b.zip"]),
            (r#"filename="100%.zip""#, &["100%.zip"]),
            (r#"filename*=utf-8''%61.zip"#, &["%61.zip", "a.zip"]),
            (r#"filename="a.zip"; filename*=UTF-8'en'b.zip"#, &["a.zip", "b.zip"]),
            (r#"filename*=UTF-8''a.zip; filename="a.zip""#, &["a.zip"]),
        ] {
            assert_eq!(files(&disposition(&format!("name=\"content\"; {rest}")).unwrap()), names, "{rest}");
        }
    }

    #[test]
    fn file_names_that_no_distribution_has_are_refused() {
        for rest in [
            r#"filename="""#,
            r#"filename="..""#,
            r#"filename="a/b.zip""#,
            r#"filename="a%2fb.zip""#,
            r#"filename="a%5Cb.zip""#,
            r#"filename="a%0ab.zip""#,
            r#"filename="a%00.zip""#,
            r#"filename="%ff.zip""#,
            r#"filename="%C3%A9.zip""#,
            r#"filename*=utf-8''"#,
            r#"filename*=utf-8''a%2fb"#,
        ] {
            let refused = disposition(&format!("name=\"content\"; {rest}"));
            assert!(matches!(refused, Err(BadUpload::FileName { part: 1, .. })), "{rest}: {refused:?}");
        }
    }

    #[test]
    fn heads_that_readers_would_disagree_on_are_refused() {
        const PLAIN: &str = "Content-Disposition: form-data; name=\"x\"";
        for raw in [
            "\r\n".to_owned(),
            "\r\n\r\n".to_owned(),
            format!("{PLAIN}\r\n"),
            format!("{PLAIN}\n\n\r\n\r\n"),
            format!("{PLAIN}\nContent-Type: text/plain\r\n\r\n"),
            format!("{PLAIN}\rContent-Type: text/plain\r\n\r\n"),
            format!("{PLAIN};\r\n filename=\"a.zip\"\r\n\r\n"),
            format!("{PLAIN}\r\n \r\n\r\n"),
            format!("{PLAIN}\r\n\x0b\r\n\r\n"),
            format!("\r\n{PLAIN}\r\n\r\n"),
            format!("{PLAIN}\r\nX: a\u{85}b\r\n\r\n"),
            format!("{PLAIN}\r\nX: a\tb\r\n\r\n"),
            format!("{PLAIN}\r\nX: a\0b\r\n\r\n"),
            format!("{PLAIN}\r\nno colon\r\n\r\n"),
            format!("{PLAIN}\r\n: no name\r\n\r\n"),
            format!("{PLAIN}\r\n{PLAIN}\r\n\r\n"),
            "From me: you\r\n\r\n".to_owned(),
            "Content-Type: text/plain\r\n\r\n".to_owned(),
            "Content-Disposition : form-data; name=\"x\"\r\n\r\n".to_owned(),
        ] {
            assert!(matches!(Head::parse(raw.as_bytes(), 1), Err(BadUpload::Head { .. })), "{raw:?}");
        }
        let bytes = b"Content-Disposition: form-data; name=\"x\"\r\nX: \xff\r\n\r\n";
        assert!(Head::parse(bytes, 1).is_err());
        for line in [
            "Content-Type: multipart/mixed; boundary=b",
            "Content-Type: Multipart/Mixed",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Type: message/rfc822",
            "Content-Type: text/plain; charset=utf-16",
            "Content-Type: text/plain; charset*=utf-16",
            "Content-Type: text/plain; x=\"\\\"; charset=utf-16; y=\\\"\"",
            "Content-Type: text/plain\r\nContent-Type: text/plain",
            "Content-Type: text",
            "Content-Type: ",
            "Content-Type: \"multipart/mixed\"",
            "Content-Transfer-Encoding: base64",
            "Content-Transfer-Encoding: quoted-printable",
            "Content-Transfer-Encoding: ",
            "content-length: 3",
            "Content-Encoding: gzip",
        ] {
            assert!(matches!(head(&[PLAIN, line]), Err(BadUpload::Head { .. })), "{line:?}");
        }
        for disposition in [
            "form-data",
            "form-data; filename=\"a.zip\"",
            "form-data; name=\"\"",
            "form-data; name=\" \"",
            "form-data; name=\"x\"; name=\"y\"",
            "form-data; name=\"x\"; NAME=\"x\"",
            "form-data; name*=utf-8''x",
            "form-data; name=\"x\"; name*=utf-8''y",
            "form-data; name=\"x\"; filename=\"a\"; filename=\"b\"",
            "form-data; name=\"x\"; filename*0=\"a\"; filename*1=\"b\"",
            "form-data; name=\"x\"; filename*=latin1''a",
            "form-data; name=\"x\"; filename*=a.zip",
            "form-data; name=\"x\"; filename=\"a\\\"b\"",
            "form-data; name=\"x\"; size=3",
            "attachment; name=\"x\"",
            "file; name=\"x\"",
            "name=\"x\"",
            "form-data name=\"x\"",
            "form-data, form-data; name=\"x\"",
        ] {
            let line = format!("Content-Disposition: {disposition}");
            assert!(matches!(head(&[&line]), Err(BadUpload::Head { .. })), "{disposition:?}");
        }
    }
}
