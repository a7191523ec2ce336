//! Distribution file names: which bytes are one, and which file a sibling belongs to.

pub use super::candidates::Candidates;

/// The longest file name that is looked at, in bytes: what file systems and warehouse's own column allow.
pub const MAX_FILE_NAME: usize = 255;

/// What may follow a distribution's name in the name of a file about it (PEP 658, PEP 740, detached signatures).
const SIBLINGS: [&str; 4] = [".metadata", ".asc", ".provenance", ".sig"];

/// The last segment of a file's URL, percent-decoded: printable, without a slash, at most 255 bytes. Kept as written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FileName(String);

/// Why some bytes are not a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFileName {
    /// There is nothing.
    #[error("a file name is not empty")]
    Empty,
    /// A path's `.` or `..`.
    #[error("`.` and `..` are not file names")]
    Dots,
    /// More than [`MAX_FILE_NAME`] bytes.
    #[error("a file name has at most {MAX_FILE_NAME} bytes")]
    TooLong,
    /// A slash or a backslash: two segments, for somebody.
    #[error("a file name has no slash and no backslash in it")]
    Separator,
    /// A byte that no client prints.
    #[error("a file name has no control characters, found 0x{0:02x}")]
    Control(u8),
    /// Text, but not ASCII: no version of any packaging standard allows it.
    #[error("a distribution's file name is ASCII")]
    NonAscii,
    /// Not even text.
    #[error("a file name is valid UTF-8")]
    Encoding,
}

impl FileName {
    /// Takes the decoded last segment of a URL's path.
    ///
    /// # Errors
    /// [`InvalidFileName`] if no distribution can have it.
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, InvalidFileName> {
        check(raw.as_ref()).map(|text| Self(text.to_owned()))
    }

    /// As [`FileName::parse`], into room that there is; this name stays if `raw` is none.
    pub(crate) fn replace(&mut self, raw: impl AsRef<[u8]>) -> Result<(), InvalidFileName> {
        check(raw.as_ref()).map(|text| text.clone_into(&mut self.0))
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the distribution: without `.metadata`, `.asc`, `.provenance` and `.sig`, as often as they stand there.
    #[must_use]
    pub fn distribution(&self) -> &str {
        let mut name = &*self.0;
        // What nearly no file ends in needn't be looked for in each.
        while matches!(name.as_bytes(), [.., b'a' | b'A' | b'c' | b'C' | b'e' | b'E' | b'g' | b'G'])
            && let Some(rest) = SIBLINGS.iter().find_map(|sibling| strip_suffix(name, sibling))
        {
            name = rest;
        }
        name
    }
}

/// `raw`, if it is a file name.
fn check(raw: &[u8]) -> Result<&str, InvalidFileName> {
    match raw {
        b"" => return Err(InvalidFileName::Empty),
        b"." | b".." => return Err(InvalidFileName::Dots),
        _ if raw.len() > MAX_FILE_NAME => return Err(InvalidFileName::TooLong),
        _ => {}
    }
    let text = str::from_utf8(raw).map_err(|_not_utf8| InvalidFileName::Encoding)?;
    // Without a way out, so that many bytes are looked at at once.
    if raw.iter().fold(true, |all, &byte| all & is_file_byte(byte)) {
        return Ok(text);
    }
    match raw.iter().copied().find(|&byte| !is_file_byte(byte)) {
        None => Ok(text),
        Some(b'/' | b'\\') => Err(InvalidFileName::Separator),
        Some(0x80..) => Err(InvalidFileName::NonAscii),
        Some(byte) => Err(InvalidFileName::Control(byte)),
    }
}

/// Whether a file name may have `byte` in it.
pub(crate) const fn is_file_byte(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && !matches!(byte, b'/' | b'\\')
}

/// `name` without `suffix`, whose case doesn't count; `None` too if nothing would be left.
pub(super) fn strip_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(suffix.len()).filter(|&at| at > 0)?;
    let (front, tail) = name.split_at_checked(at)?;
    tail.eq_ignore_ascii_case(suffix).then_some(front)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_no_distribution_can_be_called_is_refused() {
        for (raw, why) in [
            (&b""[..], InvalidFileName::Empty),
            (b".", InvalidFileName::Dots),
            (b"..", InvalidFileName::Dots),
            (b"acme/acme-1.0.zip", InvalidFileName::Separator),
            (b"..\\acme-1.0.zip", InvalidFileName::Separator),
            (b"acme-1.0.zip\n", InvalidFileName::Control(b'\n')),
            (b"acme\0-1.0.zip", InvalidFileName::Control(0)),
            (b"acme-1.0.zip\x7f", InvalidFileName::Control(0x7f)),
            ("\u{212a}eras-1.0.zip".as_bytes(), InvalidFileName::NonAscii),
            (b"acme-\xff.zip", InvalidFileName::Encoding),
        ] {
            assert_eq!(FileName::parse(raw), Err(why), "{raw:?}");
        }
        assert_eq!(FileName::parse("a".repeat(MAX_FILE_NAME + 1)), Err(InvalidFileName::TooLong));
        assert!(FileName::parse("a".repeat(MAX_FILE_NAME)).is_ok());
        assert!(FileName::parse("acme 1.0+local (copy).zip").is_ok());
    }

    #[test]
    fn siblings_belong_to_their_distribution() {
        for (raw, distribution) in [
            ("acme-1.0-py3-none-any.whl", "acme-1.0-py3-none-any.whl"),
            ("acme-1.0-py3-none-any.whl.metadata", "acme-1.0-py3-none-any.whl"),
            ("acme-1.0.tar.gz.asc", "acme-1.0.tar.gz"),
            ("acme-1.0.tar.gz.PROVENANCE", "acme-1.0.tar.gz"),
            ("acme-1.0.whl.metadata.asc.Sig", "acme-1.0.whl"),
            (".asc", ".asc"),
            (".metadata.asc", ".metadata"),
        ] {
            let file = FileName::parse(raw).unwrap();
            assert_eq!(file.distribution(), distribution);
            assert_eq!(file.as_str(), raw);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(file) = FileName::parse(&raw) {
                prop_assert_eq!(file.as_str().as_bytes(), &raw[..]);
                prop_assert!(raw.iter().copied().all(is_file_byte));
                let _candidates = file.candidates();
            }
        }

        #[test]
        fn printable_bytes_are_judged_without_a_panic(raw in "[ -~]{1,255}") {
            if let Ok(file) = FileName::parse(&raw) {
                prop_assert!(raw.starts_with(file.distribution()));
                let _candidates = file.candidates();
            }
        }
    }
}
