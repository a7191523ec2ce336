//! A connection towards an origin server: TCP, or TLS to the parent proxy that it leads through.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::prefixed::Prefixed;
use crate::config::Parent;

/// The stream itself.
#[derive(Debug)]
pub enum Outward {
    /// To the server, or through a proxy in the clear.
    Tcp(TcpStream),
    /// Through a proxy that is spoken to over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// An open way to a server.
#[derive(Debug)]
pub struct Opened {
    /// The stream.
    pub stream: Outward,
    /// What was read of it already.
    pub early: Bytes,
    /// The server's address, where it is known: not behind a proxy that resolves names itself.
    pub reached: Option<IpAddr>,
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
            Outward::Tcp(tcp) => {
                let _said = tcp.peek(&mut [0]).await;
            }
            // Below TLS there may be bytes that say nothing: tickets come behind the handshake.
            Outward::Tls(tls) => {
                let mut said = BytesMut::new();
                let _length = tls.read_buf(&mut said).await;
                self.early = said.freeze();
            }
        }
    }

    /// The stream, with what was read of it before the rest.
    #[must_use]
    pub fn into_stream(self) -> Prefixed<Outward> {
        Prefixed::new(self.early, self.stream)
    }
}

impl AsyncRead for Outward {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Outward {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
