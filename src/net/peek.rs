//! Reads the first bytes that a client sends, and tells a TLS ClientHello (with its SNI) from anything else.

use bytes::BytesMut;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::hello::HANDSHAKE;
use crate::name::HostName;

/// The most bytes that a ClientHello may take. Post-quantum key shares make it larger than one segment, never this large.
const MAX_HELLO: usize = 64 * 1024;

/// What a client's first bytes are.
#[derive(Debug)]
pub struct FirstBytes {
    /// All that was read; belongs before the rest of the stream.
    pub bytes: BytesMut,
    /// What they are.
    pub protocol: FirstProtocol,
}

/// The protocol that a client's first bytes speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstProtocol {
    /// A whole ClientHello, with the server name that it asks for.
    Tls {
        /// The SNI; `None` when it is absent or no host name.
        server_name: Option<HostName>,
    },
    /// It began as TLS does, but is no ClientHello.
    BrokenTls,
    /// Anything else.
    Other,
    /// The client closed without a word.
    Nothing,
}

/// Reads from `stream` until the first bytes say what they are; `already` was read before.
/// Set a deadline around it: a ClientHello can come in as many pieces as its sender likes.
///
/// # Errors
/// The stream's.
pub async fn first_bytes(stream: &mut (impl AsyncRead + Unpin), already: &[u8]) -> std::io::Result<FirstBytes> {
    let mut acceptor = Acceptor::default();
    let mut bytes = BytesMut::from(already);
    let mut fed = 0;
    loop {
        if let Some(protocol) = judge(&mut acceptor, &bytes, &mut fed) {
            return Ok(FirstBytes { bytes, protocol });
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            let protocol = if bytes.is_empty() { FirstProtocol::Nothing } else { FirstProtocol::BrokenTls };
            return Ok(FirstBytes { bytes, protocol });
        }
    }
}

/// What the bytes are, or `None` if more are needed.
fn judge(acceptor: &mut Acceptor, bytes: &[u8], fed: &mut usize) -> Option<FirstProtocol> {
    match bytes.first() {
        None => return None,
        Some(&HANDSHAKE) => {}
        Some(_) => return Some(FirstProtocol::Other),
    }
    while let Some(mut new) = bytes.get(*fed..).filter(|new| !new.is_empty()) {
        match acceptor.read_tls(&mut new) {
            Ok(taken) if taken > 0 => *fed += taken,
            _ => return Some(FirstProtocol::BrokenTls),
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let server_name = accepted.client_hello().server_name().and_then(|name| name.parse().ok());
                return Some(FirstProtocol::Tls { server_name });
            }
            Err(_) => return Some(FirstProtocol::BrokenTls),
        }
    }
    (bytes.len() > MAX_HELLO).then_some(FirstProtocol::BrokenTls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::client_hello;

    fn tls(name: &str) -> FirstProtocol {
        FirstProtocol::Tls { server_name: name.parse().ok() }
    }

    #[tokio::test]
    async fn a_hello_is_read_in_any_pieces() {
        let hello = client_hello("pypi.org");
        for piece in [1, 3, 100, hello.len()] {
            let (mut client, mut server) = tokio::io::duplex(piece);
            let sent = hello.clone();
            let (_, first) = tokio::join!(
                async move { tokio::io::AsyncWriteExt::write_all(&mut client, &sent).await },
                first_bytes(&mut server, b"")
            );
            let first = first.unwrap();
            assert_eq!((first.protocol, &first.bytes[..]), (tls("pypi.org"), &hello[..]));
        }
    }

    #[tokio::test]
    async fn bytes_read_before_count() {
        let hello = client_hello("PyPI.org");
        let (early, late) = hello.split_at(40);
        assert_eq!(first_bytes(&mut &*late, early).await.unwrap().protocol, tls("pypi.org"));
    }

    #[tokio::test]
    async fn what_is_not_tls_is_told_at_the_first_byte() {
        assert_eq!(first_bytes(&mut &b"SSH-2.0-x"[..], b"").await.unwrap().protocol, FirstProtocol::Other);
        assert_eq!(first_bytes(&mut &b""[..], b"").await.unwrap().protocol, FirstProtocol::Nothing);
        assert_eq!(first_bytes(&mut &b"\x16\x03\x01"[..], b"").await.unwrap().protocol, FirstProtocol::BrokenTls);
        let garbage = [&b"\x16\x03\x01\x00\x05"[..], &[0xff; 9]].concat();
        assert_eq!(first_bytes(&mut &garbage[..], b"").await.unwrap().protocol, FirstProtocol::BrokenTls);
    }
}
