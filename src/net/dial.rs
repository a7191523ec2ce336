//! Opens upstream connections: directly or through a parent; both address families, one deadline, `connect-to`.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;

use super::exits::{Errand, Refused};
use super::lookup::Lookups;
use super::outward::Opened;
use super::own::Own;
use super::parent::{self, ParentError, Way};
use super::route::Purpose;
use super::stream::Stream;
use super::via::Pseudonym;
use crate::config::{Parent, Parents, Scheme};
use crate::name::{Authority, HostName};

/// How long connecting may take, all addresses together.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one address is tried before the next is tried beside it (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Of a host's addresses so many are asked of a parent at most, and none after [`CONNECT`]: how many a name has, and how long each
/// takes to fail, its owner decides.
const ASKED: usize = 6;

/// Opens connections.
pub struct Dialer {
    parents: Parents,
    /// For parents that are spoken to over TLS.
    tls: Option<TlsConnector>,
    pseudonym: Pseudonym,
    connect_to: HashMap<Authority, Authority>,
    own: Own,
    lookups: Lookups,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address.
    #[error("cannot resolve {host}: {cause}")]
    Resolve {
        /// The host.
        host: HostName,
        /// What the resolver says.
        cause: io::Error,
    },
    /// No address answered.
    #[error("cannot connect to {to}: {cause}")]
    Connect {
        /// The host and port.
        to: Authority,
        /// What the last address tried says.
        cause: io::Error,
    },
    /// The deadline passed.
    #[error("connecting to {0} took more than {limit} s", limit = CONNECT.as_secs())]
    Timeout(Authority),
    /// The destination is this proxy.
    #[error("{0} is this proxy itself")]
    Loop(Authority),
    /// Clients are not let out there.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The parent proxy can't be reached.
    #[error("cannot reach the parent proxy {parent}: {cause}")]
    NoParent {
        /// The parent, without credentials.
        parent: String,
        /// Why not.
        cause: Box<Self>,
    },
    /// The parent proxy gives no way.
    #[error("cannot connect to {to} through the parent proxy {parent}: {cause}")]
    Parent {
        /// The host and port.
        to: Authority,
        /// The parent, without credentials.
        parent: String,
        /// Why not.
        cause: ParentError,
    },
}

impl DialError {
    /// Whether somebody took too long.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::NoParent { cause, .. } => cause.is_timeout(),
            Self::Parent { cause, .. } => cause.is_timeout(),
            Self::Resolve { .. } | Self::Connect { .. } | Self::Loop(_) | Self::Refused(_) => false,
        }
    }

    /// Whether the way leads back to this proxy.
    #[must_use]
    pub const fn is_loop(&self) -> bool {
        match self {
            Self::Loop(_) => true,
            Self::NoParent { cause, .. } => cause.is_loop(),
            Self::Parent { cause, .. } => cause.is_loop(),
            Self::Resolve { .. } | Self::Connect { .. } | Self::Timeout(_) | Self::Refused(_) => false,
        }
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("parents", &self.parents).field("own", &self.own).finish_non_exhaustive()
    }
}

impl Dialer {
    /// A dialer that dials elsewhere for the keys of `connect_to`, and never `own` addresses.
    #[must_use]
    pub fn new(connect_to: HashMap<Authority, Authority>, own: Vec<SocketAddr>) -> Self {
        Self {
            parents: Parents::default(),
            tls: None,
            pseudonym: Pseudonym::default(),
            connect_to,
            own: Own::new(own),
            lookups: Lookups::default(),
        }
    }

    /// The same through `parents`, of which those that are spoken to over TLS are verified as `tls` says.
    #[must_use]
    pub fn through(self, parents: Parents, tls: &rustls::ClientConfig) -> Self {
        Self { parents, tls: Some(TlsConnector::from(Arc::new(tls.clone()))), ..self }
    }

    /// By what name this proxy is known to its parents.
    #[must_use]
    pub const fn pseudonym(&self) -> &Pseudonym {
        &self.pseudonym
    }

    /// The parent through which `to` is reached.
    #[must_use]
    pub fn parent(&self, to: &Authority, purpose: Purpose) -> Option<&Arc<Parent>> {
        self.parents.to(to, purpose)
    }

    /// The parent that is sent requests to `http://` URLs of `to`, and sends them on: many refuse CONNECT to port 80.
    /// One for which `connect-to` says something goes through a tunnel, for its URL is another's.
    #[must_use]
    pub fn forwarder(&self, to: &Authority) -> Option<&Arc<Parent>> {
        let parent = self.parent(to, Purpose::PlainHttp)?;
        (parent.scheme.is_http() && !self.connect_to.contains_key(to)).then_some(parent)
    }

    /// The first parent that is one of our own listeners, as far as that is known without asking anybody.
    #[must_use]
    pub fn looped(&self) -> Option<&Arc<Parent>> {
        self.parents.all().find(|parent| {
            let Authority { host, port } = &parent.address;
            let of_name = || (host.as_str() == "localhost").then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
            host.ip().or_else(of_name).is_some_and(|ip| self.own.is(&SocketAddr::new(ip, *port)))
        })
    }

    /// Opens the way to `to` for `purpose`, directly or through a parent, on behalf of a request that came with `headers`.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn open(
        &self,
        to: &Authority,
        purpose: Purpose,
        headers: &HeaderMap,
        errand: Errand<'_>,
    ) -> Result<Opened, DialError> {
        errand.by_name(to)?;
        // Where `connect-to` leads is the config's word.
        let errand = if self.connect_to.contains_key(to) { Errand::Own } else { errand };
        let Some(parent) = self.parent(to, purpose) else {
            let tcp = self.dial_as(self.connect_to.get(to).unwrap_or(to), errand).await?;
            let reached = tcp.peer_addr().ok().map(|address| address.ip());
            let own = tcp.local_addr().ok();
            let stream = Stream::Tcp(tcp);
            return Ok(Opened { stream, early: Bytes::new(), reached, own, parent: None, forwards: false });
        };
        if parent.scheme != Scheme::Socks5 {
            errand.unseen(to)?;
        }
        let forwards = purpose == Purpose::PlainHttp && self.forwarder(to).is_some();
        let to = self.connect_to.get(to).unwrap_or(to);
        let via = self.pseudonym.after(headers);
        let shown = || parent.to_string();
        // A way through SOCKS with addresses begins with a look-up here.
        let targets = if parent.scheme == Scheme::Socks5 {
            let addresses = errand.permitted(to, self.resolve(&to.host, errand).await?)?;
            interleave(&addresses).take(ASKED).map(|ip| Authority { host: ip.into(), port: to.port }).collect()
        } else {
            vec![to.clone()]
        };
        // The parent's way back here would be met as that of the parent's machine, which may be this one.
        if targets.iter().any(|target| self.own.is_named(target)) {
            return Err(DialError::Loop(to.clone()));
        }
        let begun = Instant::now();
        let mut failed = None;
        for target in targets {
            let reached_parent = self.dial_as(&parent.address, Errand::Own).await;
            let tcp =
                reached_parent.map_err(|cause| DialError::NoParent { parent: shown(), cause: Box::new(cause) })?;
            let own = tcp.local_addr().ok();
            let way = if forwards { Way::Forward } else { Way::Tunnel { to: &target, via: &via } };
            match parent::open(parent, tcp, self.tls.as_ref(), way).await {
                Ok((stream, early)) => {
                    let reached = target.host.ip();
                    return Ok(Opened { stream, early, reached, own, parent: Some(Arc::clone(parent)), forwards });
                }
                // Another address of the same host may be one that the proxy can reach.
                Err(cause @ ParentError::Socks(_)) if begun.elapsed() < CONNECT => failed = Some(cause),
                Err(cause) => return Err(DialError::Parent { to: to.clone(), parent: shown(), cause }),
            }
        }
        let cause = failed.unwrap_or(ParentError::Closed);
        Err(DialError::Parent { to: to.clone(), parent: shown(), cause })
    }

    /// Connects to `to`, or to where `connect-to` says, with TCP_NODELAY set; never through a parent.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial(&self, to: &Authority) -> Result<TcpStream, DialError> {
        self.dial_as(self.connect_to.get(to).unwrap_or(to), Errand::Own).await
    }

    async fn dial_as(&self, to: &Authority, errand: Errand<'_>) -> Result<TcpStream, DialError> {
        let addresses = errand.permitted(to, self.resolve(&to.host, errand).await?)?;
        let deadline = Instant::now() + CONNECT;
        let addresses: Vec<_> = interleave(&addresses).map(|ip| SocketAddr::new(ip, to.port)).collect();
        if addresses.iter().any(|address| self.own.is(address)) {
            return Err(DialError::Loop(to.clone()));
        }
        match tokio::time::timeout_at(deadline, connect_any(addresses)).await {
            Ok(Ok(stream)) if self.own.is_end_of(&stream) => Err(DialError::Loop(to.clone())),
            Ok(Ok(stream)) => {
                // Nagle and delayed ACKs together cost 40 ms on every fresh connection.
                let _best_effort = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(cause)) => Err(DialError::Connect { to: to.clone(), cause }),
            Err(_elapsed) => Err(DialError::Timeout(to.clone())),
        }
    }

    async fn resolve(&self, host: &HostName, errand: Errand<'_>) -> Result<Vec<IpAddr>, DialError> {
        let found = self.lookups.addresses(host, errand).await;
        found.map_err(|cause| DialError::Resolve { host: host.clone(), cause })
    }
}

/// The addresses, families alternating, the resolver's first family first (RFC 8305 section 4).
fn interleave(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let six_first = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (mut first, mut second): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().partition(|address| address.is_ipv6() == six_first);
    first.reverse();
    second.reverse();
    let mut from_first = false;
    std::iter::from_fn(move || {
        from_first = !from_first;
        if from_first { first.pop().or_else(|| second.pop()) } else { second.pop().or_else(|| first.pop()) }
    })
}

/// The first of `addresses` that answers; each is given a head start over the next.
async fn connect_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut last_error = io::Error::from(io::ErrorKind::NotFound);
    let mut waiting = addresses.into_iter();
    loop {
        let next = waiting.next();
        let none_left = next.is_none();
        if let Some(address) = next {
            #[expect(clippy::disallowed_methods, reason = "the one place that connects")]
            attempts.spawn(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(last_error);
        }
        let outcome = tokio::select! {
            outcome = attempts.join_next() => outcome,
            () = sleep(STAGGER), if !none_left => continue,
        };
        match outcome {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => last_error = error,
            Some(Err(error)) => last_error = io::Error::other(error),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::lookup::LOOKUPS;
    use super::super::lookup::tests::{LOCAL, hanging};
    use super::super::own::tests::reached_by_others;
    use super::*;
    use crate::config::Exits;

    fn authority(text: &str) -> Authority {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn connect_to_dials_elsewhere() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let elsewhere = HashMap::from([(authority("pypi.org:443"), authority(&address.to_string()))]);
        let stream = Dialer::new(elsewhere, vec![]).dial(&authority("pypi.org:443")).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_dead_address_is_an_error_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = Dialer::new(HashMap::new(), vec![]).dial(&authority(&address.to_string())).await.unwrap_err();
        assert!(matches!(error, DialError::Connect { .. }), "{error}");
    }

    #[tokio::test]
    async fn it_never_dials_itself() {
        for (own, to) in [
            ("127.0.0.1:3128", "127.0.0.1:3128"),
            ("0.0.0.0:3128", "127.0.0.1:3128"),
            ("127.0.0.1:3128", "[::ffff:127.0.0.1]:3128"),
            ("127.0.0.1:3128", "0.0.0.0:3128"),
        ] {
            let dialer = Dialer::new(HashMap::new(), vec![own.parse().unwrap()]);
            assert!(matches!(dialer.dial(&authority(to)).await, Err(DialError::Loop(_))), "{own} {to}");
        }
    }

    #[tokio::test]
    async fn clients_names_that_hang_keep_nobody_from_pypi() {
        let pypi = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (lookups, _end) = hanging(LOCAL, Duration::from_millis(500));
        let dialer = Arc::new(Dialer { lookups, ..Dialer::new(HashMap::new(), vec![]) });
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for number in 0..LOOKUPS * 2 {
            let dialer = Arc::clone(&dialer);
            clients.spawn(async move {
                let errand = Errand::Client { exits: &Exits::default(), is_local: false };
                let to = authority(&format!("{number}.hangs.example:443"));
                dialer.open(&to, Purpose::Tunnel, &HeaderMap::new(), errand).await.map(|_| ())
            });
        }
        tokio::task::yield_now().await;
        let port = pypi.local_addr().unwrap().port();
        dialer.dial(&authority(&format!("pypi.org:{port}"))).await.unwrap();
        assert!(clients.try_join_next().is_none(), "they all wait still");
        while let Some(outcome) = clients.join_next().await {
            let error = outcome.unwrap().unwrap_err();
            assert!(matches!(error, DialError::Resolve { .. }), "{error}");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn who_listens_anywhere_is_not_dialled_by_the_address_that_others_use() {
        let Some(ip) = reached_by_others() else { return };
        let (own, other) =
            (TcpListener::bind("0.0.0.0:0").await.unwrap(), TcpListener::bind("0.0.0.0:0").await.unwrap());
        let dialer = Dialer::new(HashMap::new(), vec![own.local_addr().unwrap()]);
        let at = |listener: &TcpListener| authority(&format!("{ip}:{}", listener.local_addr().unwrap().port()));
        assert!(matches!(dialer.dial(&at(&own)).await, Err(DialError::Loop(_))));
        dialer.dial(&at(&other)).await.unwrap();
    }

    /// A dialer whose own address is 127.0.0.1:3129, and that goes through a parent which nobody must ask.
    async fn behind(scheme: Scheme) -> (Dialer, TcpListener) {
        let parent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = authority(&parent.local_addr().unwrap().to_string());
        let named_by = "a test".to_owned();
        let default = Some(Arc::new(Parent { scheme, address, credentials: None, named_by }));
        let dialer = Dialer::new(HashMap::new(), vec!["127.0.0.1:3129".parse().unwrap()]);
        let (lookups, _nobody_hangs) = hanging(LOCAL, CONNECT);
        (Dialer { parents: Parents { default, ..Parents::default() }, lookups, ..dialer }, parent)
    }

    #[tokio::test]
    async fn no_parent_is_asked_for_the_way_back_to_this_proxy() {
        let exits = Exits::default();
        let client = Errand::Client { exits: &exits, is_local: true };
        for scheme in [Scheme::Http, Scheme::Socks5h, Scheme::Socks5] {
            let (dialer, parent) = behind(scheme).await;
            for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "127.1"] {
                let to = authority(&format!("{host}:3129"));
                let outcome = dialer.open(&to, Purpose::Tunnel, &HeaderMap::new(), client).await;
                assert!(matches!(outcome, Err(DialError::Loop(_))), "{scheme:?} {host}");
            }
            let asked = tokio::time::timeout(Duration::from_millis(20), parent.accept()).await;
            assert!(asked.is_err(), "{scheme:?}");
        }
        // Looked up here, it leads to 127.0.0.1.
        let (dialer, _parent) = behind(Scheme::Socks5).await;
        let to = authority("rebound.example:3129");
        let outcome = dialer.open(&to, Purpose::Tunnel, &HeaderMap::new(), client).await;
        assert!(matches!(outcome, Err(DialError::Loop(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_of_many_addresses_doesnt_keep_a_parent_busy() {
        static MANY: [IpAddr; 100] = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)); 100];
        for (seconds, asked) in [(0, ASKED), (4, 3)] {
            let (dialer, parent) = behind(Scheme::Socks5).await;
            let (lookups, _nobody_hangs) = hanging(&MANY, CONNECT);
            let dialer = Dialer { lookups, ..dialer };
            let mut count = 0;
            let answers = async {
                while let Ok((mut tcp, _)) = parent.accept().await {
                    count += 1;
                    let _greeting = tcp.read(&mut [0; 64]).await;
                    tcp.write_all(&[5, 0]).await.unwrap();
                    let _request = tcp.read(&mut [0; 64]).await;
                    sleep(Duration::from_secs(seconds)).await;
                    // Host unreachable.
                    tcp.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                }
            };
            let (to, headers) = (authority("many.example:443"), HeaderMap::new());
            tokio::select! {
                outcome = dialer.open(&to, Purpose::Tunnel, &headers, Errand::Own) => {
                    let error = outcome.map(|_| ()).unwrap_err();
                    assert!(matches!(error, DialError::Parent { cause: ParentError::Socks(_), .. }), "{error}");
                }
                () = answers => {}
            }
            assert_eq!(count, asked, "{seconds}");
        }
    }

    #[test]
    fn families_alternate() {
        let addresses: Vec<IpAddr> = ["::1", "::2", "127.0.0.1", "::3"].iter().map(|a| a.parse().unwrap()).collect();
        let order: Vec<String> = interleave(&addresses).map(|a| a.to_string()).collect();
        assert_eq!(order, ["::1", "127.0.0.1", "::2", "::3"]);
    }
}
