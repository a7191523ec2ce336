//! Connections that a firewall turned here: their clients know of no proxy, so what they were opened to is asked of the
//! system, and which host is meant is read from their first bytes.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use http::HeaderMap;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::Shared;
use super::account::Ticket;
use super::connect::{Route, decide};
use super::entrance::original_destination;
use super::exchange::Visit;
use super::intercepted::{intercept, serve_site};
use super::opened::{HELLO, Whose, opened, tunnel};
use super::serve::Guest;
use crate::name::Authority;
use crate::net::crowd::Seat;
use crate::net::outward::Opened;
use crate::net::peek::{FirstBytes, FirstProtocol, first_bytes};
use crate::net::prefixed::Prefixed;
use crate::net::route::Purpose;
use crate::net::stream::Stream;
use crate::pypi::site::{Site, site_of};
use crate::telemetry::metrics::TurnedAway;

/// How long a client is waited for before its server is dialled: as long as it keeps quiet, that may speak first.
const PATIENCE: Duration = Duration::from_millis(300);
/// The most of a request's head that is looked through for its Host.
const MAX_HEAD: usize = 64 * 1024;

/// Our own ends of the connections that were made for those who were turned here: one of them that comes back was turned
/// here itself, and so would the next be, without an end.
#[derive(Debug, Default)]
pub(super) struct Outgoing(Mutex<HashSet<SocketAddr>>);

/// As long as a connection of ours is open.
struct Noted<'o>(&'o Outgoing, SocketAddr);

impl Outgoing {
    fn note(&self, own: SocketAddr) -> Noted<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(own);
        Noted(self, own)
    }

    fn has(&self, peer: &SocketAddr) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(peer)
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Serves one of them.
pub(super) async fn serve(shared: Arc<Shared>, guest: Arc<Guest>, stream: TcpStream) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let original = match original_destination(&stream) {
        Ok(original) if original != local => original,
        Ok(_) => return warn!(client = %peer, "came to a transparent listener by itself: no firewall turned it here"),
        Err(error) => return warn!(client = %peer, %error, "the system doesn't say where a client wanted to go"),
    };
    let Ok(target) = original.to_string().parse::<Authority>() else { return };
    let mut client = Stream::Tcp(stream);
    let mut early = BytesMut::with_capacity(HELLO);
    match timeout(PATIENCE, client.read_buf(&mut early)).await {
        Ok(Ok(1..)) => {}
        Ok(_gone) => return,
        Err(_elapsed) => {
            let Some(Way { server, place, noted: _noted }) = dial(&shared, &target, &guest, &peer).await else {
                return;
            };
            let whose = Whose::nobodys(Ticket::unasked(&shared, guest.address, &target), place);
            return opened(Arc::clone(&shared), guest, whose, target, client, early.freeze(), Some(server)).await;
        }
    }
    let Ok(Ok(first)) = timeout(shared.settings.limits.opening, first_bytes(&mut client, &early)).await else { return };
    drop(early);
    if first.protocol == FirstProtocol::Other {
        return plain(shared, guest, target, &peer, client, first).await;
    }
    go_on(shared, guest, target, &peer, client, first).await;
}

/// What isn't TLS: a request to one of our hosts is judged, as one over TLS.
async fn plain(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    target: Authority,
    peer: &SocketAddr,
    mut client: Stream,
    mut first: FirstBytes,
) {
    let host = timeout(shared.settings.limits.opening, async {
        while is_head_under_way(&first.bytes) && client.read_buf(&mut first.bytes).await.is_ok_and(|length| length > 0)
        {
        }
    });
    let _as_far_as_it_came = host.await;
    let ours = |host: Authority| site_of(&shared.settings.sites, &host.host);
    let site = hosts(&first.bytes).find_map(ours);
    match site {
        Some(site) => {
            let visit = visit(&guest, site, false);
            Box::pin(serve_site(shared, visit, None, Prefixed::new(first.bytes, client), false)).await;
        }
        None => go_on(shared, guest, target, peer, client, first).await,
    }
}

async fn go_on(
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    target: Authority,
    peer: &SocketAddr,
    client: Stream,
    first: FirstBytes,
) {
    match decide(&shared.settings.sites, &target.host, target.host.ip(), &first) {
        Route::Intercept { site, misdirected } => {
            let visit = visit(&guest, site, misdirected);
            Box::pin(intercept(shared, visit, None, Prefixed::new(first.bytes, client))).await;
        }
        Route::Tunnel => {
            let Some(Way { server, place: _place, noted: _noted }) = dial(&shared, &target, &guest, peer).await else {
                return;
            };
            let ticket = Ticket::unasked(&shared, guest.address, &target);
            tunnel(&shared, &guest, &target, client, first.bytes.freeze(), server, &ticket).await;
        }
        Route::Close => debug!(%target, "closed: its first bytes can't be read, and may be meant for one of our hosts"),
    }
}

fn visit(guest: &Guest, site: Site, misdirected: bool) -> Visit {
    Visit { client: guest.address, user: None, site, port: 443, misdirected }
}

/// A way to where a client wanted to go.
struct Way<'s> {
    server: Opened,
    /// Its place among the tunnels.
    place: Seat,
    noted: Noted<'s>,
}

/// Opens what the client wanted to open; our own end is noted as long as the second of the two lives.
async fn dial<'s>(shared: &'s Shared, target: &Authority, guest: &Guest, peer: &SocketAddr) -> Option<Way<'s>> {
    // Told only now: by now, whoever opened it has noted it.
    if shared.outgoing.has(peer) {
        warn!(%target, "a connection of ours came back to us: the firewall has to leave out what namewall opens itself");
        return None;
    }
    let Ok(place) = shared.tunnels.enter() else {
        shared.metrics.turned_away(TurnedAway::Tunnels);
        return None;
    };
    match shared.dialer.open(target, Purpose::Tunnel, &HeaderMap::new(), shared.errand_of(guest.address)).await {
        Ok(server) => {
            let noted = shared.outgoing.note(server.own?);
            Some(Way { server, place, noted })
        }
        Err(error) => {
            shared.count_refused(&error);
            debug!(%target, %error, "where a client wanted to go can't be reached");
            None
        }
    }
}

/// Whether this may be the beginning of a request's head, and more of it is needed.
fn is_head_under_way(bytes: &[u8]) -> bool {
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_method = (1..=20).contains(&method.len()) && method.iter().all(u8::is_ascii_uppercase);
    is_method && bytes.len() < MAX_HEAD && memchr::memmem::find(bytes, b"\r\n\r\n").is_none()
}

/// What the Host fields of the head in `bytes` say.
fn hosts(bytes: &[u8]) -> impl Iterator<Item = Authority> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).skip(1);
    lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        let value = std::str::from_utf8(value).ok().filter(|_| name.eq_ignore_ascii_case(b"host"))?;
        Authority::parse_or(value.trim(), 80).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_looked_through_for_its_host() {
        let hosts = |head: &str| hosts(head.as_bytes()).map(|host| host.to_string()).collect::<Vec<_>>();
        assert_eq!(hosts("GET / HTTP/1.1\r\naccept: */*\r\nHOST:PyPI.org\r\n\r\nhost: b"), ["pypi.org:80"]);
        assert_eq!(hosts("GET / HTTP/1.1\nhost: a:8080\nhost: b\n\n"), ["a:8080", "b:80"]);
        assert!(hosts("host: a\r\n\r\n").is_empty() && hosts("").is_empty());
    }

    #[test]
    fn only_what_may_be_a_head_is_waited_for() {
        for under_way in ["GET", "GET / HTTP/1.1\r\nhost:", "PROPFIND "] {
            assert!(is_head_under_way(under_way.as_bytes()), "{under_way}");
        }
        for other in ["SSH-2.0-x\r\n", "", "get / ", "GET / HTTP/1.1\r\n\r\n", "\0\x01"] {
            assert!(!is_head_under_way(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn what_is_ours_is_known_as_long_as_it_is_open() {
        let (outgoing, own) = (Outgoing::default(), "192.0.2.1:40000".parse().unwrap());
        let noted = outgoing.note(own);
        assert!(outgoing.has(&own));
        drop(noted);
        assert!(!outgoing.has(&own));
    }
}
