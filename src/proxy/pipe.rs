//! A body that goes out while it is made. It is whole when its writer says so: a writer that is dropped, because of an
//! error, of a panic or of a cut-off task, leaves a body that broke off, never one that seems to have ended.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::body::{BrokenOff, within_patience};

/// What a reader gets.
#[derive(Debug)]
enum Piece {
    Data(Bytes),
    /// There is no more.
    End,
}

/// The end at which pieces go in.
#[derive(Debug)]
pub(super) struct Writer(mpsc::Sender<Piece>);

/// The end at which they come out.
#[derive(Debug)]
pub(super) struct Pipe {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

/// Why a piece did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Nobody reads any more.
    Gone,
    /// Nobody has read for too long: over HTTP/2 a reader that stalls on one stream stalls no connection.
    Stalled,
}

/// Pieces that wait for a slow reader.
const WAITING: usize = 2;

/// A body, and who writes it.
pub(super) fn pipe() -> (Writer, Pipe) {
    let (sender, pieces) = mpsc::channel(WAITING);
    (Writer(sender), Pipe { pieces, ended: false })
}

impl Writer {
    /// Puts a piece in, when there is room for it.
    pub(super) async fn send(&self, piece: impl Into<Bytes> + Send) -> Result<(), Unread> {
        let sent = within_patience(self.0.send(Piece::Data(piece.into()))).await.ok_or(Unread::Stalled)?;
        sent.map_err(|_closed| Unread::Gone)
    }

    /// Says that the body is whole.
    pub(super) async fn finish(self) {
        // A reader that knows the length has gone by now.
        let _read = within_patience(self.0.send(Piece::End)).await;
    }
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(cx));
        self.ended = !matches!(piece, Some(Piece::Data(_)));
        Poll::Ready(match piece {
            Some(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Piece::End) => None,
            None => Some(Err(BrokenOff::new("it was not written to its end"))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_is_finished_is_whole() {
        let (writer, body) = pipe();
        let writing = async {
            writer.send("ab").await.unwrap();
            writer.send("c").await.unwrap();
            writer.finish().await;
        };
        let (read, ()) = tokio::join!(body.collect(), writing);
        assert_eq!(read.unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn what_is_dropped_is_broken_off() {
        let (writer, mut body) = pipe();
        writer.send("ab").await.unwrap();
        drop(writer);
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_noticed() {
        let (writer, body) = pipe();
        drop(body);
        assert_eq!(writer.send("ab").await, Err(Unread::Gone));
        writer.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stalls_is_noticed() {
        let (writer, _body) = pipe();
        let mut sent = 0;
        let stopped = loop {
            match writer.send("ab").await {
                Ok(()) => sent += 1,
                Err(stopped) => break stopped,
            }
        };
        assert_eq!((sent, stopped), (WAITING, Unread::Stalled));
        writer.finish().await;
    }
}
