//! Asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).

use super::{ParentError, Talk, authorization};
use crate::config::Parent;
use crate::name::Authority;

/// The longest head of an answer.
const MAX_HEAD: usize = 32 * 1024;
/// Interim answers before the final one (RFC 9110 section 15.2).
const MAX_INTERIM: usize = 8;
/// As much of a reason phrase as is shown.
const MAX_REASON: usize = 80;

/// The head of an answer to CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The reason phrase, as far as it can be shown.
    pub reason: String,
}

pub(super) async fn open(talk: &mut Talk, parent: &Parent, to: &Authority, via: &str) -> Result<(), ParentError> {
    let mut head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nVia: {via}\r\n");
    if let Some(authorization) = authorization(parent) {
        head.push_str(&format!("Proxy-Authorization: {}\r\n", authorization.expose()));
    }
    head.push_str("\r\n");
    let mut answer = talk.ask(head.as_bytes(), reply).await?;
    for _ in 0..MAX_INTERIM {
        if !matches!(answer.status, 100..=199) {
            break;
        }
        answer = talk.hear(reply).await?;
    }
    match answer.status {
        200..=299 => Ok(()),
        407 if parent.credentials.is_none() => Err(ParentError::NoCredentials),
        407 => Err(ParentError::WrongCredentials),
        status => Err(ParentError::Refused { status, reason: answer.reason }),
    }
}

/// The head that `bytes` begin with, and its length; `None` while there is more to come.
///
/// # Errors
/// [`ParentError::Protocol`] if it is no HTTP/1 head, or too long.
pub fn reply(bytes: &[u8]) -> Result<Option<(Reply, usize)>, ParentError> {
    const NOT_HTTP: ParentError = ParentError::Protocol("HTTP/1");
    let begins = |start: &[u8]| bytes.iter().zip(start).all(|(byte, wanted)| byte == wanted);
    if !begins(b"HTTP/1.") {
        return Err(NOT_HTTP);
    }
    // RFC 9112 section 2.2: a lone LF may end a line.
    let ends = [&b"\r\n\r\n"[..], b"\n\n", b"\n\r\n"];
    let end = ends.iter().filter_map(|end| Some(memchr::memmem::find(bytes, end)? + end.len())).min();
    let Some(end) = end.filter(|end| *end <= MAX_HEAD) else {
        return if bytes.len() > MAX_HEAD {
            Err(ParentError::Protocol("as short as a head of HTTP is"))
        } else {
            Ok(None)
        };
    };
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = line.splitn(3, ' ');
    let _version = words.next();
    let digits = words.next().filter(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let status = digits.and_then(|digits| digits.parse().ok()).filter(|status| (100..=599).contains(status));
    let shown = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
    let reason = words.next().unwrap_or_default().chars().filter(shown).take(MAX_REASON).collect();
    Ok(Some((Reply { status: status.ok_or(NOT_HTTP)?, reason }, end)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_of_answers() {
        for (bytes, status, reason, rest) in [
            (&b"HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0"[..], 200, "Connection established", "SSH-2.0"),
            (b"HTTP/1.0 200 OK\r\nVia: x\r\nX: y\r\n\r\n", 200, "OK", ""),
            (b"HTTP/1.1 204\r\n\r\n\r\n\r\n", 204, "", "\r\n\r\n"),
            (b"HTTP/1.1 407 \n\n", 407, "", ""),
            (b"HTTP/1.1 503 \x1b[2J\xff gone\nA: b\n\r\nx", 503, "[2J gone", "x"),
        ] {
            let (reply, length) = reply(bytes).unwrap().unwrap();
            assert_eq!((reply.status, reply.reason.as_str()), (status, reason));
            assert_eq!(String::from_utf8_lossy(&bytes[length..]), rest);
        }
        for more in [&b""[..], b"HTTP", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\n\r"] {
            assert!(reply(more).unwrap().is_none(), "{more:?}");
        }
        for wrong in [&b"SSH-2.0"[..], b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 20\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n"] {
            assert!(reply(wrong).is_err(), "{wrong:?}");
        }
        let long = [b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'x'; MAX_HEAD]].concat();
        assert!(reply(&long).is_err());
    }

    proptest! {
        #[test]
        fn piece_by_piece_is_as_at_once(tail in "[HT/1.20 \r\n:x]{0,40}") {
            let bytes = [b"HTTP/1.1 200 ", tail.as_bytes()].concat();
            if let Ok(whole) = reply(&bytes) {
                let first = (0..=bytes.len()).find_map(|length| reply(&bytes[..length]).ok().flatten());
                prop_assert_eq!(first, whole);
            }
        }

        #[test]
        fn what_follows_the_head_changes_nothing(more in proptest::collection::vec(any::<u8>(), 0..64)) {
            let head = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n";
            let (reply, length) = reply(&[head, &more[..]].concat()).unwrap().unwrap();
            prop_assert_eq!((reply.status, length), (200, head.len()));
        }
    }
}
