//! The list of all projects: fifty megabytes of JSON filtered as a stream, in constant memory.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::super::body::{Body, BodyError, BrokenOff, Decoded, empty};
use super::super::judge::PolicyJudge;
use super::Exchange;
use super::pages::{self, record_hits};
use super::plan::{Plan, content_type};
use crate::pypi::Malformed;
use crate::pypi::negotiate::Representation;
use crate::pypi::root::RootFilter;
use crate::telemetry::Outcome;

/// What is sent at once. A short list that can't be trusted is seen whole, and refused, before any of it is out.
const PIECE: usize = 16 * 1024;

/// Pieces that wait for a slow client.
const WAITING: usize = 2;

/// Why the list can't be passed on.
#[derive(Debug, thiserror::Error)]
enum RootError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Page(#[from] Malformed),
}

impl RootError {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Body(error) => error.reason(),
            Self::Page(error) => error.reason(),
        }
    }
}

/// Answers the root list.
pub(super) async fn answer(exchange: Arc<Exchange>) -> Response<Body> {
    let plan = Plan::new(&exchange);
    let upstream = match plan.fetch(&exchange).await {
        Ok(response) => response,
        Err(answer) => return *answer,
    };
    match Representation::of_response(content_type(upstream.headers())) {
        Ok(Representation::Json) => stream(exchange, plan, upstream).await,
        // Only a host that has no JSON sends HTML; its list is read whole.
        Ok(_html) => pages::answer_with(exchange, plan, upstream).await,
        Err(malformed) => exchange.fail(malformed.reason(), &malformed.to_string()),
    }
}

async fn stream(exchange: Arc<Exchange>, plan: Plan, upstream: Response<Incoming>) -> Response<Body> {
    let mut headers = plan.page_headers(upstream.headers());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(plan.wanted.content_type()));
    if exchange.is_head() {
        // Its length is known to nobody before it is filtered.
        return with_headers(empty(), headers);
    }
    let (started, first_piece) = oneshot::channel();
    let (sender, body) = Channel::new(WAITING);
    let streaming = Streaming { exchange: Arc::clone(&exchange), plan, sender };
    exchange.shared.tasks.spawn(streaming.run(upstream, started));
    // The head waits for the first filtered piece, so that a page that is none still becomes a 502.
    match first_piece.await {
        Ok(Ok(())) => with_headers(body.boxed(), headers),
        Ok(Err(error)) => exchange.fail(error.reason(), &error.to_string()),
        Err(_cut_off) => exchange.fail("draining", "the proxy is stopping"),
    }
}

fn with_headers(body: Body, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// One list on its way to one client.
struct Streaming {
    exchange: Arc<Exchange>,
    plan: Plan,
    sender: Sender<Bytes, BrokenOff>,
}

/// Told once: that there is a first piece, or why there is none.
type Started = oneshot::Sender<Result<(), RootError>>;

impl Streaming {
    async fn run(mut self, upstream: Response<Incoming>, started: Started) {
        let mut started = Some(started);
        if let Err(error) = self.stream(upstream, &mut started).await {
            match started.take() {
                // Nobody waits for it when the client has gone.
                Some(started) => drop(started.send(Err(error))),
                // A part of the list is out: broken off, it can't be taken for the whole.
                None => {
                    let _answered = self.exchange.fail(error.reason(), &error.to_string());
                    self.sender.abort(BrokenOff::new(error));
                }
            }
        }
    }

    async fn stream(&mut self, upstream: Response<Incoming>, started: &mut Option<Started>) -> Result<(), RootError> {
        let (parts, body) = upstream.into_parts();
        let mut filter = RootFilter::new(self.plan.wanted);
        let mut decoded = Decoded::new(&parts.headers, body).await?;
        let policy = Arc::clone(&self.exchange.policy);
        let mut judge = PolicyJudge::new(&policy);
        let (mut piece, mut filtered) = (Vec::new(), Vec::with_capacity(PIECE));
        loop {
            decoded.next(&mut piece).await?;
            if piece.is_empty() {
                filter.finish(&mut judge, &mut filtered)?;
            } else {
                filter.push(&piece, &mut judge, &mut filtered)?;
            }
            if filtered.len() >= PIECE || piece.is_empty() {
                let out = std::mem::replace(&mut filtered, Vec::with_capacity(PIECE));
                if let Some(started) = started.take() {
                    drop(started.send(Ok(())));
                }
                if self.sender.send_data(out.into()).await.is_err() {
                    // The client has gone; what was hidden from it doesn't count.
                    return Ok(());
                }
            }
            if piece.is_empty() {
                record_hits(&self.exchange, judge.hits(), Outcome::Filtered, StatusCode::OK);
                return Ok(());
            }
        }
    }
}
