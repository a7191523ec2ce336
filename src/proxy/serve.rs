//! Serves one client connection on the proxy port: CONNECT, absolute-form requests, and TLS inside a CONNECT.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, info, warn};

use super::account::{Entry, Ticket};
use super::body::{Body, empty};
use super::connect::{Route, decide};
use super::exchange::{self, Visit};
use super::{Shared, forward, reply};
use crate::name::Authority;
use crate::net::deadline::WriteDeadline;
use crate::net::dial::DialError;
use crate::net::listen::{Client, Place};
use crate::net::peek::first_bytes;
use crate::net::prefixed::Prefixed;
use crate::net::tunnel::{IdleLimits, carry};
use crate::pypi::mirrors::known_mirror;
use crate::pypi::site::site_of;
use crate::tasks::Tasks;
use crate::telemetry::metrics::Metrics;

/// How long a client may take for its first byte, and for its whole TLS handshake.
const OPENING: Duration = Duration::from_secs(10);
/// How long a request's head may take, and how long a connection may idle between requests.
const HEAD: Duration = Duration::from_secs(60);
/// The largest head of a request.
const MAX_HEAD: usize = 64 * 1024;
/// `PRI * HTTP/2.0`, and what belongs to it.
const H2_PREFACE: usize = 24;
/// Requests under way on one HTTP/2 connection.
const STREAMS: u32 = 256;

/// A client, as long as anything of its connection lives.
#[derive(Debug)]
pub(super) struct Guest {
    address: IpAddr,
    metrics: Arc<Metrics>,
    _place: Place,
}

impl Guest {
    fn new(address: IpAddr, place: Place, metrics: &Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Self { address, metrics: Arc::clone(metrics), _place: place }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

/// Serves what `client` sends until it leaves or the proxy drains.
pub(super) async fn serve(shared: Arc<Shared>, client: Client) {
    let Client { stream, address, place } = client;
    // hyper's own deadline starts with the first head; a client that never says a word needs one too.
    if !matches!(timeout(OPENING, stream.readable()).await, Ok(Ok(()))) {
        return;
    }
    let guest = Arc::new(Guest::new(address, place, &shared.metrics));
    let service = service_fn(|mut request| {
        let (shared, guest) = (Arc::clone(&shared), Arc::clone(&guest));
        let entry = Entry::begin(&shared, guest.address, None, &mut request);
        async move { Ok::<_, std::convert::Infallible>(entry.answered(receive(shared, guest, request).await)) }
    });
    let connection =
        http1_builder().serve_connection(TokioIo::new(WriteDeadline::new(stream)), service).with_upgrades();
    let outcome = drained(connection, &shared.tasks, |connection| connection.graceful_shutdown()).await;
    if let Err(error) = outcome {
        debug!(client = %address, %error, "the client's connection ended");
    }
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MAX_HEAD);
    builder
}

/// One request on the proxy port.
async fn receive(shared: Arc<Shared>, guest: Arc<Guest>, request: Request<Incoming>) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return connect(shared, guest, request).await;
    }
    let Some(authority) = request.uri().authority() else {
        return reply::bad_request(
            StatusCode::BAD_REQUEST,
            "not-a-proxy-request",
            "this is a proxy: set HTTPS_PROXY (and https_proxy) to this address; `namewall env` prints all variables",
        );
    };
    match Authority::parse_or(authority.as_str(), 443) {
        Ok(target) => match site_of(&shared.settings.sites, &target.host) {
            // Whatever the scheme, it is answered as over TLS: PyPI serves no index over plain HTTP.
            Some(site) => {
                let visit = Visit { client: guest.address, site, port: 443, misdirected: false };
                exchange::answer(shared, visit, absolute_to_origin(request)).await
            }
            None => forward::answer(&shared, request).await,
        },
        Err(error) => reply::bad_request(StatusCode::BAD_REQUEST, "bad-target", &error.to_string()),
    }
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

/// Opens a tunnel, or prepares to look inside.
async fn connect(shared: Arc<Shared>, guest: Arc<Guest>, mut request: Request<Incoming>) -> Response<Body> {
    let ticket = request.extensions_mut().remove::<Ticket>();
    let target: Authority = match request.uri().authority().map(|authority| authority.as_str().parse()) {
        Some(Ok(target)) => target,
        _ => return reply::bad_request(StatusCode::BAD_REQUEST, "bad-target", "CONNECT names a host and a port"),
    };
    let server = if site_of(&shared.settings.sites, &target.host).is_some() {
        // Nothing is dialled for a host of ours until a request in it is judged.
        None
    } else {
        // Dialled before the 200, so that a client gets a real error, and a server may speak first.
        match shared.dialer.dial(&target).await {
            Ok(server) => Some(server),
            Err(error) => return unreachable(&error),
        }
    };
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        match hyper::upgrade::on(request)
            .await
            .map(hyper::upgrade::Upgraded::downcast::<TokioIo<WriteDeadline<TcpStream>>>)
        {
            Ok(Ok(parts)) => {
                let client = parts.io.into_inner().into_inner();
                opened(shared, guest, ticket, target, client, parts.read_buf, server).await;
            }
            Ok(Err(_other_stream)) => debug!("the connection is no TCP stream"),
            Err(error) => debug!(%error, "the client left before its tunnel was open"),
        }
    });
    Response::new(empty())
}

fn unreachable(error: &DialError) -> Response<Body> {
    let (status, reason) = match error {
        DialError::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "upstream-timeout"),
        DialError::Loop(_) => (StatusCode::LOOP_DETECTED, "loop"),
        DialError::Resolve { .. } | DialError::Connect { .. } => (StatusCode::BAD_GATEWAY, "upstream-unreachable"),
    };
    let mut response = reply::bad_request(status, reason, &error.to_string());
    // What follows a failed CONNECT may be meant for the tunnel, not for us.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A connection inside a CONNECT: waits for whoever speaks first, and decides.
async fn opened(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    ticket: Option<Ticket>,
    target: Authority,
    mut client: TcpStream,
    early: Bytes,
    server: Option<TcpStream>,
) {
    let server_first = match &server {
        Some(server) if early.is_empty() => server_speaks_first(&client, server).await,
        _ => false,
    };
    let first = if server_first {
        None
    } else {
        match timeout(OPENING, first_bytes(&mut client, &early)).await {
            Ok(Ok(first)) => Some(first),
            Ok(Err(_)) | Err(_) => return debug!(host = %target.host, "the client said nothing in time"),
        }
    };
    let reached = server.as_ref().and_then(|server| server.peer_addr().ok()).map(|address| address.ip());
    let route =
        first.as_ref().map_or(Route::Tunnel, |first| decide(&shared.settings.sites, &target.host, reached, first));
    let client = Prefixed::new(first.map(|first| first.bytes).unwrap_or_default(), client);
    match (route, server) {
        (Route::Intercept { site, misdirected }, _) => {
            // Found by its TLS name, it is the site itself that is meant, on its own port.
            let port = if site.host == target.host { target.port } else { 443 };
            let visit = Visit { client: guest.address, site, port, misdirected };
            intercept(shared, visit, client).await;
        }
        (Route::Tunnel, Some(server)) => {
            let carried = tunnel(&shared, &target, client, server).await;
            if let Some(ticket) = ticket {
                ticket.closed(&shared, carried);
            }
        }
        (Route::Tunnel, None) | (Route::Close, _) => {
            debug!(host = %target.host, "closed: nothing but TLS is spoken with an intercepted host");
        }
    }
}

/// Whether the server has sent something before the client did (SSH, SMTP, MySQL do).
async fn server_speaks_first(client: &TcpStream, server: &TcpStream) -> bool {
    tokio::select! {
        biased;
        _ = client.readable() => false,
        _ = server.readable() => true,
        () = tokio::time::sleep(IdleLimits::default().open) => false,
    }
}

/// Gives the bytes that the client got.
async fn tunnel(shared: &Shared, target: &Authority, client: Prefixed<TcpStream>, server: TcpStream) -> u64 {
    if let Some(mirror) = known_mirror(&target.host) {
        let (host, advice) = (&target.host, "name it under [[intercept]] as a mirror to protect names there, too");
        info!(%host, index = mirror.index, advice, "a public mirror of PyPI is tunnelled, so nothing is hidden on it");
    }
    shared.metrics.tunnels.inc();
    let (early, client) = client.into_parts();
    let (carried, end) = carry(client, early, server, IdleLimits::default()).await;
    shared.metrics.tunnels.dec();
    shared.metrics.tunnelled(carried.up, carried.down);
    debug!(host = %target.host, port = target.port, up = carried.up, down = carried.down, ?end, "tunnel closed");
    carried.down
}

/// Ends the client's TLS with a leaf of our own, and serves the requests in it.
async fn intercept(shared: Arc<Shared>, visit: Visit, client: Prefixed<TcpStream>) {
    let config: Arc<ServerConfig> = match shared.leaves.server_config(&visit.site.host) {
        Ok(config) => config,
        Err(error) => return warn!(host = %visit.site.host, %error, "no certificate for an intercepted host"),
    };
    match timeout(OPENING, TlsAcceptor::from(config).accept(client)).await {
        Ok(Ok(stream)) => serve_tls(shared, visit, stream).await,
        Ok(Err(error)) => {
            // An alert at this point nearly always says that the client does not trust the authority.
            info!(client = %visit.client, host = %visit.site.host, %error, "TLS handshake with a client failed");
        }
        Err(_elapsed) => debug!(client = %visit.client, "TLS handshake with a client timed out"),
    }
}

async fn serve_tls(shared: Arc<Shared>, visit: Visit, stream: TlsStream<Prefixed<TcpStream>>) {
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let client = visit.client;
    let tasks = shared.tasks.clone();
    let service = service_fn(move |mut request| {
        let entry = Entry::begin(&shared, client, Some(&visit.site.host), &mut request);
        let answer = exchange::answer(Arc::clone(&shared), visit.clone(), request);
        async move { Ok::<_, std::convert::Infallible>(entry.answered(answer.await)) }
    });
    let mut stream = WriteDeadline::new(stream);
    let outcome = if h2 {
        // hyper waits for the preface without a deadline.
        let Ok(Ok(preface)) = timeout(OPENING, read_preface(&mut stream)).await else { return };
        let stream = TokioIo::new(Prefixed::new(preface, stream));
        let connection = http2_builder(&tasks).serve_connection(stream, service);
        drained(connection, &tasks, |connection| connection.graceful_shutdown()).await
    } else {
        let connection = http1_builder().serve_connection(TokioIo::new(stream), service);
        drained(connection, &tasks, |connection| connection.graceful_shutdown()).await
    };
    if let Err(error) = outcome {
        debug!(%client, %error, "an intercepted connection ended");
    }
}

/// The first bytes of an HTTP/2 connection, at least its preface (RFC 9113 section 3.4).
async fn read_preface(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<BytesMut> {
    let mut bytes = BytesMut::new();
    while bytes.len() < H2_PREFACE {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(bytes)
}

fn http2_builder(tasks: &Tasks) -> http2::Builder<Tasks> {
    let mut builder = http2::Builder::new(tasks.clone());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(MAX_HEAD as u32)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_send_buf_size(1024 * 1024)
        .keep_alive_interval(HEAD)
        .keep_alive_timeout(OPENING);
    builder
}

/// Drives a connection to its end; once the proxy drains, to the end of the requests that run.
async fn drained<C: Future>(connection: C, tasks: &Tasks, shut_down: impl FnOnce(Pin<&mut C>)) -> C::Output {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        () = tasks.draining() => shut_down(connection.as_mut()),
    }
    connection.await
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}
