//! A body that fails when nothing comes for too long: a stalled origin server must not hold a client for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::body::BrokenOff;

/// `incoming`, with a limit on how long each piece may take.
#[derive(Debug)]
pub(super) struct Patient {
    incoming: Incoming,
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    armed: bool,
}

impl Patient {
    pub(super) fn new(incoming: Incoming, limit: Duration) -> Self {
        Self { incoming, limit, timer: Box::pin(sleep(limit)), armed: false }
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.armed = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(BrokenOff::new)));
        }
        // Counted only while we wait for upstream, not while a slow client takes its time.
        if !self.armed {
            self.armed = true;
            let deadline = Instant::now() + self.limit;
            self.timer.as_mut().reset(deadline);
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(BrokenOff::new("the upstream server stalled")))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
