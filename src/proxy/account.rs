//! Keeps account of each request on the proxy port: gives its answer an id, counts its bytes, and writes its line in the
//! access log when its answer has ended.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use prometheus_client::metrics::counter::Counter;
use time::OffsetDateTime;

use super::Shared;
use super::body::{Body, BrokenOff};
use super::connection::UnderWay;
use super::exchange::request_id;
use super::reply;
use crate::name::{Authority, HostName};
use crate::net::pace::Pace;
use crate::telemetry::access::{Began, Ended, Passage, trace_id};

/// The status in the log of a client that left before it had an answer, as nginx writes it.
const LEFT: u16 = 499;

/// A request that has no answer yet.
pub(super) struct Entry {
    shared: Arc<Shared>,
    /// `None` if no access log is kept, or its line is somebody else's now.
    began: Option<Began>,
    id: Option<String>,
    is_connect: bool,
    pace: Option<Pace>,
    under_way: Option<UnderWay>,
}

/// What a CONNECT has opened. Its line in the log is written when this is dropped, however it comes to its end.
#[derive(Debug)]
pub(super) struct Ticket {
    shared: Arc<Shared>,
    /// `None` if no access log is kept.
    began: Option<Began>,
    id: String,
    carried: AtomicU64,
    has_requests: AtomicBool,
}

impl Entry {
    /// Takes note of a request: inside the TLS of `host`, or on the port itself.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        client: IpAddr,
        host: Option<&HostName>,
        request: &Request<Incoming>,
    ) -> Self {
        let is_connect = request.method() == Method::CONNECT;
        let began = shared.access.is_kept().then(|| began(client, host, request));
        let pace = shared.paces.of(client);
        Self { shared: Arc::clone(shared), began, id: is_connect.then(request_id), is_connect, pace, under_way: None }
    }

    /// Keeps `under_way` to the end of the answer.
    pub(super) fn keeps(&mut self, under_way: UnderWay) {
        self.under_way = Some(under_way);
    }

    /// Notes whose request it is.
    pub(super) fn belongs_to(&mut self, user: &Arc<str>) {
        if let Some(began) = &mut self.began {
            began.user = Some(Arc::clone(user));
        }
    }

    /// What to write of the tunnel that it opens. From now on its answer has to be a 200.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket::new(&self.shared, self.began.clone(), self.id.clone().unwrap_or_default())
    }

    /// The answer, counted as it goes out.
    pub(super) fn answered(mut self, mut response: Response<Body>) -> Response<Counted<Body>> {
        let headers = response.headers_mut();
        if !headers.contains_key(reply::REQUEST_ID)
            && let Ok(id) = HeaderValue::try_from(self.id.take().unwrap_or_else(request_id))
        {
            headers.insert(reply::REQUEST_ID, id);
        }
        let kind = response.extensions_mut().remove::<Passage>().unwrap_or(Passage::Refused);
        let kind = if self.is_connect && response.status().is_success() { Passage::Tunnel } else { kind };
        let began = self.began.take().filter(|_| kind != Passage::Tunnel);
        let ending = began.map(|began| {
            let text = |name| text(response.headers(), name);
            let ended = Ended {
                request_id: text(reply::REQUEST_ID).unwrap_or_default(),
                kind,
                status: response.status().as_u16(),
                decision: text(reply::DECISION),
                rule: text(reply::RULE),
                bytes: 0,
            };
            Box::new(Ending { shared: Arc::clone(&self.shared), began, ended })
        });
        let counter = match kind {
            Passage::Intercepted => Some(self.shared.metrics.carried.intercepted.down.clone()),
            Passage::Forward => Some(self.shared.metrics.carried.forwarded.down.clone()),
            Passage::Tunnel | Passage::Refused => None,
        };
        let (pace, under_way) = (self.pace.take(), self.under_way.take());
        response.map(|inner| Counted { inner, counter, sent: 0, ending, pace, waiting: None, _under_way: under_way })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(began) = self.began.take() {
            let request_id = self.id.take().unwrap_or_else(request_id);
            let kind = if began.scheme == "https://" { Passage::Intercepted } else { Passage::Refused };
            let ended = Ended { request_id, kind, status: LEFT, decision: None, rule: None, bytes: 0 };
            self.shared.access.record(began, ended);
        }
    }
}

impl Ticket {
    fn new(shared: &Arc<Shared>, began: Option<Began>, id: String) -> Self {
        let (carried, has_requests) = Default::default();
        Self { shared: Arc::clone(shared), began, id, carried, has_requests }
    }

    /// What to write of a tunnel for which nobody asked: a firewall turned it here.
    pub(super) fn unasked(shared: &Arc<Shared>, client: IpAddr, to: &Authority) -> Self {
        let began = shared.access.is_kept().then(|| Began {
            at: OffsetDateTime::now_utc(),
            clock: Instant::now(),
            client,
            user: None,
            method: Method::CONNECT,
            scheme: "",
            host: to.to_string(),
            path: String::new(),
            version: http::Version::default(),
            trace_id: None,
        });
        Self::new(shared, began, request_id())
    }

    /// The bytes that the client has got, counted as they go: whoever cuts it off still knows.
    pub(super) const fn carried(&self) -> &AtomicU64 {
        &self.carried
    }

    /// Notes that requests are seen in it, each of which has a line: it needs none itself.
    pub(super) fn has_request(&self) {
        self.has_requests.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(began) = self.began.take()
            && !*self.has_requests.get_mut()
        {
            let (request_id, kind) = (std::mem::take(&mut self.id), Passage::Tunnel);
            let bytes = *self.carried.get_mut();
            let ended = Ended { request_id, kind, status: 200, decision: None, rule: None, bytes };
            self.shared.access.record(began, ended);
        }
    }
}

fn began(client: IpAddr, host: Option<&HostName>, request: &Request<Incoming>) -> Began {
    let uri = request.uri();
    let (scheme, host, path) = match (host, uri.authority()) {
        (Some(host), _) => ("https://", host.to_string(), uri.path()),
        (None, Some(_)) => {
            // Not the authority as a whole: a user and a password may stand in it.
            let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
            let host = format!("{}{port}", uri.host().unwrap_or_default());
            if request.method() == Method::CONNECT { ("", host, "") } else { ("http://", host, uri.path()) }
        }
        (None, None) => ("", String::new(), uri.path()),
    };
    Began {
        at: OffsetDateTime::now_utc(),
        clock: Instant::now(),
        client,
        user: None,
        method: request.method().clone(),
        scheme,
        host,
        path: path.to_owned(),
        version: request.version(),
        trace_id: text(request.headers(), "traceparent").and_then(|value| trace_id(&value)),
    }
}

fn text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// What is written when an answer has ended.
#[derive(Debug)]
struct Ending {
    shared: Arc<Shared>,
    began: Began,
    ended: Ended,
}

/// A body whose bytes are counted, and come no faster than they may.
pub(super) struct Counted<B> {
    inner: B,
    counter: Option<Counter>,
    sent: u64,
    ending: Option<Box<Ending>>,
    /// How fast the client gets it, if that is limited.
    pace: Option<Pace>,
    /// Until it may have more.
    waiting: Option<Pause>,
    _under_way: Option<UnderWay>,
}

type Pause = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A request's body on its way upstream, counted by `counter`; one that is empty as it is.
pub(super) fn counted(inner: Body, counter: &Counter) -> Body {
    if inner.is_end_stream() {
        return inner;
    }
    let counter = Some(counter.clone());
    Counted { inner, counter, sent: 0, ending: None, pace: None, waiting: None, _under_way: None }.boxed()
}

impl<B: HttpBody<Data = Bytes, Error = BrokenOff> + Unpin> HttpBody for Counted<B> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let count = data.len() as u64;
            self.sent += count;
            if let Some(counter) = &self.counter {
                counter.inc_by(count);
            }
            if let Some(pace) = self.pace.clone() {
                let length = data.len();
                self.waiting = Some(Box::pin(async move { pace.spend(length).await }));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for Counted<B> {
    fn drop(&mut self) {
        if let Some(ending) = self.ending.take() {
            let Ending { shared, began, ended } = *ending;
            shared.access.record(began, Ended { bytes: self.sent, ..ended });
        }
    }
}
