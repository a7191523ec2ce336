//! A body that fails when nothing comes for too long: neither a stalled origin server nor a stalled client must hold the other
//! for ever.

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
    /// What is said when it has been too long.
    stalled: &'static str,
    timer: Pin<Box<Sleep>>,
    armed: bool,
}

impl Patient {
    pub(super) fn new(incoming: Incoming, limit: Duration, stalled: &'static str) -> Self {
        Self { incoming, limit, stalled, timer: Box::pin(sleep(limit)), armed: false }
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
        // Counted only while we wait for a piece, not while a slow reader takes its time.
        if !self.armed {
            self.armed = true;
            let deadline = Instant::now() + self.limit;
            self.timer.as_mut().reset(deadline);
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(BrokenOff::new(self.stalled)))),
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use http_body_util::BodyExt;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt;

    use super::super::body::{empty, passed};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_body_never_comes_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
        let (begun, took) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let kept = Arc::clone(&took);
        let service = service_fn(move |request: Request<Incoming>| {
            let kept = Arc::clone(&kept);
            async move {
                let error = passed(request.into_body()).collect().await.unwrap_err();
                assert!(error.to_string().contains("the client has sent nothing for too long"), "{error}");
                kept.store(begun.elapsed().as_secs(), Ordering::Relaxed);
                Ok::<_, Infallible>(Response::new(empty()))
            }
        });
        let serving = http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let _ended = tokio::time::timeout(Duration::from_secs(600), serving).await;
        assert_eq!(took.load(Ordering::Relaxed), 60);
    }
}
