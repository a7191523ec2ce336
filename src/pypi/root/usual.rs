//! Reads an element of the root list in the one layout that PyPI writes, for speed: nearly all of the list is written so.
//!
//! What it accepts is a subset of what that accepts, with the same meaning; anything else is left to the strict reader.

use crate::name::{NameBuffer, NameRef};

/// An element in that layout.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element<'a, 'b> {
    pub(super) name: NameRef<'b>,
    /// The name as it stands there.
    pub(super) written: &'a [u8],
    /// The length of the whole element and of the comma before it.
    pub(super) length: usize,
}

/// Reads `,{"_last-serial":12,"name":"x"}` at the start of `bytes`, where `x` is a name and written without an escape.
#[inline]
pub(super) fn element<'a, 'b>(bytes: &'a [u8], buffer: &'b mut NameBuffer) -> Option<Element<'a, 'b>> {
    let rest = bytes.strip_prefix(b",{\"_last-serial\":")?;
    let (serial, rest) = rest.split_at_checked(digits(rest))?;
    // JSON knows no leading zeros.
    if matches!(serial, [] | [b'0', _, ..]) {
        return None;
    }
    let rest = rest.strip_prefix(b",\"name\":\"")?;
    let (name, length) = NameRef::before(b'"', rest, buffer)?;
    let (written, rest) = rest.split_at_checked(length)?;
    let rest = rest.strip_prefix(b"\"}")?;
    // An over-long element is for the strict reader to refuse.
    let length = bytes.len() - rest.len();
    (length <= super::MAX_ELEMENT).then_some(Element { name, written, length })
}

/// How many digits stand first. Eight at a time: one unforeseen jump instead of one a digit.
#[inline]
fn digits(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let mut length = 0;
    while let Some(eight) = bytes.get(length..).and_then(<[u8]>::first_chunk::<8>) {
        let value = u64::from_le_bytes(*eight) ^ (ONES * u64::from(b'0'));
        // A digit is below 10 now, so that adding 6 leaves its upper half empty.
        let stop = (value | value.wrapping_add(ONES * 6)) & (ONES * 0xf0);
        if stop != 0 {
            return length + stop.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + bytes.get(length..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::ProjectName;
    use crate::pypi::json::{Reader, document};

    /// What follows, so that a name can be seen at a glance.
    const NEXT: &str = r#",{"_last-serial":12,"name":"next"},{"_last-serial":12"#;

    fn read(text: &str) -> Option<(String, String, usize)> {
        let mut buffer = NameBuffer::default();
        let read = element(text.as_bytes(), &mut buffer)?;
        Some((read.name.to_string(), str::from_utf8(read.written).unwrap().to_owned(), read.length))
    }

    #[test]
    fn only_pypis_layout() {
        let usual = format!(r#",{{"_last-serial":12,"name":"A.b-1"}}{NEXT}"#);
        assert_eq!(read(&usual), Some(("a-b-1".to_owned(), "A.b-1".to_owned(), 35)));
        for other in [
            r#"{"_last-serial":12,"name":"a"}"#,
            r#", {"_last-serial":12,"name":"a"}"#,
            r#",{"_last-serial":012,"name":"a"}"#,
            r#",{"_last-serial":,"name":"a"}"#,
            r#",{"_last-serial":1.2,"name":"a"}"#,
            r#",{"_last-serial":12,"name":"\u0061"}"#,
            r#",{"_last-serial":12,"name":"a","x":1}"#,
            r#",{"_last-serial":12,"name":"a"#,
            r#",{"_last-serial":12,"name":"a-"}"#,
            ",{\"_last-serial\":12,\"name\":\"\u{e9}\"}",
        ] {
            assert_eq!(read(&format!("{other}{NEXT}")), None, "{other}");
        }
        assert_eq!(read(""), None);
        let long = format!(r#",{{"_last-serial":1{},"name":"a"}}{NEXT}"#, "0".repeat(super::super::MAX_ELEMENT));
        assert_eq!(read(&long), None);
    }

    #[test]
    fn digits_end_at_every_other_byte() {
        for length in 0..20 {
            for after in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
                let bytes = [&b"90123456789012345678"[..length], &[after], b"0\xff/:zzzzzz"].concat();
                assert_eq!(digits(&bytes), length, "{after}");
            }
            assert_eq!(digits(&b"90123456789012345678"[..length]), length);
        }
    }

    proptest! {
        #[test]
        fn the_strict_reader_reads_the_same(
            serial in "[0-9.e-]{0,4}",
            name in "[a-zA-Z0-9._\\\\\"\u{e9} -]{0,6}",
            after in "[,}\\] ]{0,3}",
        ) {
            let bytes = format!(r#",{{"_last-serial":{serial},"name":"{name}"}}{after}{NEXT}"#);
            if let Some((name, written, length)) = read(&bytes) {
                let value = document(&bytes.as_bytes()[1..length]).unwrap();
                let expected = value.get("name").unwrap().text().unwrap().decode_bytes().unwrap();
                prop_assert_eq!(&*expected, written.as_bytes());
                prop_assert_eq!(ProjectName::parse(&expected).unwrap().to_string(), name);
                let mut reader = Reader::new(&bytes.as_bytes()[1..]);
                reader.value().unwrap();
                prop_assert_eq!(reader.at(), length - 1);
            }
        }
    }
}
