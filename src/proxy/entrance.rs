//! How clients come in: what the listener that they come by wants of them before their first request, and how many may.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};

use super::followed::{Followed, pause};
use super::{Shared, serve};
use crate::config::reload::Look;
use crate::config::{ListenerSettings, ListenerTls};
use crate::net::crowd::{Crowd, Full, Seat};
use crate::net::listen::Listener;
use crate::net::proxy_protocol::{self, Brought, HeaderError};
use crate::telemetry::metrics::TurnedAway;
use crate::telemetry::standing::Source;
use crate::tls::listener::{IdentityError, ListenerIdentity};

/// Connections that are told at once that there is no place for them; more are closed without a word.
const REFUSALS: usize = 256;

/// What a listener wants of those who come by it.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) settings: ListenerSettings,
    pub(super) identity: Option<ListenerIdentity>,
    /// Places for those who are told that there is none.
    refusals: Arc<Semaphore>,
    /// The identity's files, before they were read.
    seen: Look,
}

/// A connection that has come.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    /// The other end.
    pub(super) peer: SocketAddr,
    pub(super) seat: Seat,
}

/// Why somebody may not come in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwelcome {
    /// It is in no network that is served.
    #[error("no `allow` network holds {0}")]
    Network(IpAddr),
    /// It is no load balancer of ours.
    #[error("no `proxy-protocol` network holds it, and this listener is for load balancers alone")]
    NoBalancer,
    /// It didn't say whom it brings.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

impl Entrance {
    /// Reads what the listener needs.
    pub(super) fn open(settings: ListenerSettings) -> Result<Self, IdentityError> {
        let seen = settings.tls.as_ref().map_or_else(|| Look::at::<&Path>([]), look_at);
        let identity = settings.tls.as_ref().map(ListenerIdentity::read).transpose()?;
        Ok(Self { settings, identity, seen, refusals: Arc::new(Semaphore::new(REFUSALS)) })
    }

    /// A place to hear why there is none; without one, not even that is told: the next one asks again.
    pub(super) fn refusal(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.refusals).try_acquire_owned().ok()
    }

    /// Who it is that has come, if it may come in. Set a deadline around it.
    pub(super) async fn client(&self, stream: &mut TcpStream, peer: SocketAddr) -> Result<IpAddr, Unwelcome> {
        let peer = peer.ip().to_canonical();
        let is_in = |networks: &[ipnet::IpNet], address: IpAddr| networks.iter().any(|one| one.contains(&address));
        let client = if self.settings.balancers.is_empty() {
            peer
        } else if !is_in(&self.settings.balancers, peer) {
            return Err(Unwelcome::NoBalancer);
        } else {
            match proxy_protocol::read(stream).await? {
                Brought::Client(client) => client.ip().to_canonical(),
                Brought::Somebody => peer,
                // What it does for itself it may: it could bring whomever it likes.
                Brought::Nobody => return Ok(peer),
            }
        };
        if is_in(&self.settings.allow, client) { Ok(client) } else { Err(Unwelcome::Network(client)) }
    }
}

/// Serves whoever comes by `listener` until the proxy drains.
pub(super) async fn accept_all(listener: Listener, entrance: Arc<Entrance>, shared: Arc<Shared>, crowd: Crowd) {
    loop {
        let (stream, peer) = tokio::select! {
            () = shared.tasks.draining() => return,
            arrived = listener.accept() => arrived,
        };
        match crowd.enter() {
            Ok(seat) => {
                let arrival = Arrival { stream, peer, seat };
                shared.tasks.spawn(serve::serve(Arc::clone(&shared), Arc::clone(&entrance), arrival));
            }
            Err(full) => {
                shared.metrics.turned_away(full.into());
                let Some(place) = entrance.refusal() else { continue };
                let (entrance, telling) = (Arc::clone(&entrance), Arc::clone(&shared));
                shared.tasks.spawn(async move {
                    serve::refuse(&telling, &entrance, stream, peer, full).await;
                    drop(place);
                });
            }
        }
    }
}

/// Follows the files of the listeners that speak TLS, which were seen before they were read: a certificate is renewed
/// without a connection that is lost.
pub(super) async fn follow(entrances: Vec<Arc<Entrance>>, shared: Arc<Shared>) {
    let mut asked = shared.asked.subscribe();
    let mut certificates = Certificate::all(entrances);
    while !certificates.is_empty() {
        let restless = certificates.iter().any(|one| one.followed.is_restless());
        let is_asked = pause(&mut asked, restless).await;
        let shared = Arc::clone(&shared);
        let looked = tokio::task::spawn_blocking(move || {
            certificates.iter_mut().for_each(|one| one.look(&shared, is_asked));
            certificates
        });
        // It only ends so when it panicked: what is in force stays.
        let Ok(looking) = looked.await else { return };
        certificates = looking;
    }
}

/// A certificate, and the listeners that show it.
struct Certificate {
    files: ListenerTls,
    entrances: Vec<Arc<Entrance>>,
    followed: Followed,
}

impl Certificate {
    /// Those of all listeners: one with several addresses has one.
    fn all(entrances: Vec<Arc<Entrance>>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for entrance in entrances {
            let Some(identity) = &entrance.identity else { continue };
            let files = identity.files().clone();
            if let Some(same) = all.iter_mut().find(|one| one.files == files) {
                same.entrances.push(entrance);
                continue;
            }
            let followed = Followed::new(Source::Certificate(files.cert.clone()), entrance.seen.clone());
            all.push(Self { files, entrances: vec![entrance], followed });
        }
        all
    }

    fn look(&mut self, shared: &Shared, asked: bool) {
        if !self.followed.is_due(look_at(&self.files), asked) {
            return;
        }
        let mut identities = self.entrances.iter().filter_map(|entrance| entrance.identity.as_ref());
        match identities.try_for_each(ListenerIdentity::read_again) {
            Ok(()) => {
                let cert = self.files.cert.display();
                info!(%cert, "a listener's certificate was read again, and is in force");
                self.followed.accepted(shared);
            }
            Err(error) => self.followed.refused(shared, error.to_string()),
        }
    }
}

fn look_at(files: &ListenerTls) -> Look {
    Look::at([&files.cert, &files.key])
}

/// Where a connection that a firewall turned here was opened to.
#[cfg(target_os = "linux")]
pub(super) fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    use rustix::net::sockopt::{ip_original_dst, ipv6_original_dst};
    let local = stream.local_addr()?;
    let original = if local.ip().to_canonical().is_ipv4() {
        ip_original_dst(stream).map(SocketAddr::V4)
    } else {
        ipv6_original_dst(stream).map(SocketAddr::V6)
    };
    original.map_err(io::Error::from)
}

/// There is no such thing here: the config refuses it.
#[cfg(not(target_os = "linux"))]
pub(super) fn original_destination(_: &TcpStream) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

impl From<Full> for TurnedAway {
    fn from(full: Full) -> Self {
        match full {
            Full::All => Self::Connections,
            Full::OfOne => Self::ClientConnections,
        }
    }
}

impl From<&Unwelcome> for TurnedAway {
    fn from(unwelcome: &Unwelcome) -> Self {
        match unwelcome {
            Unwelcome::Network(_) => Self::Network,
            Unwelcome::NoBalancer | Unwelcome::Header(_) => Self::ProxyHeader,
        }
    }
}

/// Says why somebody was not let in: what is likely to be a mistake of the config's.
pub(super) fn tell(unwelcome: &Unwelcome, peer: SocketAddr) {
    warn!(peer = %peer.ip().to_canonical(), "refused a client: {unwelcome}");
}
