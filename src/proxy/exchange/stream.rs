//! An answer that goes out while it is filtered. Its head waits for the first piece, so that what can't be trusted from
//! the beginning is a 502; what goes wrong later is broken off, so that it is never taken for the whole.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::super::body::{Body, BodyError, LARGE, full, streamed};
use super::super::cache::Page;
use super::super::pipe::{Writer, pipe};
use super::super::reply;
use super::Exchange;
use crate::pypi::Malformed;
use crate::telemetry::Outcome;

/// What is sent at once. A short list that can't be trusted is seen whole, and refused, before any of it is out.
pub(super) const PIECE: usize = 16 * 1024;

/// Why an answer can't be passed on: a stable word, and what there is to say.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) detail: String,
}

/// Where the pieces of an answer go.
pub(super) struct Outlet {
    /// Until the client has gone: what it lacks then can't be made good.
    writer: Option<Writer>,
    /// Told once: that there is a first piece, and of which rules the head says that they hid something; or why there is
    /// none.
    started: Option<oneshot::Sender<Result<String, Failure>>>,
    rules: String,
}

impl Outlet {
    /// Sends a piece; `false` when the client has gone, or has not read on for too long.
    pub(super) async fn send(&mut self, piece: impl Into<Bytes> + Send) -> bool {
        self.start();
        let Some(writer) = &self.writer else { return false };
        let arrived = writer.send(piece).await.is_ok();
        if !arrived {
            self.writer = None;
        }
        arrived
    }

    /// Which rules the head is to name, if it has not gone yet.
    pub(super) fn name_rules(&mut self, rules: impl FnOnce() -> String) {
        if self.started.is_some() {
            self.rules = rules();
        }
    }

    fn start(&mut self) {
        if let Some(started) = self.started.take() {
            // Nobody waits for it when the client has gone.
            drop(started.send(Ok(std::mem::take(&mut self.rules))));
        }
    }

    async fn finish(mut self) {
        self.start();
        if let Some(writer) = self.writer {
            writer.finish().await;
        }
    }

    /// Ends without the end of the answer.
    fn fail(mut self, exchange: &Exchange, failure: Failure) {
        match self.started.take() {
            Some(started) => drop(started.send(Err(failure))),
            None => drop(exchange.fail(failure.reason, &failure.detail)),
        }
    }
}

/// Answers with what `work` sends, under `headers`.
pub(super) async fn answer<W>(
    exchange: Arc<Exchange>,
    headers: HeaderMap,
    work: impl FnOnce(Outlet) -> W,
) -> Response<Body>
where
    W: Future<Output = (Outlet, Result<(), Failure>)> + Send + 'static,
{
    let (started, first_piece) = oneshot::channel();
    let (writer, body) = pipe();
    let work = work(Outlet { writer: Some(writer), started: Some(started), rules: String::new() });
    let telling = Arc::clone(&exchange);
    exchange.shared.tasks.spawn(async move {
        let (outlet, outcome) = work.await;
        match outcome {
            Ok(()) => outlet.finish().await,
            Err(failure) => outlet.fail(&telling, failure),
        }
    });
    match first_piece.await {
        Ok(Ok(rules)) => {
            let mut response = Response::new(body.boxed());
            *response.headers_mut() = headers;
            if !rules.is_empty() {
                reply::mark(response.headers_mut(), Outcome::Filtered, Some(&rules));
            }
            response
        }
        Ok(Err(failure)) => exchange.fail(failure.reason, &failure.detail),
        Err(_cut_off) => exchange.fail("draining", "the proxy is stopping"),
    }
}

/// The body of a page, which may be large. A large one waits for room, and ends when its reader stops reading: a client
/// that asks for many pages and reads none would fill the memory with them. `None` if there is no room for it.
pub(super) async fn whole(exchange: &Exchange, page: &Page) -> Option<Body> {
    let mut body = page.body.clone();
    if body.len() <= LARGE {
        return Some(full(body));
    }
    let room = exchange.shared.rooms.take(body.len(), exchange.visit.client, &page.room).await?;
    let (writer, pipe) = pipe();
    exchange.shared.tasks.spawn(async move {
        while !body.is_empty() {
            let piece = body.split_to(LARGE.min(body.len()));
            if writer.send(piece).await.is_err() {
                return;
            }
        }
        writer.finish().await;
        drop(room);
    });
    Some(pipe.boxed())
}

/// An upstream's body, passed on piece by piece for as long as its reader reads.
pub(super) fn pumped(exchange: &Exchange, incoming: Incoming) -> Body {
    let (writer, pipe) = pipe();
    let mut incoming = streamed(incoming);
    exchange.shared.tasks.spawn(async move {
        while let Some(frame) = incoming.frame().await {
            // Trailers of a file say nothing; what broke off is never finished.
            let Ok(piece) = frame.map(|frame| frame.into_data().unwrap_or_default()) else { return };
            if writer.send(piece).await.is_err() {
                return;
            }
        }
        writer.finish().await;
    });
    pipe.boxed()
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self { reason: error.reason(), detail: error.to_string() }
    }
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self { reason: error.reason(), detail: error.to_string() }
    }
}
