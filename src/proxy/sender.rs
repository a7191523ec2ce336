//! A body that is sent piece by piece, and is whole only if its sender says so.
//!
//! A channel's sender that is dropped ends the body as if all had been said. Work is dropped in the middle, too: when it
//! panics, when the client of an upload has gone, when the proxy cuts off what runs. No reader may take that for the
//! whole.

use std::fmt;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::{self, Channel};

use super::body::{Body, BrokenOff};

/// Pieces that wait for a slow reader.
const WAITING: usize = 2;

/// Sends a body. Dropped before [`Sender::finish`], it breaks the body off.
pub(super) struct Sender(Option<channel::Sender<Bytes, BrokenOff>>);

/// A body, and who sends it.
pub(super) fn channel() -> (Sender, Body) {
    let (sender, body) = Channel::new(WAITING);
    (Sender(Some(sender)), body.boxed())
}

impl Sender {
    /// Sends a piece; `false` when the reader has gone.
    pub(super) async fn send(&mut self, piece: Bytes) -> bool {
        match &mut self.0 {
            Some(sender) => sender.send_data(piece).await.is_ok(),
            None => false,
        }
    }

    /// Ends the body: that was all.
    pub(super) fn finish(mut self) {
        self.0 = None;
    }

    /// Ends the body in the middle.
    pub(super) fn break_off(mut self, why: impl fmt::Display) {
        self.abort(why);
    }

    fn abort(&mut self, why: impl fmt::Display) {
        if let Some(sender) = self.0.take() {
            sender.abort(BrokenOff::new(why));
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.abort("its sender did not come to its end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body comes to when `end` has been done to its sender.
    async fn read(end: impl FnOnce(Sender)) -> Result<Bytes, String> {
        let (mut sender, body) = channel();
        assert!(sender.send(Bytes::from_static(b"piece")).await);
        end(sender);
        body.collect().await.map(|body| body.to_bytes()).map_err(|broken| broken.to_string())
    }

    #[tokio::test]
    async fn a_body_is_whole_only_if_its_sender_says_so() {
        assert_eq!(read(Sender::finish).await.unwrap(), "piece");
        assert_eq!(read(|sender| sender.break_off("refused")).await, Err("refused".to_owned()));
        assert!(read(drop).await.is_err());
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_noticed() {
        let (mut sender, body) = channel();
        drop(body);
        assert!(!sender.send(Bytes::from_static(b"piece")).await);
    }
}
