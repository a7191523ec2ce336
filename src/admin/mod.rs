//! The admin listener: health, metrics, decisions, the status page, the authority's certificate, a PAC file. Reads only, and no secret.

mod decisions;
mod events;
mod pac;
mod page;
mod reply;
mod status;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ALLOW, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tracing::warn;

pub(crate) use self::pac::Reachable;
use self::reply::{Answer, PLAIN, text, typed, with_body};
use crate::name::{Authority, HostName};
use crate::net::crowd::{Crowd, Seat};
use crate::net::deadline::WriteDeadline;
use crate::net::listen::Listener;
use crate::proxy::{Shared, ca_seconds_left};
use crate::telemetry::recent::Id;
use crate::telemetry::samples::{PACE, Samples};

/// How long a request's head may take, and how long a connection may idle: longer than collectors of metrics pause.
const HEAD: Duration = Duration::from_secs(90);

/// Connections served at once.
const CONNECTIONS: usize = 1024;
/// What there is.
const PATHS: &str = "/ /status.json /livez /readyz /metrics /decisions /ca.pem /proxy.pac\n";

/// What the admin listener tells of.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    shared: Arc<Shared>,
    proxies: Arc<[Reachable]>,
    followers: Arc<Semaphore>,
    samples: Arc<Samples>,
    began: Instant,
}

impl Admin {
    pub(crate) fn new(shared: Arc<Shared>, proxies: Vec<Reachable>) -> Self {
        let followers = Arc::new(Semaphore::new(events::FOLLOWERS));
        let samples = Arc::<Samples>::default();
        samples.take(&shared.metrics);
        Self { shared, proxies: proxies.into(), followers, samples, began: Instant::now() }
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        // A web page must not reach this through a name of its own that points here (DNS rebinding).
        if !request.headers().get(HOST).is_some_and(|host| self.is_our_name(host)) {
            let help = "ask by address, as localhost, or by a name that listen.admin-hosts lists\n";
            return text(StatusCode::MISDIRECTED_REQUEST, help);
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready(),
            "/metrics" => self.metrics(),
            "/status.json" => typed("application/json", status::json(self).to_string()),
            "/decisions" => self.decisions(request),
            "/ca.pem" => typed("application/x-pem-file", self.shared.authority.loaded().trusted_pem()),
            "/proxy.pac" => pac::answer(&self.proxies, request.headers().get(HOST)),
            path => page::answer(path).unwrap_or_else(|| text(StatusCode::NOT_FOUND, PATHS)),
        }
    }

    fn decisions(&self, request: &Request<Incoming>) -> Answer {
        // Kept as soon as there is an admin listener.
        let Some(recent) = self.shared.decisions.recent() else {
            return text(StatusCode::NOT_FOUND, "decisions are not kept\n");
        };
        let query = request.uri().query();
        if request.method() == Method::HEAD || !wants_events(request.headers()) {
            return decisions::answer(recent, query);
        }
        let Ok(place) = Arc::clone(&self.followers).try_acquire_owned() else {
            let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "too many follow already\n");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            return answer;
        };
        let last_seen = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).map(Id::parse);
        let known = last_seen.or_else(|| decisions::known(query));
        with_body("text/event-stream", events::follow(recent, known, place, &self.shared.tasks))
    }

    fn ready(&self) -> Answer {
        if let Some(reason) = self.unready() {
            let mut answer = typed(PLAIN, format!("{reason}\n"));
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

    /// Why no request should come here, if that is so.
    fn unready(&self) -> Option<String> {
        if self.shared.tasks.is_draining() {
            return Some("draining".to_owned());
        }
        if ca_seconds_left(&self.shared.authority.get()) <= 0.0 {
            return Some("the authority has expired: run `namewall ca renew`".to_owned());
        }
        let policy = self.shared.policy();
        policy.missing().next().map(|id| format!("inventory {id}: its list has not come yet"))
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

    /// Whether the request means this listener, and not a name that somebody made lead here.
    fn is_our_name(&self, host: &HeaderValue) -> bool {
        let host = host.to_str().ok().and_then(|host| Authority::parse_or(host, 80).ok()).map(|asked| asked.host);
        let is_listed = |host: &HostName| self.shared.settings.admin_hosts.contains(host);
        host.is_some_and(|host| host.ip().is_some() || host.as_str() == "localhost" || is_listed(&host))
    }
}

/// Accepts admin connections to the end: while the proxy drains, `/readyz` says so.
pub(crate) async fn accept_all(listener: Listener, admin: Admin) {
    // Places of its own: a full proxy must still say that it lives.
    let crowd = Crowd::new(CONNECTIONS, CONNECTIONS);
    admin.shared.tasks.spawn_until_abort(measure(admin.clone()));
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

async fn measure(admin: Admin) {
    loop {
        tokio::time::sleep(PACE).await;
        admin.samples.take(&admin.shared.metrics);
    }
}

async fn serve(stream: TcpStream, seat: Seat, admin: Admin) {
    let service = service_fn(|request| {
        let answer = admin.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let _ended = builder.serve_connection(TokioIo::new(WriteDeadline::new(stream)), service).await;
    drop(seat);
}

/// Whether the asker wants to hear of what is to come.
fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).filter_map(|part| part.split(';').next());
    types.any(|named| named.trim().eq_ignore_ascii_case("text/event-stream"))
}
