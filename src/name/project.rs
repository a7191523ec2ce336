//! The one normaliser: bytes become a PEP 503 normalized project name here, or nowhere.
//!
//! Whatever is not a name (control characters, non-ASCII, over-long, no letter or digit at an end) is refused before
//! any rule is asked: a gate that normalises one way while the origin server normalises another is no gate.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// The longest name that is looked at, in bytes. The longest on PyPI has 188.
pub const MAX_NAME: usize = 255;

/// A normalized project name (PEP 503): lower-case ASCII letters and digits, single dashes between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(Box<str>);

/// A borrowed [`ProjectName`]: what is judged on hot paths, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameRef<'a>(&'a str);

/// Room for one folded name, reused from name to name.
#[derive(Clone, Debug, Default)]
pub struct NameBuffer(String);

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
    /// Folds `raw` as PEP 503 says: lower case, each run of `.`, `_` and `-` one `-`. A name that is folded already is
    /// borrowed as it stands; otherwise `buffer` holds the result.
    ///
    /// # Errors
    /// [`InvalidName`] if PyPI could have no project of that name.
    pub fn fold(raw: &'a [u8], buffer: &'a mut NameBuffer) -> Result<Self, InvalidName> {
        let mut folded = true;
        let mut after_separator = true;
        for &byte in raw {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' => after_separator = false,
                b'A'..=b'Z' => {
                    after_separator = false;
                    folded = false;
                }
                b'-' | b'_' | b'.' => {
                    folded &= byte == b'-' && !after_separator;
                    after_separator = true;
                }
                other => return Err(InvalidName::Character(other)),
            }
        }
        match raw {
            [] => return Err(InvalidName::Empty),
            [b'-' | b'_' | b'.', ..] | [.., b'-' | b'_' | b'.'] => return Err(InvalidName::Edge),
            _ if raw.len() > MAX_NAME => return Err(InvalidName::TooLong),
            _ => {}
        }
        if folded && let Ok(name) = std::str::from_utf8(raw) {
            return Ok(Self(name));
        }
        let text = &mut buffer.0;
        text.clear();
        for &byte in raw {
            match byte {
                b'-' | b'_' | b'.' if text.ends_with('-') => {}
                b'-' | b'_' | b'.' => text.push('-'),
                _ => text.push(char::from(byte.to_ascii_lowercase())),
            }
        }
        Ok(Self(text))
    }

    /// The normalized name.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The same name, owned.
    #[must_use]
    pub fn to_owned(self) -> ProjectName {
        ProjectName(self.0.into())
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
        NameRef(&self.0)
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
        f.write_str(self.0)
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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

    proptest! {
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
