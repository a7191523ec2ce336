//! Opens the way through a parent proxy: TLS to it where it wants that, then CONNECT or SOCKS 5, within one deadline.

pub mod connect;
pub mod socks;

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::stream::Stream;
use crate::config::{Parent, Scheme, Secret};
use crate::name::Authority;

/// How long a parent may take from the connection to the open way: it may have to resolve and to dial.
const OPEN: Duration = Duration::from_secs(15);

/// Why a parent proxy gives no way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParentError {
    /// The connection to it broke.
    #[error("the connection to it broke: {0}")]
    Lost(#[from] io::Error),
    /// It closed the connection before it had answered.
    #[error("it closed the connection before it had answered")]
    Closed,
    /// It is no TLS server that we could trust.
    #[error("the TLS handshake with it failed: {0}")]
    Tls(String),
    /// The deadline passed.
    #[error("it did not answer within {} s", OPEN.as_secs())]
    Timeout,
    /// It speaks another protocol.
    #[error("its answer is not {0}")]
    Protocol(&'static str),
    /// It wants to know who we are.
    #[error("it asks for a user and a password, and none are set")]
    NoCredentials,
    /// It knows us not.
    #[error("it refuses the user or the password")]
    WrongCredentials,
    /// What we have can't be sent by its protocol.
    #[error("user and password must have 1 to 255 bytes each for SOCKS")]
    UnsendableCredentials,
    /// It answers CONNECT with this status.
    #[error("it answers CONNECT with {status}{}{reason}", if reason.is_empty() { "" } else { " " })]
    Refused {
        /// The status.
        status: u16,
        /// In its words.
        reason: String,
    },
    /// It answers SOCKS with this failure.
    #[error("it says: {0}")]
    Socks(socks::Failure),
}

impl ParentError {
    /// Whether somebody took too long.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout | Self::Refused { status: 504, .. } | Self::Socks(socks::Failure::TtlExpired))
    }

    /// Whether the way leads back to where it began.
    #[must_use]
    pub const fn is_loop(&self) -> bool {
        matches!(self, Self::Refused { status: 508, .. })
    }
}

/// The value of `Proxy-Authorization` for an HTTP proxy (RFC 7617).
#[must_use]
pub fn authorization(parent: &Parent) -> Option<Secret> {
    let (user, password) = parent.credentials.as_ref()?;
    Some(Secret::basic(user, password.expose()))
}

/// What is opened at a parent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    /// A tunnel to `to`; an HTTP proxy is told `via` whom the request has come.
    Tunnel { to: &'a Authority, via: &'a str },
    /// Nothing yet: requests follow.
    Forward,
}

/// Opens `way` on a fresh connection to `parent`: the stream, and what was read of it too early.
pub(super) async fn open(
    parent: &Parent,
    tcp: TcpStream,
    tls: Option<&TlsConnector>,
    way: Way<'_>,
) -> Result<(Stream, Bytes), ParentError> {
    timeout(OPEN, open_at_leisure(parent, tcp, tls, way)).await.unwrap_or(Err(ParentError::Timeout))
}

async fn open_at_leisure(
    parent: &Parent,
    tcp: TcpStream,
    tls: Option<&TlsConnector>,
    way: Way<'_>,
) -> Result<(Stream, Bytes), ParentError> {
    let stream = if parent.scheme == Scheme::Https { encrypted(parent, tcp, tls).await? } else { Stream::Tcp(tcp) };
    let mut talk = Talk { stream, read: BytesMut::new() };
    match (way, parent.scheme) {
        (Way::Forward, _) => {}
        (Way::Tunnel { to, via }, Scheme::Http | Scheme::Https) => connect::open(&mut talk, parent, to, via).await?,
        (Way::Tunnel { to, .. }, Scheme::Socks5 | Scheme::Socks5h) => socks::open(&mut talk, parent, to).await?,
    }
    Ok((talk.stream, talk.read.freeze()))
}

async fn encrypted(parent: &Parent, tcp: TcpStream, tls: Option<&TlsConnector>) -> Result<Stream, ParentError> {
    let failed = |error: &dyn std::fmt::Display| ParentError::Tls(error.to_string());
    let connector = tls.ok_or_else(|| failed(&"nobody is trusted here"))?;
    let name = ServerName::try_from(parent.address.host.as_str().to_owned()).map_err(|error| failed(&error))?;
    let stream = connector.connect(name, tcp).await.map_err(|error| failed(&error))?;
    Ok(Stream::layered(stream))
}

/// Questions and answers on a connection; what is read beyond an answer is kept.
struct Talk {
    stream: Stream,
    read: BytesMut,
}

impl Talk {
    /// Sends `question`, and reads until `parse` finds an answer and how long it is.
    async fn ask<T>(
        &mut self,
        question: &[u8],
        parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, ParentError>,
    ) -> Result<T, ParentError> {
        self.stream.write_all(question).await?;
        self.stream.flush().await?;
        self.hear(parse).await
    }

    async fn hear<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, ParentError>,
    ) -> Result<T, ParentError> {
        loop {
            if let Some((answer, length)) = parse(&self.read)? {
                self.read.advance(length.min(self.read.len()));
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(ParentError::Closed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::net::testing::connected;

    fn parent(scheme: Scheme) -> Parent {
        let address = "proxy.example:1".parse().unwrap();
        let credentials = Some(("ann".to_owned(), Secret::new("s:cret")));
        Parent { scheme, address, credentials, named_by: "a test".to_owned() }
    }

    /// What comes of `answers`, whatever is asked; nothing more comes behind them.
    async fn opened(scheme: Scheme, answers: &[u8]) -> Result<(Stream, Bytes), ParentError> {
        let (near, mut far) = connected().await;
        far.write_all(answers).await.unwrap();
        let to = "pypi.org:443".parse().unwrap();
        let way = Way::Tunnel { to: &to, via: "1.1 namewall-0" };
        let outcome = open(&parent(scheme), near, None, way).await;
        drop(far);
        outcome
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_an_end() {
        for (scheme, answers) in [
            (Scheme::Http, &b""[..]),
            (Scheme::Http, b"HTTP/1.1 200 OK\r\n"),
            (Scheme::Http, b"HTTP/1.1 100 Continue\r\n\r\n"),
            (Scheme::Socks5h, b"\x05"),
            (Scheme::Socks5h, b"\x05\x00\x05\x00\x00\x03"),
        ] {
            let error = opened(scheme, answers).await.unwrap_err();
            assert!(error.is_timeout() && error.to_string().contains("15 s"), "{answers:?}: {error}");
        }
    }

    #[tokio::test]
    async fn what_is_read_too_early_is_kept() {
        let (_, early) = opened(Scheme::Http, b"HTTP/1.1 200 OK\r\n\r\nhello").await.unwrap();
        assert_eq!(&early[..], b"hello");
        let (_, early) = opened(Scheme::Socks5, b"\x05\x00\x05\x00\x00\x01\0\0\0\0\0\0hello").await.unwrap();
        assert_eq!(&early[..], b"hello");
    }

    #[tokio::test]
    async fn an_endless_head_is_refused() {
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(10_000)].concat();
        assert!(matches!(opened(Scheme::Http, &endless).await, Err(ParentError::Protocol(_))));
    }

    #[tokio::test]
    async fn without_trust_there_is_no_tls() {
        let error = opened(Scheme::Https, b"").await.unwrap_err();
        assert!(matches!(error, ParentError::Tls(_)), "{error}");
    }

    #[test]
    fn credentials_are_one_field() {
        let field = authorization(&parent(Scheme::Http)).unwrap();
        assert_eq!(field.expose(), "Basic YW5uOnM6Y3JldA==");
        assert_eq!(authorization(&Parent { credentials: None, ..parent(Scheme::Http) }), None);
        assert!(!format!("{:?}", Arc::new(parent(Scheme::Http))).contains("s:cret"));
    }
}
