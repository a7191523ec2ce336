//! The way to origin servers: a pool of HTTP/1.1 and HTTP/2 connections, verified always.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue, PROXY_AUTHORIZATION, VIA};
use http::{Request, Response, StatusCode, Uri, uri::Scheme};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::body::{Body, BrokenOff};
use crate::config::{Exits, Parent};
use crate::name::Authority;
use crate::name::host::InvalidHost;
use crate::net::crowd::{Crowd, Full, Seat};
use crate::net::dial::{DialError, Dialer};
use crate::net::eager::Eager;
use crate::net::exits::{Errand, is_local};
use crate::net::parent::{ParentError, authorization};
use crate::net::route::Purpose;
use crate::net::via;
use crate::tls::trust::UpstreamTrust;

/// How long an upstream's TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long PyPI may think before it answers a question. Its larger pages take a while.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// How long an answer may take to a request with a body, or of a server of which we know nothing.
pub(super) const LONG_ANSWER: Duration = Duration::from_secs(15 * 60);
/// How long an upload may take from its beginning to its answer: a day, since a slow line is no fault. Each piece of it,
/// and the answer once all is sent, has a limit of its own.
pub(super) const UPLOAD: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an unused connection is kept; and one that leads to where a client chose, of which there may be many.
const KEEP: Duration = Duration::from_secs(60);
const KEEP_OUTSIDE: Duration = Duration::from_secs(5);
/// What is read of a connection at once.
const READ: usize = 32 * 1024;
/// HTTP/2 flow-control windows: the defaults throttle large pages on long links, and this much of a page that waits for
/// its place is in memory. (Files come over HTTP/1.1.)
const STREAM_WINDOW: u32 = 1024 * 1024;
/// As large as it can be: one stream that nobody reads must not hold up the others of its connection.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// The pool of upstream connections, shared by all clients.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    dialer: Arc<Dialer>,
    /// HTTP/2 where the server offers it: many short answers share a connection.
    pages: Client<Connector, Body>,
    /// HTTP/1.1: a file that its client reads slowly has a connection to itself.
    files: Client<Connector, Body>,
}

/// Connections on behalf of clients, to wherever they want and may: not shared with namewall's own, which go where no client
/// may; nor are those of clients on this machine with others.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    here: Upstream,
    elsewhere: Upstream,
}

impl Outside {
    pub(super) fn new(dialer: &Arc<Dialer>, trust: &UpstreamTrust, places: &Crowd, exits: &Arc<Exits>) -> Self {
        let upstream = |is_local| Upstream::on(dialer, trust, places, Some(&(Arc::clone(exits), is_local)));
        Self { here: upstream(true), elsewhere: upstream(false) }
    }

    /// The one for a client at `address`.
    pub(super) fn of(&self, address: IpAddr) -> &Upstream {
        if is_local(address) { &self.here } else { &self.elsewhere }
    }
}

/// What is asked for: decides which connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// A page.
    Short,
    /// A file, or an answer of which we know nothing.
    Long,
}

/// Why upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("the upstream server's certificate is not trusted: {0}")]
    Unverified(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Late(String),
    #[error("{0}")]
    Loop(String),
    #[error("{0}")]
    Refused(String),
    #[error("the upstream server did not answer within {} s", _0.as_secs())]
    Timeout(Duration),
    #[error("as many connections to other servers are open as may be")]
    Crowded,
    #[error("the upstream server's answer is not HTTP: {0}")]
    Protocol(String),
    #[error("the request broke off: {0}")]
    Client(String),
}

impl UpstreamError {
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Unverified(_) => "upstream-unverified",
            Self::Unreachable(_) => "upstream-unreachable",
            Self::Timeout(_) | Self::Late(_) => "upstream-timeout",
            Self::Loop(_) => "loop",
            Self::Refused(_) => "destination-refused",
            Self::Crowded => "upstream-connections",
            Self::Protocol(_) => "upstream-protocol",
            Self::Client(_) => "request-broke-off",
        }
    }

    /// What the client is answered.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Timeout(_) | Self::Late(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Loop(_) => StatusCode::LOOP_DETECTED,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Client(_) => StatusCode::BAD_REQUEST,
            Self::Unverified(_) | Self::Unreachable(_) | Self::Protocol(_) => StatusCode::BAD_GATEWAY,
        }
    }
}

impl From<&DialError> for UpstreamError {
    fn from(error: &DialError) -> Self {
        match error.to_string() {
            text if matches!(error, DialError::Refused(_)) => Self::Refused(text),
            text if error.is_loop() => Self::Loop(text),
            text if error.is_timeout() => Self::Late(text),
            text => Self::Unreachable(text),
        }
    }
}

impl Upstream {
    /// A pool whose TLS connections are verified as `trust` says, each of which takes one of `places`.
    pub(super) fn new(dialer: &Arc<Dialer>, trust: &UpstreamTrust, places: &Crowd) -> Self {
        Self::on(dialer, trust, places, None)
    }

    fn on(dialer: &Arc<Dialer>, trust: &UpstreamTrust, places: &Crowd, exits: Option<&(Arc<Exits>, bool)>) -> Self {
        let client = |protocols: &[&[u8]]| Self::client(Arc::clone(dialer), trust, places, exits.cloned(), protocols);
        Self { dialer: Arc::clone(dialer), pages: client(&[b"h2", b"http/1.1"]), files: client(&[b"http/1.1"]) }
    }

    fn client(
        dialer: Arc<Dialer>,
        trust: &UpstreamTrust,
        places: &Crowd,
        exits: Option<(Arc<Exits>, bool)>,
        protocols: &[&[u8]],
    ) -> Client<Connector, Body> {
        let with_protocols = |config: &rustls::ClientConfig| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        let (tls, tls_behind_us) = (with_protocols(&trust.usual), with_protocols(&trust.behind_us));
        let keep = if exits.is_some() { KEEP_OUTSIDE } else { KEEP };
        let connector = Connector { dialer, tls, tls_behind_us, places: places.clone(), exits };
        Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(keep)
            .http1_max_buf_size(256 * 1024)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_max_header_list_size(64 * 1024)
            .build(connector)
    }

    /// Sends `request` (its target in absolute form) and waits for the answer's head, at most for `patience`.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
        size: Size,
        patience: Duration,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let forwarder = self.address_to_parent(&mut request);
        let client = match size {
            Size::Short => &self.pages,
            Size::Long => &self.files,
        };
        match timeout(patience, client.request(request)).await {
            Ok(Ok(response)) => refused_by(forwarder.as_deref(), response),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_elapsed) => Err(UpstreamError::Timeout(patience)),
        }
    }

    /// Writes into `request` what the parent that it goes through is to know; gives the parent if it sends the request on
    /// itself.
    fn address_to_parent(&self, request: &mut Request<Body>) -> Option<Arc<Parent>> {
        let purpose = purpose_of(request.uri());
        let to = authority_of(request.uri()).ok()?;
        let Some(parent) = self.dialer.parent(&to, purpose) else {
            via::drop_ours(request.headers_mut());
            return None;
        };
        // Behind SOCKS nobody reads it who could send the request back.
        let via = parent.scheme.is_http().then(|| self.dialer.pseudonym().after(request.headers()));
        if let Some(Ok(via)) = via.map(HeaderValue::try_from) {
            request.headers_mut().insert(VIA, via);
        }
        let forwards = purpose == Purpose::PlainHttp && self.dialer.forwarder(&to).is_some();
        let authorization = authorization(parent).filter(|_| forwards);
        if let Some(Ok(mut value)) = authorization.map(|value| HeaderValue::try_from(value.expose())) {
            value.set_sensitive(true);
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        forwards.then(|| Arc::clone(parent))
    }
}

/// An answer in which the parent says that it does not know us is none of the origin's: nobody but we can do something.
fn refused_by(parent: Option<&Parent>, response: Response<Incoming>) -> Result<Response<Incoming>, UpstreamError> {
    match parent {
        Some(parent) if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            let problem = match parent.credentials {
                None => ParentError::NoCredentials,
                Some(_) => ParentError::WrongCredentials,
            };
            Err(UpstreamError::Unreachable(format!("cannot connect through the parent proxy {parent}: {problem}")))
        }
        _ => Ok(response),
    }
}

fn purpose_of(uri: &Uri) -> Purpose {
    if uri.scheme() == Some(&Scheme::HTTPS) { Purpose::Tunnel } else { Purpose::PlainHttp }
}

fn authority_of(uri: &Uri) -> Result<Authority, InvalidHost> {
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    Ok(Authority { host: uri.host().unwrap_or_default().parse()?, port: uri.port_u16().unwrap_or(default) })
}

/// What the innermost cause of a failed request says.
fn classify(error: &(dyn Error + 'static)) -> UpstreamError {
    let mut cause = Some(error);
    let mut deepest = error.to_string();
    while let Some(error) = cause {
        if let Some(tls) = tls_error(error) {
            return UpstreamError::Unverified(tls.to_string());
        }
        if let Some(dial) = error.downcast_ref::<DialError>() {
            return dial.into();
        }
        if error.is::<Full>() {
            return UpstreamError::Crowded;
        }
        // No answer's body has been read here: it is the request's.
        if let Some(broken) = error.downcast_ref::<BrokenOff>() {
            return UpstreamError::Client(broken.to_string());
        }
        if let Some(http) = error.downcast_ref::<hyper::Error>()
            && (http.is_parse() || http.is_incomplete_message())
        {
            return UpstreamError::Protocol(http.to_string());
        }
        deepest = error.to_string();
        cause = error.source();
    }
    UpstreamError::Unreachable(deepest)
}

/// A TLS error, also when it is wrapped into an I/O error (whose `source` skips what it wraps).
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error
        .downcast_ref::<rustls::Error>()
        .or_else(|| error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>())
}

/// Whatever keeps a connection from being opened; [`classify`] looks into it.
type BoxError = Box<dyn Error + Send + Sync>;

/// Opens the pool's connections.
#[derive(Clone)]
struct Connector {
    dialer: Arc<Dialer>,
    tls: TlsConnector,
    /// Behind another namewall of this machine.
    tls_behind_us: TlsConnector,
    places: Crowd,
    /// Where clients may be let out, and whether they are on this machine; `None` if it is no client's errand.
    exits: Option<(Arc<Exits>, bool)>,
}

impl Connector {
    async fn connect(self, uri: Uri) -> Result<Stream, BoxError> {
        let to = authority_of(&uri)?;
        let place = self.places.enter()?;
        // A request that shares the connection says itself whence it has come.
        let errand = match &self.exits {
            None => Errand::Own,
            Some((exits, is_local)) => Errand::Client { exits, is_local: *is_local },
        };
        let opened = self.dialer.open(&to, purpose_of(&uri), &HeaderMap::new(), errand).await?;
        let (forwards, is_here) = (opened.forwards, opened.parent.as_ref().is_some_and(|parent| parent.is_here()));
        let stream = opened.into_stream();
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Stream { io: TokioIo::new(Box::new(stream)), h2: false, forwards, _place: place });
        }
        let name = ServerName::try_from(to.host.as_str().to_owned())?;
        // rustls reads 4 KiB at a time: a system call each, if nothing stood between.
        let stream = BufReader::with_capacity(READ, stream);
        let connector = if is_here { &self.tls_behind_us } else { &self.tls };
        let tls = timeout(HANDSHAKE, connector.connect(name, stream)).await.map_err(|_elapsed| {
            io::Error::new(io::ErrorKind::TimedOut, format!("TLS handshake with {to} timed out"))
        })??;
        let h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Stream { io: TokioIo::new(Box::new(Eager::new(tls))), h2, forwards, _place: place })
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection of the pool.
struct Stream {
    io: TokioIo<Box<dyn Io>>,
    h2: bool,
    /// Whether it ends at a proxy, which is sent whole URLs (RFC 9112 section 3.2.2).
    forwards: bool,
    _place: Seat,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.forwards);
        if self.h2 { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_broke_off_is_its_clients_fault() {
        let error = classify(&io::Error::other(BrokenOff::new("nothing came")));
        assert!(matches!(error, UpstreamError::Unreachable(_)), "an I/O error's own cause is no request's");
        let error = classify(&BrokenOff::new("nothing came"));
        assert_eq!((error.status(), error.reason()), (StatusCode::BAD_REQUEST, "request-broke-off"));
    }
}
