//! Asks a SOCKS 5 proxy for a connection (RFC 1928), with a user and a password where it wants them (RFC 1929).

use std::net::IpAddr;

use super::{ParentError, Talk};
use crate::config::Parent;
use crate::name::Authority;

const VERSION: u8 = 5;
/// The version of the negotiation by user and password.
const BY_PASSWORD: u8 = 1;
const CONNECT: u8 = 1;

/// Ways to say who we are.
const NOBODY: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;

/// Why there is no connection, in the proxy's words (RFC 1928 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// 1.
    #[error("general failure")]
    General,
    /// 2.
    #[error("its rules don't allow the connection")]
    NotAllowed,
    /// 3.
    #[error("the network is unreachable")]
    NetworkUnreachable,
    /// 4.
    #[error("the host is unreachable, or its name has no address there")]
    HostUnreachable,
    /// 5.
    #[error("the destination refuses the connection")]
    Refused,
    /// 6.
    #[error("the destination did not answer in time")]
    TtlExpired,
    /// 7.
    #[error("it opens no connections")]
    CommandNotSupported,
    /// 8.
    #[error("it takes no such address; `socks5h://` sends names, `socks5://` addresses")]
    AddressNotSupported,
    /// Anything else.
    #[error("unknown failure {0}")]
    Unknown(u8),
}

pub(super) async fn open(talk: &mut Talk, parent: &Parent, to: &Authority) -> Result<(), ParentError> {
    let greeting: &[u8] =
        if parent.credentials.is_some() { &[VERSION, 2, NOBODY, PASSWORD] } else { &[VERSION, 1, NOBODY] };
    match talk.ask(greeting, |bytes| pair(bytes, VERSION)).await? {
        NOBODY => {}
        PASSWORD => {
            let question = credentials(parent)?;
            if talk.ask(&question, |bytes| pair(bytes, BY_PASSWORD)).await? != 0 {
                return Err(ParentError::WrongCredentials);
            }
        }
        NONE_ACCEPTABLE if parent.credentials.is_none() => return Err(ParentError::NoCredentials),
        NONE_ACCEPTABLE => return Err(ParentError::WrongCredentials),
        _ => return Err(ParentError::Protocol("one of the ways that we offered")),
    }
    talk.ask(&request(to), reply).await?.map_err(ParentError::Socks)
}

fn credentials(parent: &Parent) -> Result<Vec<u8>, ParentError> {
    let (user, password) = parent.credentials.as_ref().ok_or(ParentError::NoCredentials)?;
    let mut question = vec![BY_PASSWORD];
    for word in [user.as_str(), password.expose()] {
        let length = u8::try_from(word.len()).ok().filter(|length| *length > 0);
        question.push(length.ok_or(ParentError::UnsendableCredentials)?);
        question.extend_from_slice(word.as_bytes());
    }
    Ok(question)
}

/// An address goes as such, a name as it is.
fn request(to: &Authority) -> Vec<u8> {
    let mut question = vec![VERSION, CONNECT, 0];
    match to.host.ip() {
        Some(IpAddr::V4(address)) => {
            question.push(1);
            question.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            question.push(4);
            question.extend_from_slice(&address.octets());
        }
        None => {
            let name = to.host.as_str().as_bytes();
            // A host name has at most 253 bytes.
            question.extend([3, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
            question.extend_from_slice(name);
        }
    }
    question.extend_from_slice(&to.port.to_be_bytes());
    question
}

/// An answer of a version and one byte.
fn pair(bytes: &[u8], version: u8) -> Result<Option<(u8, usize)>, ParentError> {
    match bytes {
        [first, ..] if *first != version => Err(ParentError::Protocol("SOCKS 5")),
        [_, answer, ..] => Ok(Some((*answer, 2))),
        _ => Ok(None),
    }
}

/// Whether there is a connection.
pub type Outcome = Result<(), Failure>;

/// The answer that `bytes` begin with, and its length; `None` while there is more to come.
///
/// # Errors
/// [`ParentError::Protocol`] if it is no answer of SOCKS 5.
pub fn reply(bytes: &[u8]) -> Result<Option<(Outcome, usize)>, ParentError> {
    const NOT_SOCKS: ParentError = ParentError::Protocol("SOCKS 5");
    if bytes.first().is_some_and(|version| *version != VERSION) {
        return Err(NOT_SOCKS);
    }
    let outcome = match bytes.get(1) {
        None => return Ok(None),
        Some(0) => Ok(()),
        Some(1) => Err(Failure::General),
        Some(2) => Err(Failure::NotAllowed),
        Some(3) => Err(Failure::NetworkUnreachable),
        Some(4) => Err(Failure::HostUnreachable),
        Some(5) => Err(Failure::Refused),
        Some(6) => Err(Failure::TtlExpired),
        Some(7) => Err(Failure::CommandNotSupported),
        Some(8) => Err(Failure::AddressNotSupported),
        Some(other) => Err(Failure::Unknown(*other)),
    };
    if outcome.is_err() {
        // Nothing follows that we would read; some say no more than this.
        return Ok(Some((outcome, bytes.len())));
    }
    let address = match (bytes.get(3), bytes.get(4)) {
        (Some(1), _) => 4,
        (Some(4), _) => 16,
        (Some(3), Some(length)) => 1 + usize::from(*length),
        (Some(3) | None, _) => return Ok(None),
        (Some(_), _) => return Err(NOT_SOCKS),
    };
    let length = 4 + address + 2;
    Ok((bytes.len() >= length).then_some((outcome, length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn destinations_go_as_names_or_addresses() {
        let asked = |to: &str| request(&to.parse().unwrap());
        assert_eq!(asked("192.0.2.7:443"), [5, 1, 0, 1, 192, 0, 2, 7, 1, 187]);
        assert_eq!(asked("pypi.org:443"), *b"\x05\x01\x00\x03\x08pypi.org\x01\xbb");
        let six = asked("[2001:db8::7]:80");
        assert_eq!((six[3], six.len(), &six[20..]), (4, 22, &[0, 80][..]));
    }

    #[test]
    fn answers_end_where_they_end() {
        for (bytes, length) in [
            (&b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50SSH"[..], 10),
            (b"\x05\x00\x00\x03\x03abc\x00\x50SSH", 10),
            (b"\x05\x00\x00\x03\x00\x00\x50", 7),
            (b"\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x50SSH", 22),
        ] {
            let (outcome, found) = reply(bytes).unwrap().unwrap();
            assert_eq!((outcome, found), (Ok(()), length));
            for short in 0..length {
                assert!(reply(&bytes[..short]).unwrap().is_none(), "{short} of {bytes:?}");
            }
        }
        for wrong in [&b"HTTP"[..], b"\x04", b"\x05\x00\x00\x02\x00"] {
            assert!(reply(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn each_failure_has_words() {
        let words = |code| reply(&[5, code]).unwrap().unwrap().0.unwrap_err().to_string();
        let all: std::collections::BTreeSet<_> = (1..=9).map(words).collect();
        assert_eq!(all.len(), 9);
        assert!(words(2).contains("rules") && words(200).contains("200"));
    }

    proptest! {
        #[test]
        fn what_follows_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40), more: u8) {
            if let Ok(Some((Ok(()), length))) = reply(&bytes) {
                let with_more = reply(&[&bytes[..], &[more]].concat());
                prop_assert!(matches!(with_more, Ok(Some((Ok(()), again))) if again == length));
            }
        }
    }
}
