//! The admin listener: health, metrics, the authority's certificate, a PAC file. Reads only, and no secret.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tracing::warn;

use crate::name::Authority;
use crate::net::crowd::{Crowd, Seat};
use crate::net::deadline::WriteDeadline;
use crate::net::listen::Listener;
use crate::proxy::{Shared, ca_seconds_left};

/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);

/// Connections served at once.
const CONNECTIONS: usize = 1024;

const PLAIN: &str = "text/plain; charset=utf-8";

/// What the admin listener tells of.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    shared: Arc<Shared>,
    proxies: Arc<[SocketAddr]>,
}

type Answer = Response<Full<Bytes>>;

impl Admin {
    pub(crate) fn new(shared: Arc<Shared>, proxies: Vec<SocketAddr>) -> Self {
        Self { shared, proxies: proxies.into() }
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        // A web page must not reach this through a name of its own that points here (DNS rebinding).
        if !request.headers().get(HOST).is_some_and(is_local_name) {
            return text(StatusCode::MISDIRECTED_REQUEST, "ask by address or as localhost\n");
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.shared.tasks.is_draining() => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" if ca_seconds_left(&self.shared.authority.get()) <= 0.0 => {
                text(StatusCode::SERVICE_UNAVAILABLE, "the authority has expired: run `namewall ca renew`\n")
            }
            "/readyz" => self.ready(),
            "/metrics" => self.metrics(),
            "/ca.pem" => typed("application/x-pem-file", self.shared.authority.loaded().trusted_pem()),
            "/proxy.pac" => typed("application/x-ns-proxy-autoconfig", self.pac(request.headers().get(HOST))),
            _ => text(StatusCode::NOT_FOUND, "/livez /readyz /metrics /ca.pem /proxy.pac\n"),
        }
    }

    fn ready(&self) -> Answer {
        if let Some(id) = self.shared.policy().missing().next() {
            let mut answer = typed(PLAIN, format!("inventory {id}: its list has not come yet\n"));
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return answer;
        }
        // Ready though a config on disk is refused: who takes a proxy out of service because its next config is bad takes
        // the rules that work out of service, too, and from all of its replicas at once.
        match self.shared.standing.complaint() {
            None => text(StatusCode::OK, "ok\n"),
            Some(complaint) => typed(PLAIN, format!("ok\n{complaint}\n")),
        }
    }

    fn metrics(&self) -> Answer {
        self.shared.metrics.ca_expires_in(ca_seconds_left(&self.shared.authority.get()));
        let now = OffsetDateTime::now_utc();
        for (id, fetched, names) in self.shared.inventories.fetched(&self.shared.settings) {
            if let Some(fetched) = fetched {
                self.shared.metrics.inventory(&id, (now - fetched).as_seconds_f64().max(0.0), names);
            }
        }
        let body = self.shared.metrics.render(self.shared.policy().fingerprint(), self.shared.kept());
        typed("application/openmetrics-text; version=1.0.0; charset=utf-8", body)
    }

    /// The proxy's addresses; one that stands for all of the machine's is told as the one by which we were asked.
    fn pac(&self, host: Option<&HeaderValue>) -> String {
        let asked_at = host.and_then(|host| Authority::parse_or(host.to_str().ok()?, 80).ok()).map(|asked| asked.host);
        let proxies = self.proxies.iter().map(|address| match &asked_at {
            Some(host) if address.ip().is_unspecified() => {
                format!("PROXY {}", Authority { host: host.clone(), port: address.port() })
            }
            _ => format!("PROXY {address}"),
        });
        let proxies = proxies.collect::<Vec<_>>().join("; ");
        format!("function FindProxyForURL(url, host) {{ return \"{proxies}\"; }}\n")
    }
}

/// Accepts admin connections to the end: while the proxy drains, `/readyz` says so.
pub(crate) async fn accept_all(listener: Listener, admin: Admin) {
    // Places of its own: a full proxy must still say that it lives.
    let crowd = Crowd::new(CONNECTIONS, CONNECTIONS);
    loop {
        let (stream, peer) = listener.accept().await;
        let address = peer.ip().to_canonical();
        if !admin.shared.settings.admin_allow.iter().any(|network| network.contains(&address)) {
            warn!(client = %address, "refused a client of the admin listener: no `listen.allow` network holds it");
        } else if let Ok(seat) = crowd.enter() {
            admin.shared.tasks.spawn_until_abort(serve(stream, seat, admin.clone()));
        }
    }
}

async fn serve(stream: TcpStream, seat: Seat, admin: Admin) {
    let service = service_fn(|request| {
        let answer = admin.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
    let _ended = builder.serve_connection(TokioIo::new(WriteDeadline::new(stream)), service).await;
    drop(seat);
}

fn is_local_name(host: &HeaderValue) -> bool {
    let host = host.to_str().ok().and_then(|host| Authority::parse_or(host, 80).ok());
    host.is_some_and(|host| host.host.ip().is_some() || host.host.as_str() == "localhost")
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    let mut answer = typed(PLAIN, body.to_owned());
    *answer.status_mut() = status;
    answer
}

fn typed(content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}
