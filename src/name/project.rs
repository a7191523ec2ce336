//! The one normaliser: bytes become a PEP 503 normalized project name here, or nowhere.
//!
//! Whatever is not a name (control characters, non-ASCII, over-long, no letter or digit at an end) is refused before
//! any rule is asked: a gate that normalises one way while the origin server normalises another is no gate.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// The longest name that is looked at, in bytes. The longest on PyPI has 188.
pub const MAX_NAME: usize = 255;

/// How much of a text is looked at in one step. Of PyPI's names, 97 % are shorter.
const GLANCE: usize = 32;

/// Where each byte of such a text stands.
const PLACES: [u8; GLANCE] = *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";

/// A normalized project name (PEP 503): lower-case ASCII letters and digits, single dashes between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(Box<str>);

/// A borrowed [`ProjectName`]: what is judged on hot paths, without an allocation.
///
/// Its bytes are ASCII. They are kept as bytes so that nobody has to prove it again for each of a million names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameRef<'a>(&'a [u8]);

/// Room for one folded name, reused from name to name.
#[derive(Clone, Debug)]
pub struct NameBuffer([u8; MAX_NAME]);

/// Why some bytes are not a project name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// There is nothing.
    #[error("a project name has at least one letter or digit")]
    Empty,
    /// More than [`MAX_NAME`] bytes.
    #[error("a project name has at most {MAX_NAME} characters")]
    TooLong,
    /// A byte that no project name has.
    #[error("a project name is made of ASCII letters, digits, `.`, `_` and `-`, not {}", Shown(*.0))]
    Character(u8),
    /// A separator at an end.
    #[error("a project name begins and ends with a letter or a digit")]
    Edge,
}

struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            byte @ 0x21..=0x7e => write!(f, "`{}`", char::from(byte)),
            b' ' => f.write_str("a space"),
            byte @ 0x80.. => write!(f, "the non-ASCII byte 0x{byte:02x}"),
            byte => write!(f, "the control character 0x{byte:02x}"),
        }
    }
}

impl<'a> NameRef<'a> {
    /// Folds `raw` as PEP 503 says: lower case, each run of `.`, `_` and `-` one `-`. `buffer` holds the result.
    ///
    /// # Errors
    /// [`InvalidName`] if PyPI could have no project of that name.
    pub fn fold(raw: &[u8], buffer: &'a mut NameBuffer) -> Result<Self, InvalidName> {
        let (mut length, mut after_separator) = (0, false);
        for &byte in raw {
            let folded = match folded(byte) {
                0 => return Err(InvalidName::Character(byte)),
                folded => folded,
            };
            // What follows the same separator takes its place; what finds no room is refused below.
            length -= usize::from(after_separator && folded == b'-');
            if let Some(slot) = buffer.0.get_mut(length) {
                *slot = folded;
            }
            length += 1;
            after_separator = folded == b'-';
        }
        match raw {
            [] => Err(InvalidName::Empty),
            [b'-' | b'_' | b'.', ..] | [.., b'-' | b'_' | b'.'] => Err(InvalidName::Edge),
            _ if raw.len() > MAX_NAME => Err(InvalidName::TooLong),
            _ => buffer.0.get(..length).map(Self).ok_or(InvalidName::TooLong),
        }
    }

    /// Folds what stands before the first `end` in `bytes`, and gives its length, too; `None` if that is no name. `end` is
    /// a byte that stands in none.
    #[inline]
    pub(crate) fn before(end: u8, bytes: &[u8], buffer: &'a mut NameBuffer) -> Option<(Self, usize)> {
        if let Some(length) = buffer.glance(end, bytes) {
            return buffer.0.get(..length).map(|folded| (Self(folded), length));
        }
        let length = memchr::memchr(end, bytes)?;
        Self::fold(bytes.get(..length)?, buffer).ok().map(|name| (name, length))
    }

    /// The normalized name.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        // Of ASCII the other case never is.
        if let Ok(name) = str::from_utf8(self.0) { name } else { "" }
    }

    /// The normalized name, as ASCII.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The same name, owned.
    #[must_use]
    pub fn to_owned(self) -> ProjectName {
        ProjectName(self.as_str().into())
    }
}

impl NameBuffer {
    /// Folds the name that stands before the first `end` in `bytes`, and gives its length, if all of it can be seen at a
    /// glance: it has less than [`GLANCE`] bytes and no run of separators, and as many bytes are at hand.
    ///
    /// Each byte is looked at on its own and none ends the loop, so that it is compiled to a handful of vector
    /// instructions: for a list of a million names, a loop that ends in an unforeseen place costs more than the folding.
    #[inline]
    fn glance(&mut self, end: u8, bytes: &[u8]) -> Option<usize> {
        let (window, following) = (bytes.first_chunk::<GLANCE>()?, bytes.get(1..)?.first_chunk::<GLANCE>()?);
        let room = self.0.first_chunk_mut::<GLANCE>()?;
        let mut stops = [0; GLANCE];
        for ((((slot, stop), byte), next), place) in
            room.iter_mut().zip(&mut stops).zip(window).zip(following).zip(&PLACES)
        {
            *slot = folded(*byte);
            let goes_on = mask(is_alphanumeric(*byte)) | mask(is_separator(*byte) & is_alphanumeric(*next));
            *stop = goes_on | place;
        }
        let length = usize::from(stops.iter().fold(u8::MAX, |least, stop| least.min(*stop)));
        let begins_well = length > 0 && room.first() != Some(&b'-');
        (begins_well && *window.get(length)? == end).then_some(length)
    }
}

/// What `byte` becomes in a normalized name; 0 if it stands in none. Without a jump, see [`NameBuffer::glance`].
#[inline]
const fn folded(byte: u8) -> u8 {
    mask(is_letter(byte)) & (byte | 0x20) | mask(is_digit(byte)) & byte | mask(is_separator(byte)) & b'-'
}

#[inline]
const fn is_alphanumeric(byte: u8) -> bool {
    is_letter(byte) | is_digit(byte)
}

#[inline]
const fn is_letter(byte: u8) -> bool {
    (byte | 0x20).wrapping_sub(b'a') < 26
}

#[inline]
const fn is_digit(byte: u8) -> bool {
    byte.wrapping_sub(b'0') < 10
}

#[inline]
const fn is_separator(byte: u8) -> bool {
    (byte == b'-') | (byte == b'.') | (byte == b'_')
}

/// All bits, or none.
#[inline]
const fn mask(all: bool) -> u8 {
    (all as u8).wrapping_neg()
}

impl Default for NameBuffer {
    fn default() -> Self {
        Self([0; MAX_NAME])
    }
}

impl ProjectName {
    /// Folds `raw` into a name of its own.
    ///
    /// # Errors
    /// As [`NameRef::fold`].
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, InvalidName> {
        NameRef::fold(raw.as_ref(), &mut NameBuffer::default()).map(NameRef::to_owned)
    }

    /// The normalized name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same name, borrowed.
    #[must_use]
    pub fn as_name(&self) -> NameRef<'_> {
        NameRef(self.0.as_bytes())
    }
}

impl FromStr for ProjectName {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Self::parse(raw)
    }
}

impl Borrow<str> for ProjectName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fold(raw: &str) -> Result<String, InvalidName> {
        ProjectName::parse(raw).map(|name| name.to_string())
    }

    #[test]
    fn pep_503_table() {
        // The examples of PEP 503 and of the names specification.
        for raw in [
            "friendly-bard",
            "Friendly-Bard",
            "FRIENDLY-BARD",
            "friendly.bard",
            "friendly_bard",
            "friendly--bard",
            "FrIeNdLy-._.-bArD",
        ] {
            assert_eq!(fold(raw).as_deref(), Ok("friendly-bard"), "{raw}");
        }
        assert_eq!(fold("A").as_deref(), Ok("a"));
        assert_eq!(fold("0-0-1").as_deref(), Ok("0-0-1"));
        assert_eq!(fold("zope.interface").as_deref(), Ok("zope-interface"));
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for (raw, why) in [
            ("", InvalidName::Empty),
            ("-acme", InvalidName::Edge),
            ("acme_", InvalidName::Edge),
            (".", InvalidName::Edge),
            ("acme\n", InvalidName::Character(b'\n')),
            ("ac\0me", InvalidName::Character(0)),
            ("ac me", InvalidName::Character(b' ')),
            ("acme/core", InvalidName::Character(b'/')),
            ("\u{212a}eras", InvalidName::Character(0xe2)),
        ] {
            assert_eq!(fold(raw), Err(why), "{raw:?}");
        }
        assert_eq!(fold(&"a".repeat(MAX_NAME + 1)), Err(InvalidName::TooLong));
        assert!(fold(&"a".repeat(MAX_NAME)).is_ok());
    }

    #[test]
    fn what_stands_before_a_quote() {
        let after = "\"},{\"name\":\"and what follows after it\"},";
        for name in ["a", "Zope.Interface_0-9", &"a".repeat(31), &"a".repeat(32), "a--b", "a._b", &"a".repeat(MAX_NAME)]
        {
            for text in [format!("{name}{after}"), format!("{name}\"")] {
                let mut buffer = NameBuffer::default();
                let (folded, length) = NameRef::before(b'"', text.as_bytes(), &mut buffer).unwrap();
                assert_eq!((folded.to_owned(), length), (ProjectName::parse(name).unwrap(), name.len()));
            }
        }
        for other in ["", "-a", "a-", "a b", "a\\u0062", "a\0", "\u{e9}", "a'", &"a".repeat(MAX_NAME + 1)] {
            let text = format!("{other}{after}");
            assert_eq!(NameRef::before(b'"', text.as_bytes(), &mut NameBuffer::default()), None, "{other}");
        }
        for short in [10, 64] {
            assert_eq!(NameRef::before(b'"', "a".repeat(short).as_bytes(), &mut NameBuffer::default()), None);
        }
    }

    proptest! {
        #[test]
        fn a_glance_sees_what_folding_says(
            text in "(([A-Za-z0-9]{1,9}[._-]{0,2}){0,5}|[ -~\u{e9}]{0,9})\"[ -~]{0,3}( {32})?",
        ) {
            let (name, _) = text.split_once('"').unwrap();
            let mut buffer = NameBuffer::default();
            let seen = NameRef::before(b'"', text.as_bytes(), &mut buffer);
            let expected = ProjectName::parse(name).ok().map(|folded| (folded, name.len()));
            prop_assert_eq!(seen.map(|(folded, length)| (folded.to_owned(), length)), expected);
        }

        #[test]
        fn a_glance_at_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80), end: u8) {
            let mut buffer = NameBuffer::default();
            if let Some(length) = buffer.glance(end, &bytes) {
                let name = NameRef::fold(&bytes[..length], &mut buffer).unwrap().to_owned();
                prop_assert_eq!(bytes[length], end);
                prop_assert_eq!(buffer.glance(end, &bytes), Some(length));
                prop_assert_eq!(name.as_str().as_bytes(), &buffer.0[..length]);
            }
        }

        #[test]
        fn folding_is_what_the_pep_says(raw in "[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?") {
            let reference = regex::Regex::new("[-_.]+").unwrap().replace_all(&raw, "-").to_lowercase();
            prop_assert_eq!(fold(&raw).unwrap(), reference);
        }

        #[test]
        fn folding_twice_changes_nothing(raw in "[A-Za-z0-9._-]{1,40}") {
            if let Ok(once) = fold(&raw) {
                prop_assert_eq!(fold(&once).unwrap(), once);
            }
        }

        #[test]
        fn any_bytes_are_judged_without_a_panic(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _judged = ProjectName::parse(&raw);
        }
    }
}
