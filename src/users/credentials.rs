//! Reads a `Proxy-Authorization` field: the name and the password of HTTP's basic authentication (RFC 7617).

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The longest name and password together.
const LONGEST: usize = 4096;

/// Some clients leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client says of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// A field that says no name and password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Proxy-Authorization field holds no name and password of Basic authentication")]
pub struct Malformed;

impl Credentials {
    /// Reads the value of a field.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(field: &[u8]) -> Result<Self, Malformed> {
        let field = field.trim_ascii();
        let scheme = field.split_at_checked(6).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"basic "));
        let (_, token) = scheme.ok_or(Malformed)?;
        let token = token.trim_ascii();
        if token.len() > LONGEST * 4 / 3 + 4 {
            return Err(Malformed);
        }
        let bytes = LENIENT.decode(token).map_err(|_unhelpful| Malformed)?;
        // UTF-8, as our challenge asks for. pip (requests) writes Latin-1 whatever it is asked for, and hardly anything in
        // that is UTF-8, too.
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
        // At the first colon: a password may have more of them, a name has none.
        let (name, password) = text.split_once(':').ok_or(Malformed)?;
        if text.chars().any(char::is_control) {
            return Err(Malformed);
        }
        Ok(Self { name: name.to_owned(), password: password.to_owned() })
    }
}

// Of the password not even its length.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn basic(bytes: impl AsRef<[u8]>) -> Result<(String, String), Malformed> {
        let field = format!("Basic {}", BASE64_STANDARD.encode(bytes));
        Credentials::parse(field.as_bytes()).map(|found| (found.name, found.password))
    }

    fn both(name: &str, password: &str) -> Result<(String, String), Malformed> {
        Ok((name.to_owned(), password.to_owned()))
    }

    #[test]
    fn a_name_and_a_password() {
        assert_eq!(basic("ci:secret"), both("ci", "secret"));
        assert_eq!(basic("ci:a:b:"), both("ci", "a:b:"));
        assert_eq!(basic(":"), both("", ""));
        assert_eq!(basic("j\u{fc}rgen:p\u{e4}\u{20ac}"), both("j\u{fc}rgen", "p\u{e4}\u{20ac}"));
        assert_eq!(basic(b"j\xfcrgen:p\xe4"), both("j\u{fc}rgen", "p\u{e4}"));
        // RFC 7617 section 2.1.
        assert_eq!(Credentials::parse(b"Basic dGVzdDoxMjPCow==").unwrap().password, "123\u{a3}");
        for spelling in ["basic Y2k6eA==", "BASIC  Y2k6eA== ", "Basic Y2k6eA"] {
            assert_eq!(Credentials::parse(spelling.as_bytes()).unwrap().name, "ci", "{spelling}");
        }
    }

    #[test]
    fn whatever_else_is_none() {
        for field in ["", "Basic", "Basic ", "Basic Y2k", "Basic !", "Bearer Y2k6eA==", "BasicY2k6eA==", "Negotiate"] {
            assert_eq!(Credentials::parse(field.as_bytes()), Err(Malformed), "{field}");
        }
        assert_eq!(basic("ci:a\nb"), Err(Malformed));
        assert_eq!(basic(format!("ci:{}", "a".repeat(5000))), Err(Malformed));
        assert!(!format!("{:?}", Credentials::parse(b"Basic Y2k6c2VjcmV0").unwrap()).contains("secret"));
    }
}
