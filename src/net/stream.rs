//! One side of a tunnel: a bare socket, or one with something around it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A stream of bytes both ways.
pub enum Stream {
    /// Nothing but TCP: what is carried between two of these need not be copied.
    Tcp(TcpStream),
    /// Something more, such as TLS, over a socket.
    Layered(Box<dyn Layers>),
}

/// What a [`Stream`] may have around its socket.
pub trait Layers: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Layers for S {}

impl Stream {
    /// Puts `layers`, which lie over a socket, into one.
    pub fn layered(layers: impl Layers + 'static) -> Self {
        Self::Layered(Box::new(layers))
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::Tcp(tcp)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => f.debug_tuple("Tcp").field(tcp).finish(),
            Self::Layered(_) => f.debug_tuple("Layered").finish_non_exhaustive(),
        }
    }
}

/// Does `$call` with whatever is inside.
macro_rules! inside {
    ($stream:expr, $inner:ident => $call:expr) => {
        match &mut *$stream {
            Stream::Tcp(tcp) => {
                let $inner = Pin::new(tcp);
                $call
            }
            Stream::Layered(layers) => {
                let $inner = Pin::new(layers);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        inside!(self, inner => inner.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        inside!(self, inner => inner.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inside!(self, inner => inner.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::Layered(layers) => layers.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self, inner => inner.poll_shutdown(cx))
    }
}
