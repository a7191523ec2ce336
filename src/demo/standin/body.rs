//! Bodies for the stand-in's answers: whole, in pieces with pauses, or breaking off.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tokio::time::{Sleep, sleep};

/// What the stand-in's answers carry.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body at once, with a `Content-Length`.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body in pieces, `pause` before each, and without a `Content-Length` unless the answer sets one.
#[must_use]
pub fn pieces<B: Into<Bytes>>(pieces: impl IntoIterator<Item = B>, pause: Duration) -> Body {
    Pieces { pieces: pieces.into_iter().map(|piece| Ok(piece.into())).collect(), pause, waiting: None }.boxed_unsync()
}

/// A body that breaks off behind `bytes`: the connection is cut (HTTP/1.1) or the stream reset (HTTP/2).
#[must_use]
pub fn broken_after(bytes: impl Into<Bytes>) -> Body {
    let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "the stand-in breaks off here on purpose");
    // A pause, so that what went before is on the wire when the connection is cut.
    let pieces = VecDeque::from([Ok(bytes.into()), Err(cut)]);
    Pieces { pieces, pause: Duration::from_millis(20), waiting: None }.boxed_unsync()
}

struct Pieces {
    pieces: VecDeque<io::Result<Bytes>>,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.pieces.is_empty() {
            return Poll::Ready(None);
        }
        let pause = self.pause;
        ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(self.pieces.pop_front().map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_come_one_by_one_with_pauses() {
        let started = tokio::time::Instant::now();
        let body = pieces(["ab", "c"], Duration::from_millis(20)).collect().await.unwrap();
        assert_eq!(body.to_bytes(), "abc");
        assert!(started.elapsed() >= Duration::from_millis(40));
    }

    #[tokio::test]
    async fn a_broken_body_gives_its_bytes_and_then_an_error() {
        let mut body = broken_after("half");
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
        assert!(body.frame().await.unwrap().is_err());
    }
}
