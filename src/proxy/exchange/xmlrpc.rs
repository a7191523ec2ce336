//! XML-RPC: the three calls of mirrors are written anew, both ways, and their answers filtered; all others are a fault.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, REFERER};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::super::body::{Body, BodyError, Decoded, full, within_patience};
use super::super::judge::PolicyJudge;
use super::super::reply;
use super::Exchange;
use super::plan::{content_type, without_page};
use super::stream::{self, Failure, Outlet, PIECE};
use super::tell::Told;
use super::tell::{fired, hiding_rules};
use crate::pypi::negotiate::expect;
use crate::pypi::upload::is_multipart_form;
use crate::pypi::xmlrpc::{Call, ResponseError, filter_response};
use crate::telemetry::Outcome;

/// The longest call. Those that pass have some hundred bytes.
const MAX_CALL: usize = 64 * 1024;

/// What is said to whoever doesn't send XML, as PyPI's endpoint asks for.
const NO_CALL: &str = "namewall passes nothing but XML-RPC calls (text/xml) to this address.";

/// What is said to whoever sends half a call, or too much of one.
const CUT_OFF: &str = "namewall could not read the whole call: it broke off, or has more than 64 KiB.";

/// Answers a call.
pub(super) async fn answer(exchange: Arc<Exchange>, body: &mut Option<Incoming>) -> Response<Body> {
    let call = match read(&exchange, body).await {
        Ok(call) => call,
        Err(why) => {
            exchange.tell(&Told::new(Outcome::Refused, StatusCode::OK));
            return reply::xml_rpc_fault(&why);
        }
    };
    let mut headers = exchange.bodiless_headers();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/xml"));
    headers.remove(REFERER);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    // An answer blocks a thread, however slowly it is read.
    let place = Arc::clone(&exchange.shared.calls).acquire_owned().await;
    let upstream = match exchange.ask(Method::POST, headers, full(call.render())).await {
        Ok(response) => response,
        Err(error) => return exchange.fail_upstream(&error),
    };
    if upstream.status() != StatusCode::OK {
        return without_page(&exchange, upstream).await;
    }
    if let Err(malformed) = expect(content_type(upstream.headers()), &["text/xml", "application/xml"]) {
        return exchange.fail(malformed.reason(), &malformed.to_string());
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let working = Arc::clone(&exchange);
    stream::answer(exchange, headers, move |outlet| async move {
        let filtered = filter(working, call, upstream, outlet).await;
        drop(place);
        filtered
    })
    .await
}

/// The call, or why it may not pass.
async fn read(exchange: &Exchange, body: &mut Option<Incoming>) -> Result<Call, String> {
    let content_type = content_type(&exchange.headers).unwrap_or_default();
    // As PyPI's router has it: whatever begins so.
    if exchange.method != Method::POST || !content_type.starts_with("text/xml") || is_multipart_form(content_type) {
        return Err(NO_CALL.to_owned());
    }
    let Some(body) = body.take() else { return Err(NO_CALL.to_owned()) };
    match within_patience(Limited::new(body, MAX_CALL).collect()).await {
        Some(Ok(body)) => Call::parse(&body.to_bytes()).map_err(|denied| denied.to_string()),
        Some(Err(_)) | None => Err(CUT_OFF.to_owned()),
    }
}

/// Filters an answer on a thread of its own: the reader of XML pulls, and eighty megabytes take it a while.
async fn filter(
    exchange: Arc<Exchange>,
    call: Call,
    upstream: Response<Incoming>,
    outlet: Outlet,
) -> (Outlet, Result<(), Failure>) {
    let (parts, body) = upstream.into_parts();
    let decoded = match Decoded::new(&parts.headers, body).await {
        Ok(decoded) => decoded,
        Err(error) => return (outlet, Err(error.into())),
    };
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let input = Input { decoded, runtime: runtime.clone(), rest: Bytes::new() };
        let input = BufReader::with_capacity(PIECE, input);
        let mut output = Pieces { outlet, runtime, piece: Vec::with_capacity(PIECE) };
        let policy = Arc::clone(&exchange.policy);
        let mut judge = PolicyJudge::new(&policy);
        // The head of a long answer goes before the end is known.
        output.outlet.name_rules(|| reply::possible_rules(&policy));
        let filtered = filter_response(call, input, &mut output, &mut judge);
        output.outlet.name_rules(|| hiding_rules(&fired(judge.hits())));
        let outcome = match filtered.and_then(|_removed| output.send().map_err(ResponseError::Output)) {
            Ok(()) => {
                exchange.tell_fired(&fired(judge.hits()), Outcome::Filtered, StatusCode::OK);
                Ok(())
            }
            Err(error) => failure(error).map_or(Ok(()), Err),
        };
        (output.outlet, outcome)
    });
    work.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// An upstream's body, for a reader that blocks.
struct Input {
    decoded: Decoded,
    runtime: Handle,
    /// What of the last piece has not been read.
    rest: Bytes,
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = self.runtime.block_on(self.decoded.next()).map_err(io::Error::other)?;
        }
        let length = (&*self.rest).read(into)?;
        self.rest.advance(length);
        Ok(length)
    }
}

/// Collects what is written into pieces.
struct Pieces {
    outlet: Outlet,
    runtime: Handle,
    piece: Vec<u8>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let arrived = self.runtime.block_on(self.outlet.send(piece));
        if arrived { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why an answer can't be passed on; `None` if just the client has gone, which is no failure of anybody's.
fn failure(error: ResponseError) -> Option<Failure> {
    let detail = error.to_string();
    match error {
        ResponseError::Input(error) => Some(match error.downcast::<BodyError>() {
            Ok(error) => error.into(),
            Err(_other) => Failure { reason: "upstream-broke-off", detail },
        }),
        ResponseError::Malformed(malformed) => Some(malformed.into()),
        ResponseError::Output(_) => None,
    }
}
