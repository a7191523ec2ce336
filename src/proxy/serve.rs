//! Serves one client connection on the proxy port: CONNECT, absolute-form requests, and TLS inside a CONNECT.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, EXPECT, HeaderMap};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use super::account::{Entry, Ticket};
use super::body::{Body, empty};
use super::connect::{Route, decide};
use super::entrance::{self, Arrival, Entrance};
use super::exchange::{self, Visit};
use super::upstream::UpstreamError;
use super::{Shared, forward, reply, transparent};
use crate::config::Limits;
use crate::name::Authority;
use crate::net::crowd::{Full, Seat};
use crate::net::deadline::WriteDeadline;
use crate::net::dial::DialError;
use crate::net::outward::Opened;
use crate::net::peek::first_bytes;
use crate::net::prefixed::Prefixed;
use crate::net::route::Purpose;
use crate::net::stream::Stream;
use crate::net::tunnel::{Early, carry};
use crate::pypi::mirrors::known_mirror;
use crate::pypi::site::site_of;
use crate::tasks::Tasks;
use crate::telemetry::metrics::{Metrics, TurnedAway};

/// How long the first request of a connection is waited for while the proxy drains.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// The most of an ordinary ClientHello, with a post-quantum key share.
pub(super) const HELLO: usize = 2048;
/// `PRI * HTTP/2.0`, and what belongs to it.
const H2_PREFACE: usize = 24;
/// Streams that a client may open and take back before they are looked at, and that may be broken off for its mistakes, on
/// one connection: more is an attack (CVE-2023-44487, CVE-2025-8671).
const RESETS: usize = 64;

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
        return turn_away(&entrance, limits, stream, full).await;
    }
    let guest = Arc::new(Guest::new(address, seat, &shared.metrics));
    if entrance.settings.transparent {
        return transparent::serve(shared, guest, stream).await;
    }
    let Some(stream) = secured(&entrance, limits.opening, stream).await else { return };
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
    let outcome = drained(connection, &shared.tasks, &progress, |connection| connection.graceful_shutdown()).await;
    if let Err(error) = outcome {
        debug!(client = %address, %error, "the client's connection ended");
    }
}

/// The stream in which the client speaks to the proxy, once it has said something: hyper's own deadline starts with the
/// first head, and a client that never says a word needs one, too.
async fn secured(entrance: &Entrance, patience: Duration, stream: TcpStream) -> Option<Stream> {
    let Some(identity) = &entrance.identity else {
        return matches!(timeout(patience, stream.readable()).await, Ok(Ok(()))).then_some(Stream::Tcp(stream));
    };
    let peer = stream.peer_addr().ok();
    let opening = async {
        let mut tls = TlsAcceptor::from(identity.server_config()).accept(stream).await?;
        let mut first = BytesMut::new();
        tls.read_buf(&mut first).await?;
        Ok::<_, std::io::Error>(Prefixed::new(first, tls))
    };
    match timeout(patience, opening).await {
        Ok(Ok(tls)) => Some(Stream::layered(tls)),
        Ok(Err(error)) => {
            info!(client = ?peer, %error, "TLS handshake with a client of the proxy itself failed");
            None
        }
        Err(_elapsed) => None,
    }
}

/// Answers whatever is asked first with why there is no place.
pub(super) async fn turn_away(entrance: &Entrance, limits: &Limits, stream: TcpStream, full: Full) {
    if entrance.settings.transparent {
        return;
    }
    let Some(stream) = secured(entrance, limits.opening, stream).await else { return };
    let service = service_fn(|_request: Request<Incoming>| async move {
        Ok::<_, std::convert::Infallible>(match full {
            Full::All => {
                reply::busy(StatusCode::SERVICE_UNAVAILABLE, "connections", "it has as many clients as it serves")
            }
            Full::OfOne => reply::busy(
                StatusCode::TOO_MANY_REQUESTS,
                "client-connections",
                "you have as many connections as one client may have",
            ),
        })
    });
    let mut builder = http1_builder(limits);
    builder.keep_alive(false).header_read_timeout(limits.opening);
    let _ended = builder.serve_connection(TokioIo::new(WriteDeadline::new(stream)), service).await;
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(limits.head_size);
    builder
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
        return connect(shared, guest, user, entry.ticket(), request).await;
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
fn looped(shared: &Shared, headers: &HeaderMap) -> Option<Response<Body>> {
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

/// Opens a tunnel, or prepares to look inside. All that is in it is of the user who asked for it.
async fn connect(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    user: Option<Arc<str>>,
    ticket: Ticket,
    request: Request<Incoming>,
) -> Response<Body> {
    let target: Authority = match request.uri().authority().map(|authority| authority.as_str().parse()) {
        Some(Ok(target)) => target,
        _ => return reply::bad_request(StatusCode::BAD_REQUEST, "bad-target", "CONNECT names a host and a port"),
    };
    let mut place = None;
    let server = if site_of(&shared.settings.sites, &target.host).is_some() {
        // Nothing is dialled for a host of ours until a request in it is judged.
        None
    } else {
        place = match shared.tunnels.enter() {
            Ok(place) => Some(place),
            Err(_full) => {
                shared.metrics.turned_away(TurnedAway::Tunnels);
                let detail = "it carries as many tunnels as it may";
                return closing(reply::busy(StatusCode::SERVICE_UNAVAILABLE, "tunnels", detail));
            }
        };
        // Dialled before the 200, so that a client gets a real error, and a server may speak first.
        match shared.dialer.open(&target, Purpose::Tunnel, request.headers(), shared.errand_of(guest.address)).await {
            Ok(server) => Some(server),
            Err(error) => return unreachable(&shared, &error),
        }
    };
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        match hyper::upgrade::on(request)
            .await
            .map(hyper::upgrade::Upgraded::downcast::<TokioIo<WriteDeadline<Stream>>>)
        {
            Ok(Ok(parts)) => {
                let client = parts.io.into_inner().into_inner();
                let whose = Whose { user, ticket, _place: place };
                opened(shared, guest, whose, target, client, parts.read_buf, server).await;
            }
            Ok(Err(_other_stream)) => debug!("the connection is none of ours"),
            Err(error) => debug!(%error, "the client left before its tunnel was open"),
        }
    });
    Response::new(empty())
}

fn unreachable(shared: &Shared, error: &DialError) -> Response<Body> {
    shared.count_refused(error);
    let error = UpstreamError::from(error);
    closing(reply::bad_request(error.status(), error.reason(), &error.to_string()))
}

/// Says that the connection ends with this answer: what follows a failed CONNECT may be meant for the tunnel, not for us.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Whose a connection is, and where that is to be written when it ends.
#[derive(Debug)]
pub(super) struct Whose {
    user: Option<Arc<str>>,
    ticket: Ticket,
    /// Its place among the tunnels.
    _place: Option<Seat>,
}

impl Whose {
    /// Of a client whose name nobody asked for.
    pub(super) const fn nobodys(ticket: Ticket, place: Seat) -> Self {
        Self { user: None, ticket, _place: Some(place) }
    }
}

/// A connection that leads to `target`: waits for whoever speaks first, and decides.
pub(super) async fn opened(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    whose: Whose,
    target: Authority,
    mut client: Stream,
    early: Bytes,
    mut server: Option<Opened>,
) {
    let mut up = BytesMut::from(early);
    let server_first = match &mut server {
        Some(server) if up.is_empty() => {
            server_speaks_first(&mut client, &mut up, server, shared.settings.limits.tunnel_idle).await
        }
        _ => false,
    };
    let first = if server_first {
        None
    } else {
        match timeout(shared.settings.limits.opening, first_bytes(&mut client, &up)).await {
            Ok(Ok(first)) => Some(first),
            Ok(Err(_)) | Err(_) => return debug!(host = %target.host, "the client said nothing in time"),
        }
    };
    let reached = server.as_ref().and_then(|server| server.reached);
    let route =
        first.as_ref().map_or(Route::Tunnel, |first| decide(&shared.settings.sites, &target.host, reached, first));
    let up = first.map(|first| first.bytes).unwrap_or_default().freeze();
    match (route, server) {
        (Route::Intercept { site, misdirected }, _) => {
            // Found by its TLS name, it is the site itself that is meant, on its own port.
            let port = if site.host == target.host { target.port } else { 443 };
            let visit = Visit { client: guest.address, user: whose.user, site, port, misdirected };
            // Aside: a tunnel, of which there are thousands, must not have the room of it.
            Box::pin(intercept(shared, visit, Prefixed::new(up, client))).await;
        }
        (Route::Tunnel, Some(server)) => {
            let carried = tunnel(&shared, &guest, &target, client, up, server).await;
            whose.ticket.closed(&shared, carried);
        }
        (Route::Tunnel, None) | (Route::Close, _) => {
            debug!(host = %target.host, "closed: nothing but TLS is spoken with an intercepted host");
        }
    }
}

/// Whether the server has sent something before the client did (SSH, SMTP, MySQL do). What the client has sent is in `up`.
async fn server_speaks_first(client: &mut Stream, up: &mut BytesMut, server: &mut Opened, patience: Duration) -> bool {
    // A ClientHello in one read, mostly.
    up.reserve(HELLO);
    tokio::select! {
        biased;
        _ = client.read_buf(up) => false,
        () = server.speaks() => true,
        () = tokio::time::sleep(patience) => false,
    }
}

/// Gives the bytes that the client got.
pub(super) async fn tunnel(
    shared: &Shared,
    guest: &Guest,
    target: &Authority,
    client: Stream,
    up: Bytes,
    server: Opened,
) -> u64 {
    if let Some(mirror) = known_mirror(&target.host) {
        let (host, advice) = (&target.host, "name it under [[intercept]] as a mirror to protect names there, too");
        info!(%host, index = mirror.index, advice, "a public mirror of PyPI is tunnelled, so nothing is hidden on it");
    }
    shared.metrics.tunnels.inc();
    let pace = shared.paces.of(guest.address);
    let early = Early { up, down: server.early };
    let (carried, end) = carry(client, early, server.stream, (&shared.settings.limits).into(), pace.as_ref()).await;
    shared.metrics.tunnels.dec();
    shared.metrics.tunnelled(carried.up, carried.down);
    debug!(host = %target.host, port = target.port, up = carried.up, down = carried.down, ?end, "tunnel closed");
    carried.down
}

/// Ends the client's TLS with a leaf of our own, and serves the requests in it.
pub(super) async fn intercept(shared: Arc<Shared>, visit: Visit, client: Prefixed<Stream>) {
    let config: Arc<ServerConfig> = match shared.leaves.server_config(&visit.site.host) {
        Ok(config) => config,
        Err(error) => return warn!(host = %visit.site.host, %error, "no certificate for an intercepted host"),
    };
    match timeout(shared.settings.limits.opening, TlsAcceptor::from(config).accept(client)).await {
        Ok(Ok(stream)) => {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            serve_site(shared, visit, stream, h2).await;
        }
        Ok(Err(error)) => {
            // An alert at this point nearly always says that the client does not trust the authority.
            info!(client = %visit.client, host = %visit.site.host, %error, "TLS handshake with a client failed");
        }
        Err(_elapsed) => debug!(client = %visit.client, "TLS handshake with a client timed out"),
    }
}

/// Serves the requests to one of our hosts, in `stream`.
pub(super) async fn serve_site<S>(shared: Arc<Shared>, visit: Visit, stream: S, h2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = visit.client;
    let tasks = shared.tasks.clone();
    let limits = shared.settings.limits.clone();
    let progress = Arc::new(Progress::new(&limits));
    let progressing = Arc::clone(&progress);
    let service = service_fn(move |request: Request<Incoming>| {
        // Over HTTP/2 it is told by GOAWAY.
        let is_last = progressing.another() && !h2;
        let (shared, visit) = (Arc::clone(&shared), visit.clone());
        let mut entry = Entry::begin(&shared, client, Some(&visit.site.host), &request);
        if let Some(user) = &visit.user {
            entry.belongs_to(user);
        }
        async move {
            let looped = looped(&shared, request.headers());
            let answer = match looped {
                Some(looped) => looped,
                None => exchange::answer(shared, visit, request).await,
            };
            let answer = if is_last { closing(answer) } else { answer };
            Ok::<_, std::convert::Infallible>(entry.answered(answer))
        }
    });
    let mut stream = WriteDeadline::new(stream);
    let outcome = if h2 {
        // hyper waits for the preface without a deadline.
        let Ok(Ok(preface)) = timeout(limits.opening, read_preface(&mut stream)).await else { return };
        let stream = TokioIo::new(Prefixed::new(preface, stream));
        let connection = http2_builder(&tasks, &limits).serve_connection(stream, service);
        drained(connection, &tasks, &progress, |connection| connection.graceful_shutdown()).await
    } else {
        let connection = http1_builder(&limits).serve_connection(TokioIo::new(stream), service);
        drained(connection, &tasks, &progress, |connection| connection.graceful_shutdown()).await
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

fn http2_builder(tasks: &Tasks, limits: &Limits) -> http2::Builder<Tasks> {
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

/// How many requests have come on a connection.
struct Progress {
    count: AtomicU64,
    most: u64,
    enough: Notify,
}

impl Progress {
    fn new(limits: &Limits) -> Self {
        Self { count: AtomicU64::new(0), most: limits.requests_per_connection, enough: Notify::new() }
    }

    /// Counts a request; whether it is the last one.
    fn another(&self) -> bool {
        let is_last = self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.most;
        if is_last {
            self.enough.notify_one();
        }
        is_last
    }

    fn has_begun(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }
}

/// Drives a connection to its end; once the proxy drains, or enough requests have come, to the end of those that run. One
/// of which no request has come yet gets a moment for its first: whoever has just been let in is not turned away.
async fn drained<C: Future>(
    connection: C,
    tasks: &Tasks,
    progress: &Progress,
    shut_down: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // What has come is read before: hyper closes what it has read nothing of.
        biased;
        outcome = connection.as_mut() => return outcome,
        () = tasks.draining() => {}
        () = progress.enough.notified() => {}
    }
    if !progress.has_begun()
        && let Ok(outcome) = timeout(FIRST_REQUEST, connection.as_mut()).await
    {
        return outcome;
    }
    shut_down(connection.as_mut());
    connection.await
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}
