//! An open way to an origin server, directly or through a parent proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::prefixed::Prefixed;
use super::stream::Stream;
use crate::config::Parent;

/// An open way to a server.
#[derive(Debug)]
pub struct Opened {
    /// The stream.
    pub stream: Stream,
    /// What was read of it already.
    pub early: Bytes,
    /// The server's address, where it is known: not behind a proxy that resolves names itself.
    pub reached: Option<IpAddr>,
    /// Our own end of the connection.
    pub own: Option<SocketAddr>,
    /// The proxy that it leads through.
    pub parent: Option<Arc<Parent>>,
    /// Whether requests are to be sent to that proxy, which sends them on: there is no tunnel.
    pub forwards: bool,
}

impl Opened {
    /// Waits until the server has said something, or has closed.
    pub async fn speaks(&mut self) {
        if !self.early.is_empty() {
            return;
        }
        match &mut self.stream {
            // Not `readable`: after the answer of a proxy it may be so from before.
            Stream::Tcp(tcp) => {
                let _said = tcp.peek(&mut [0]).await;
            }
            // Below TLS there may be bytes that say nothing: tickets come behind the handshake.
            Stream::Layered(tls) => {
                let mut said = BytesMut::new();
                let _length = tls.read_buf(&mut said).await;
                self.early = said.freeze();
            }
        }
    }

    /// The stream, with what was read of it before the rest.
    #[must_use]
    pub fn into_stream(self) -> Prefixed<Stream> {
        Prefixed::new(self.early, self.stream)
    }
}
