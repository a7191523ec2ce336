//! Connections that a firewall turned here: their clients know of no proxy, so what they were opened to is asked of the
//! system, and which host is meant is read from their first bytes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
use super::opened::{HELLO, server_speaks_first, tunnel};
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

/// Our own ends of the connections that were made for those who were turned here, and how many there are of each: one of
/// them that comes back was turned here itself, and so would the next be, without an end.
#[derive(Debug, Default)]
pub(super) struct Outgoing(Mutex<HashMap<SocketAddr, usize>>);

/// As long as a connection of ours is open.
struct Noted<'o>(&'o Outgoing, SocketAddr);

impl Outgoing {
    fn note(&self, own: SocketAddr) -> Noted<'_> {
        let own = canonical(own);
        *self.open().entry(own).or_default() += 1;
        Noted(self, own)
    }

    fn has(&self, peer: SocketAddr) -> bool {
        self.open().contains_key(&canonical(peer))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SocketAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        // The system gives one port to several connections, if they lead to different places.
        if let Entry::Occupied(mut same) = self.0.open().entry(self.1) {
            *same.get_mut() -= 1;
            if *same.get() == 0 {
                same.remove();
            }
        }
    }
}

/// An address as all write it: on a listener for both families, those of the older one look like the newer's.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A connection that was turned here.
struct Turned {
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    peer: SocketAddr,
    /// What it was opened to.
    target: Authority,
}

/// A way to where a client wanted to go.
struct Way<'t> {
    server: Opened,
    /// Its place among the tunnels.
    _place: Seat,
    /// Our own end is noted as long as one of the two lives.
    _noted: Noted<'t>,
}

/// Serves one of them.
pub(super) async fn serve(shared: Arc<Shared>, guest: Arc<Guest>, stream: TcpStream) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let original = match original_destination(&stream).map(canonical) {
        Ok(original) if original != canonical(local) => original,
        Ok(_) => return warn!(client = %peer, "came to a transparent listener by itself: no firewall turned it here"),
        Err(error) => return warn!(client = %peer, %error, "the system doesn't say where a client wanted to go"),
    };
    let Ok(target) = original.to_string().parse::<Authority>() else { return };
    Turned { shared, guest, peer, target }.serve(Stream::Tcp(stream)).await;
}

impl Turned {
    async fn serve(&self, mut client: Stream) {
        let limits = &self.shared.settings.limits;
        let mut early = BytesMut::with_capacity(HELLO);
        let mut way = None;
        match timeout(PATIENCE, client.read_buf(&mut early)).await {
            Ok(Ok(1..)) => {}
            Ok(_gone) => return,
            Err(_elapsed) => {
                let Some(mut dialled) = self.dial().await else { return };
                if server_speaks_first(&mut client, &mut early, &mut dialled.server, limits.tunnel_idle).await {
                    return self.tunnel(client, BytesMut::new(), dialled).await;
                }
                way = Some(dialled);
            }
        }
        let Ok(Ok(first)) = timeout(limits.opening, first_bytes(&mut client, &early)).await else { return };
        drop(early);
        if first.protocol == FirstProtocol::Other {
            return self.plain(client, first, way).await;
        }
        self.go_on(client, first, way).await;
    }

    /// What isn't TLS: a request to one of our hosts is judged, as one over TLS.
    async fn plain(&self, mut client: Stream, mut first: FirstBytes, way: Option<Way<'_>>) {
        let host = timeout(self.shared.settings.limits.opening, async {
            while is_head_under_way(&first.bytes)
                && client.read_buf(&mut first.bytes).await.is_ok_and(|length| length > 0)
            {}
        });
        let _as_far_as_it_came = host.await;
        let ours = |host: Authority| site_of(&self.shared.settings.sites, &host.host);
        let site = hosts(&first.bytes).find_map(ours);
        match site {
            Some(site) => {
                drop(way);
                let visit = self.visit(site, false);
                let client = Prefixed::new(first.bytes, client);
                Box::pin(serve_site(Arc::clone(&self.shared), visit, None, client, false)).await;
            }
            None => self.go_on(client, first, way).await,
        }
    }

    async fn go_on(&self, client: Stream, first: FirstBytes, way: Option<Way<'_>>) {
        let target = &self.target;
        match decide(&self.shared.settings.sites, &target.host, target.host.ip(), &first) {
            Route::Intercept { site, misdirected } => {
                drop(way);
                let visit = self.visit(site, misdirected);
                Box::pin(intercept(Arc::clone(&self.shared), visit, None, Prefixed::new(first.bytes, client))).await;
            }
            Route::Tunnel if self.is_denied(&first) => {}
            Route::Tunnel => {
                let way = match way {
                    Some(way) => way,
                    None => {
                        let Some(way) = self.dial().await else { return };
                        way
                    }
                };
                self.tunnel(client, first.bytes, way).await;
            }
            Route::Close => {
                debug!(%target, "closed: its first bytes can't be read, and may be meant for one of our hosts");
            }
        }
    }

    /// Whether the name that the client says is one to which nobody is let out; to which address it goes is judged when
    /// that is dialled. Who is let out by name is not: anybody can say a name.
    fn is_denied(&self, first: &FirstBytes) -> bool {
        let port = self.target.port;
        let named: Vec<Authority> = match &first.protocol {
            FirstProtocol::Tls { server_name } => {
                server_name.iter().map(|name| Authority { host: name.clone(), port }).collect()
            }
            _ => hosts(&first.bytes).map(|said| Authority { port, ..said }).collect(),
        };
        let Some(denied) = named.iter().find(|name| self.shared.settings.exits.deny.cover(name)) else { return false };
        self.shared.metrics.turned_away(TurnedAway::Destination);
        debug!(client = %self.guest.address, host = %denied.host, "nobody is let out to that name");
        true
    }

    async fn tunnel(&self, client: Stream, up: BytesMut, way: Way<'_>) {
        let ticket = Ticket::unasked(&self.shared, self.guest.address, &self.target);
        tunnel(&self.shared, &self.guest, &self.target, client, up.freeze(), way.server, &ticket).await;
    }

    fn visit(&self, site: Site, misdirected: bool) -> Visit {
        Visit { client: self.guest.address, user: None, site, port: 443, misdirected }
    }

    /// Opens what the client wanted to open.
    async fn dial(&self) -> Option<Way<'_>> {
        let Self { shared, guest, peer, target } = self;
        // Told only now: by now, whoever opened it has noted it.
        if shared.outgoing.has(*peer) {
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
                Some(Way { server, _place: place, _noted: noted })
            }
            Err(error) => {
                shared.count_refused(&error);
                debug!(%target, %error, "where a client wanted to go can't be reached");
                None
            }
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
        let noted = (outgoing.note(own), outgoing.note(own));
        // As it looks on a listener for both families.
        assert!(outgoing.has(own) && outgoing.has("[::ffff:192.0.2.1]:40000".parse().unwrap()));
        drop(noted.0);
        assert!(outgoing.has(own), "the other is still open");
        drop(noted.1);
        assert!(!outgoing.has(own));
    }
}
