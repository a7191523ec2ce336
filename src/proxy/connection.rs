//! One client's HTTP connection, whatever is spoken on it: its limits, and how it ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::config::Limits;
use crate::tasks::Tasks;

/// How long the first request of a connection is waited for while the proxy drains.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// `PRI * HTTP/2.0`, and what belongs to it.
const H2_PREFACE: usize = 24;
/// Streams that a client may open and take back before they are looked at, and that may be broken off for its mistakes, on
/// one connection: more is an attack (CVE-2023-44487, CVE-2025-8671).
const RESETS: usize = 64;

pub(super) fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(limits.head_size);
    builder
}

/// The first bytes of an HTTP/2 connection, at least its preface (RFC 9113 section 3.4).
pub(super) async fn read_preface(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<BytesMut> {
    let mut bytes = BytesMut::new();
    while bytes.len() < H2_PREFACE {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(bytes)
}

pub(super) fn http2_builder(tasks: &Tasks, limits: &Limits) -> http2::Builder<Tasks> {
    let mut builder = http2::Builder::new(tasks.clone());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_send_buf_size(1024 * 1024)
        .keep_alive_interval(limits.idle)
        .keep_alive_timeout(limits.opening);
    builder
}

/// How many requests have come on a connection, and how many are under way.
#[derive(Debug)]
pub(super) struct Progress {
    count: AtomicU64,
    most: u64,
    enough: Notify,
    /// Only counted over HTTP/2: see [`UnderWay`].
    under_way: AtomicU64,
    began: Instant,
    /// When the last request ended, in milliseconds after `began`.
    rested: AtomicU64,
}

/// A request under way, until its answer has ended or nobody wants it any more.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Progress>);

impl Progress {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            count: AtomicU64::new(0),
            most: limits.requests_per_connection,
            enough: Notify::new(),
            under_way: AtomicU64::new(0),
            began: Instant::now(),
            rested: AtomicU64::new(0),
        }
    }

    /// Counts a request; whether it is the last one.
    pub(super) fn another(&self) -> bool {
        let is_last = self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.most;
        if is_last {
            self.enough.notify_one();
        }
        is_last
    }

    fn has_begun(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Completes when no request has been under way for as long as `limit`, from now on at the earliest; never without one.
    async fn idles(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        let now = self.began.elapsed();
        loop {
            // Looking again when it can be is cheaper than a timer that is reset by every request.
            let left = if self.under_way.load(Ordering::Acquire) > 0 {
                limit
            } else {
                let rested = now.max(Duration::from_millis(self.rested.load(Ordering::Relaxed)));
                limit.saturating_sub(self.began.elapsed().saturating_sub(rested))
            };
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

impl UnderWay {
    pub(super) fn begin(progress: &Arc<Progress>) -> Self {
        progress.under_way.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(progress))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.rested.store(now, Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Release);
    }
}

/// Drives a connection to its end; once the proxy drains, or enough requests have come, to the end of those that run. One
/// of which no request has come yet gets a moment for its first: whoever has just been let in is not turned away. One on
/// which no request is under way for as long as `idle` ends, too; `None` if its client doesn't let it.
pub(super) async fn drained<C: Future>(
    connection: C,
    tasks: &Tasks,
    progress: &Progress,
    idle: Option<Duration>,
    shut_down: impl FnOnce(Pin<&mut C>),
) -> Option<C::Output> {
    let mut connection = std::pin::pin!(connection);
    let is_idle = tokio::select! {
        // What has come is read before: hyper closes what it has read nothing of.
        biased;
        outcome = connection.as_mut() => return Some(outcome),
        () = tasks.draining() => false,
        () = progress.enough.notified() => false,
        () = progress.idles(idle) => true,
    };
    if is_idle {
        shut_down(connection.as_mut());
        // A request that has crossed our farewell is still answered.
        return tokio::select! {
            biased;
            outcome = connection.as_mut() => Some(outcome),
            () = progress.idles(idle) => None,
        };
    }
    if !progress.has_begun()
        && let Ok(outcome) = timeout(FIRST_REQUEST, connection.as_mut()).await
    {
        return Some(outcome);
    }
    shut_down(connection.as_mut());
    Some(connection.await)
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}
