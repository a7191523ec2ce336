//! Serves one client connection on the proxy port: who comes, and what is asked of the proxy itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{EXPECT, HeaderMap};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info};

use super::account::Entry;
use super::body::Body;
use super::connection::{Progress, drained, http1_builder};
use super::entrance::{self, Arrival, Entrance};
use super::exchange::{self, Visit};
use super::opened::connect;
use super::reply::closing;
use super::{Shared, forward, reply, transparent};
use crate::name::Authority;
use crate::net::crowd::{Full, Seat};
use crate::net::deadline::WriteDeadline;
use crate::net::prefixed::Prefixed;
use crate::net::stream::Stream;
use crate::pypi::site::site_of;
use crate::telemetry::metrics::Metrics;

/// A client, as long as anything of its connection lives.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) address: IpAddr,
    metrics: Arc<Metrics>,
    _seat: Seat,
}

impl Guest {
    fn new(address: IpAddr, seat: Seat, metrics: &Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Self { address, metrics: Arc::clone(metrics), _seat: seat }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

/// Serves what a client sends until it leaves or the proxy drains.
pub(super) async fn serve(shared: Arc<Shared>, entrance: Arc<Entrance>, arrival: Arrival) {
    let Arrival { mut stream, peer, mut seat } = arrival;
    let limits = &shared.settings.limits;
    let address = match timeout(limits.opening, entrance.client(&mut stream, peer)).await {
        Ok(Ok(address)) => address,
        Ok(Err(unwelcome)) => {
            shared.metrics.turned_away((&unwelcome).into());
            return entrance::tell(&unwelcome, peer);
        }
        Err(_elapsed) => return debug!(client = %peer, "no PROXY header came in time"),
    };
    if let Err(full) = seat.belongs_to(address) {
        shared.metrics.turned_away(full.into());
        debug!(client = %address, "it has as many connections as one client may have");
        // Its place is for others while it hears so.
        drop(seat);
        let Some(_place) = entrance.refusal() else { return };
        return turn_away(&shared, &entrance, stream, address, full).await;
    }
    let guest = Arc::new(Guest::new(address, seat, &shared.metrics));
    if entrance.settings.transparent {
        return transparent::serve(shared, guest, stream).await;
    }
    let Some(stream) = secured(&entrance, limits.opening, stream, address).await else { return };
    let progress = Progress::new(limits);
    let service = service_fn(|request: Request<Incoming>| {
        let is_last = progress.another() && request.method() != Method::CONNECT;
        let (shared, guest) = (Arc::clone(&shared), Arc::clone(&guest));
        let mut entry = Entry::begin(&shared, guest.address, None, &request);
        async move {
            let answer = receive(shared, guest, &mut entry, request).await;
            let answer = if is_last { closing(answer) } else { answer };
            Ok::<_, std::convert::Infallible>(entry.answered(answer))
        }
    });
    let connection =
        http1_builder(limits).serve_connection(TokioIo::new(WriteDeadline::new(stream)), service).with_upgrades();
    let outcome =
        drained(connection, &shared.tasks, &progress, None, |connection| connection.graceful_shutdown()).await;
    if let Some(Err(error)) = outcome {
        debug!(client = %address, %error, "the client's connection ended");
    }
}

/// The stream in which the client speaks to the proxy, once it has said something: hyper's own deadline starts with the
/// first head, and a client that never says a word needs one, too.
async fn secured(entrance: &Entrance, patience: Duration, stream: TcpStream, client: IpAddr) -> Option<Stream> {
    let Some(identity) = &entrance.identity else {
        // A socket is taken for readable until it was found to be otherwise.
        let said = timeout(patience, stream.peek(&mut [0])).await;
        return matches!(said, Ok(Ok(1))).then_some(Stream::Tcp(stream));
    };
    let opening = async {
        let mut tls = TlsAcceptor::from(identity.server_config()).accept(stream).await?;
        let mut first = BytesMut::new();
        tls.read_buf(&mut first).await?;
        Ok::<_, std::io::Error>(Prefixed::new(first, tls))
    };
    match timeout(patience, opening).await {
        Ok(Ok(tls)) => Some(Stream::layered(tls)),
        Ok(Err(error)) => {
            info!(%client, %error, "TLS handshake with a client of the proxy itself failed");
            None
        }
        Err(_elapsed) => None,
    }
}

/// Says to somebody who has just come that there is no place.
pub(super) async fn refuse(
    shared: &Arc<Shared>,
    entrance: &Entrance,
    mut stream: TcpStream,
    peer: SocketAddr,
    full: Full,
) {
    // What a load balancer says of it stands before its first request.
    if let Ok(Ok(client)) = timeout(shared.settings.limits.opening, entrance.client(&mut stream, peer)).await {
        turn_away(shared, entrance, stream, client, full).await;
    }
}

/// Answers whatever is asked first with why there is no place.
async fn turn_away(shared: &Arc<Shared>, entrance: &Entrance, stream: TcpStream, client: IpAddr, full: Full) {
    if entrance.settings.transparent {
        return;
    }
    let limits = &shared.settings.limits;
    let Some(stream) = secured(entrance, limits.opening, stream, client).await else { return };
    let service = service_fn(|request: Request<Incoming>| async move {
        let entry = Entry::begin(shared, client, None, &request);
        let (status, reason, detail) = match full {
            Full::All => (StatusCode::SERVICE_UNAVAILABLE, "connections", "it has as many clients as it serves"),
            Full::OfOne => {
                let detail = "you have as many connections as one client may have";
                (StatusCode::TOO_MANY_REQUESTS, "client-connections", detail)
            }
        };
        Ok::<_, std::convert::Infallible>(entry.answered(reply::busy(status, reason, detail)))
    });
    let mut builder = http1_builder(limits);
    builder.keep_alive(false).header_read_timeout(limits.opening);
    let _ended = builder.serve_connection(TokioIo::new(WriteDeadline::new(stream)), service).await;
}

/// One request on the proxy port.
async fn receive(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    entry: &mut Entry,
    mut request: Request<Incoming>,
) -> Response<Body> {
    if let Some(looped) = looped(&shared, request.headers()) {
        return looped;
    }
    let is_connect = request.method() == Method::CONNECT;
    if !is_connect && request.uri().authority().is_none() {
        return reply::bad_request(
            StatusCode::BAD_REQUEST,
            "not-a-proxy-request",
            "this is a proxy: set HTTPS_PROXY (and https_proxy) to this address; `namewall env` prints all variables",
        );
    }
    let user = match &shared.gate {
        None => None,
        Some(gate) => match gate.user_of(&shared.metrics, guest.address, &mut request).await {
            Ok(user) => {
                entry.belongs_to(&user);
                Some(user)
            }
            Err(response) => return unserved(request, *response).await,
        },
    };
    if is_connect {
        return connect(shared, guest, user, entry, request).await;
    }
    match Authority::parse_or(request.uri().authority().map_or("", |authority| authority.as_str()), 443) {
        Ok(target) => match site_of(&shared.settings.sites, &target.host) {
            // Whatever the scheme, it is answered as over TLS: PyPI serves no index over plain HTTP.
            Some(site) => {
                let visit = Visit { client: guest.address, user, site, port: 443, misdirected: false };
                exchange::answer(shared, visit, absolute_to_origin(request)).await
            }
            None => forward::answer(&shared, guest.address, request).await,
        },
        Err(error) => reply::bad_request(StatusCode::BAD_REQUEST, "bad-target", &error.to_string()),
    }
}

/// What is answered to a request that has come back to us by another proxy.
pub(super) fn looped(shared: &Shared, headers: &HeaderMap) -> Option<Response<Body>> {
    let detail = "this request has been here before: the parent proxy of this namewall leads back to it";
    let is_here_again = shared.dialer.pseudonym().is_in(headers);
    is_here_again.then(|| closing(reply::bad_request(StatusCode::LOOP_DETECTED, "loop", detail)))
}

/// Answers a request that isn't served, so that the connection can go on: clients ask again on it.
async fn unserved(request: Request<Incoming>, response: Response<Body>) -> Response<Body> {
    let expects_continue = request.headers().contains_key(EXPECT);
    // What follows a CONNECT is meant for the tunnel, and comes when that is open.
    if request.method() != Method::CONNECT && !exchange::discard(request.into_body(), expects_continue).await {
        return closing(response);
    }
    response
}

/// An absolute-form request as the origin server would get it: the target's authority counts, not the Host field
/// (RFC 9112 section 3.2.2).
fn absolute_to_origin(mut request: Request<Incoming>) -> Request<Incoming> {
    let host = request.uri().host().and_then(|host| HeaderValue::from_str(host).ok());
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| http::Uri::from_static("/"), http::Uri::from);
    if let Some(host) = host {
        request.headers_mut().insert(http::header::HOST, host);
    }
    request
}
