//! What CONNECT opens: dials, waits for whoever speaks first, and tunnels or looks inside.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tracing::{debug, info};

use super::account::{Entry, Ticket};
use super::body::{Body, empty};
use super::connect::{Route, decide};
use super::exchange::Visit;
use super::intercepted::intercept;
use super::reply::closing;
use super::serve::Guest;
use super::upstream::UpstreamError;
use super::{Shared, reply};
use crate::name::Authority;
use crate::net::crowd::Seat;
use crate::net::deadline::WriteDeadline;
use crate::net::dial::DialError;
use crate::net::outward::Opened;
use crate::net::peek::first_bytes;
use crate::net::prefixed::Prefixed;
use crate::net::route::Purpose;
use crate::net::stream::Stream;
use crate::net::tunnel::{Early, Terms, carry};
use crate::pypi::mirrors::known_mirror;
use crate::pypi::site::site_of;
use crate::telemetry::metrics::TurnedAway;

/// The most of an ordinary ClientHello, with a post-quantum key share.
pub(super) const HELLO: usize = 2048;
/// Opens a tunnel, or prepares to look inside. All that is in it is of the user who asked for it.
pub(super) async fn connect(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    user: Option<Arc<str>>,
    entry: &Entry,
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
    let (tasks, ticket) = (shared.tasks.clone(), entry.ticket());
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

/// Whose a connection is, and what is written of it when it ends.
#[derive(Debug)]
struct Whose {
    user: Option<Arc<str>>,
    ticket: Ticket,
    /// Its place among the tunnels.
    _place: Option<Seat>,
}

/// A connection that leads to `target`: waits for whoever speaks first, and decides.
async fn opened(
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
            Box::pin(intercept(shared, visit, Some(whose.ticket), Prefixed::new(up, client))).await;
        }
        (Route::Tunnel, Some(server)) => {
            tunnel(&shared, &guest, &target, client, up, server, &whose.ticket).await;
        }
        (Route::Tunnel, None) | (Route::Close, _) => {
            debug!(host = %target.host, "closed: nothing but TLS is spoken with an intercepted host");
        }
    }
}

/// Whether the server has sent something before the client did (SSH, SMTP, MySQL do). What the client has sent is in `up`.
pub(super) async fn server_speaks_first(
    client: &mut Stream,
    up: &mut BytesMut,
    server: &mut Opened,
    patience: Duration,
) -> bool {
    // A ClientHello in one read, mostly.
    up.reserve(HELLO);
    tokio::select! {
        biased;
        _ = client.read_buf(up) => false,
        () = server.speaks() => true,
        () = tokio::time::sleep(patience) => false,
    }
}

/// Carries what is said between a client and a server, to the end.
pub(super) async fn tunnel(
    shared: &Shared,
    guest: &Guest,
    target: &Authority,
    client: Stream,
    up: Bytes,
    server: Opened,
    ticket: &Ticket,
) {
    if let Some(mirror) = known_mirror(&target.host) {
        let (host, advice) = (&target.host, "name it under [[intercept]] as a mirror to protect names there, too");
        info!(%host, index = mirror.index, advice, "a public mirror of PyPI is tunnelled, so nothing is hidden on it");
    }
    shared.metrics.tunnels.inc();
    let pace = shared.paces.of(guest.address);
    let early = Early { up, down: server.early };
    let all = &shared.metrics.carried.tunnel;
    let terms = Terms {
        limits: (&shared.settings.limits).into(),
        pace: pace.as_ref(),
        all_up: all.up.inner(),
        all_down: all.down.inner(),
        down: ticket.carried(),
    };
    let (carried, end) = carry(client, early, server.stream, terms).await;
    shared.metrics.tunnels.dec();
    debug!(host = %target.host, port = target.port, up = carried.up, down = carried.down, ?end, "tunnel closed");
}
