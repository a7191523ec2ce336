//! Looks names up: remembered, bounded, each name once at a time, and namewall's own apart from its clients'.
//!
//! A resolver that doesn't answer holds a thread for as long as it likes, and whoever owns a name decides whether it does.
//! So clients' names wait for each other, never the names that all of namewall hangs on for them.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout};

use super::exits::Errand;
use crate::name::HostName;

/// How long a look-up may take, the wait for its turn and all.
const RESOLVE: Duration = Duration::from_secs(5);
/// How long a resolution is believed. getaddrinfo tells no time to live.
const REMEMBER: Duration = Duration::from_secs(60);
/// How long clients are told that a name can't be resolved before it is tried again: it costs a thread each time.
const DOUBT: Duration = Duration::from_secs(5);
/// Look-ups of either side under way at once: each holds a thread of the blocking pool.
pub(super) const LOOKUPS: usize = 32;
/// Hosts of either side remembered at most.
const REMEMBERED: usize = 1024;

/// Finds the addresses of a name, and blocks while it does.
type Resolver = dyn Fn(&HostName) -> io::Result<Vec<IpAddr>> + Send + Sync;
/// What a resolver says, to everybody who has asked for the same.
type Answer = Result<Vec<IpAddr>, Arc<io::Error>>;

/// The addresses of names.
pub(super) struct Lookups {
    resolver: Arc<Resolver>,
    own: Side,
    clients: Side,
    /// How long anybody waits.
    patience: Duration,
}

/// The names that are looked up on one side's behalf: neither fills the other's queue or memory.
struct Side {
    permits: Arc<Semaphore>,
    known: Mutex<HashMap<HostName, LookUp>>,
    /// How long a failure is remembered.
    doubt: Duration,
}

/// A look-up under way, or what has come of it.
#[derive(Clone)]
struct LookUp {
    begun: Instant,
    told: watch::Receiver<Option<(Instant, Answer)>>,
}

impl Default for Lookups {
    /// By getaddrinfo, so that /etc/hosts, nsswitch and a VPN's split DNS hold here too.
    fn default() -> Self {
        Self::by(|host| Ok((host.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl Lookups {
    fn by(resolver: impl Fn(&HostName) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        // What namewall needs itself is worth another try at once.
        let (own, clients) = (Side::new(Duration::ZERO), Side::new(DOUBT));
        Self { resolver: Arc::new(resolver), own, clients, patience: RESOLVE }
    }

    /// The addresses of `host`, one at least.
    pub(super) async fn addresses(&self, host: &HostName, errand: Errand<'_>) -> io::Result<Vec<IpAddr>> {
        if let Some(ip) = host.ip() {
            return Ok(vec![ip]);
        }
        let side = match errand {
            Errand::Own => &self.own,
            Errand::Client { .. } => &self.clients,
        };
        match timeout(self.patience, side.answer(host, &self.resolver)).await {
            Ok(answer) => answer.map_err(|cause| io::Error::new(cause.kind(), cause)),
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Side {
    fn new(doubt: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(LOOKUPS)), known: Mutex::default(), doubt }
    }

    async fn answer(&self, host: &HostName, resolver: &Arc<Resolver>) -> Answer {
        let known = self.known(&self.lock(), host);
        let mut look_up = if let Some(look_up) = known {
            look_up
        } else {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            self.begin(host, resolver, permit.map_err(|closed| Arc::new(io::Error::other(closed)))?)
        };
        let told = look_up.told.wait_for(Option::is_some).await.ok();
        let answer = told.and_then(|told| told.as_ref().map(|(_, answer)| answer.clone()));
        answer.unwrap_or_else(|| Err(Arc::new(io::Error::other("the look-up broke off"))))
    }

    /// Begins to look `host` up, unless somebody has while the permit was waited for.
    fn begin(&self, host: &HostName, resolver: &Arc<Resolver>, permit: OwnedSemaphorePermit) -> LookUp {
        let mut known = self.lock();
        if let Some(look_up) = self.known(&known, host) {
            return look_up;
        }
        let (tell, told) = watch::channel(None);
        let look_up = LookUp { begun: Instant::now(), told };
        make_room(&mut known);
        known.insert(host.clone(), look_up.clone());
        let (host, resolver) = (host.clone(), Arc::clone(resolver));
        tokio::task::spawn_blocking(move || {
            // Held by the thread, not by whoever waits for it: a dead resolver's threads must not pile up.
            let _permit = permit;
            let found = match resolver(&host) {
                Ok(addresses) if addresses.is_empty() => Err(io::ErrorKind::NotFound.into()),
                found => found,
            };
            tell.send_replace(Some((Instant::now(), found.map_err(Arc::new))));
        });
        look_up
    }

    /// The look-up of `host` that answers for a new one, too.
    fn known(&self, known: &HashMap<HostName, LookUp>, host: &HostName) -> Option<LookUp> {
        known.get(host).filter(|look_up| look_up.holds(self.doubt)).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HostName, LookUp>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LookUp {
    /// Whether nobody need ask again.
    fn holds(&self, doubt: Duration) -> bool {
        match &*self.told.borrow() {
            Some((at, Ok(_))) => at.elapsed() < REMEMBER,
            Some((at, Err(_))) => at.elapsed() < doubt,
            // Under way, but whoever asked a resolver that is gone may ask the next one.
            None => self.told.has_changed().is_ok() && self.begun.elapsed() < RESOLVE + doubt,
        }
    }
}

/// Forgets the older half, where there is no more room.
fn make_room(known: &mut HashMap<HostName, LookUp>) {
    if known.len() < REMEMBERED {
        return;
    }
    let mut begun: Vec<Instant> = known.values().map(|look_up| look_up.begun).collect();
    let (_, middle, _) = begun.select_nth_unstable(REMEMBERED / 2);
    known.retain(|_, look_up| look_up.begun > *middle);
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use tokio::task::JoinSet;

    use super::*;
    use crate::config::Exits;

    /// Look-ups that find `found` for every name but those below `hangs.example`, which hang until the sender is dropped.
    pub(in super::super) fn hanging(found: &'static [IpAddr], patience: Duration) -> (Lookups, mpsc::Sender<()>) {
        let (end, ended) = mpsc::channel();
        let ended = Mutex::new(ended);
        let lookups = Lookups::by(move |host| {
            if host.as_str().ends_with(".hangs.example") {
                let _end = ended.lock().unwrap().recv();
            }
            Ok(found.to_vec())
        });
        (Lookups { patience, ..lookups }, end)
    }

    /// Look-ups that count how many there were, and find nothing for names below `none.example`.
    fn counting() -> (Arc<Lookups>, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let lookups = Lookups::by(move |host| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(2));
            Ok(if host.as_str().ends_with(".none.example") { vec![] } else { LOCAL.to_vec() })
        });
        (Arc::new(lookups), count)
    }

    pub(in super::super) const LOCAL: &[IpAddr] = &[IpAddr::V4(Ipv4Addr::LOCALHOST)];

    fn host(text: &str) -> HostName {
        text.parse().unwrap()
    }

    async fn for_client(lookups: &Lookups, name: &str) -> io::Result<Vec<IpAddr>> {
        let errand = Errand::Client { exits: &Exits::default(), is_local: false };
        lookups.addresses(&host(name), errand).await
    }

    #[tokio::test]
    async fn clients_names_that_hang_delay_no_own_one_and_clients_no_longer_than_they_may() {
        let (lookups, _end) = hanging(LOCAL, Duration::from_millis(500));
        let lookups = Arc::new(lookups);
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for number in 0..LOOKUPS * 3 {
            let lookups = Arc::clone(&lookups);
            clients.spawn(async move { for_client(&lookups, &format!("{number}.hangs.example")).await });
        }
        tokio::task::yield_now().await;
        assert_eq!(lookups.addresses(&host("pypi.org"), Errand::Own).await.unwrap(), LOCAL);
        assert!(clients.try_join_next().is_none(), "they all wait still");
        while let Some(answer) = clients.join_next().await {
            assert_eq!(answer.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_whoever_asks_for_it() {
        let (lookups, count) = counting();
        let mut clients = JoinSet::new();
        for _ in 0..LOOKUPS * 3 {
            let lookups = Arc::clone(&lookups);
            clients.spawn(async move { for_client(&lookups, "a.example").await });
        }
        while let Some(answer) = clients.join_next().await {
            assert_eq!(answer.unwrap().unwrap(), LOCAL);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert_eq!(for_client(&lookups, "192.0.2.1").await.unwrap(), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn that_there_is_no_address_clients_are_told_for_a_while() {
        let (lookups, count) = counting();
        for _ in 0..3 {
            let error = for_client(&lookups, "a.none.example").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        for _ in 0..3 {
            lookups.addresses(&host("a.none.example"), Errand::Own).await.unwrap_err();
        }
        assert_eq!(count.load(Ordering::SeqCst), 4, "namewall tries again");
    }

    #[tokio::test]
    async fn clients_names_push_out_each_other_and_the_oldest_first() {
        let (lookups, count) = counting();
        lookups.addresses(&host("pypi.org"), Errand::Own).await.unwrap();
        for batch in 0..REMEMBERED / LOOKUPS + 1 {
            let mut clients = JoinSet::new();
            for number in 0..LOOKUPS {
                let lookups = Arc::clone(&lookups);
                clients.spawn(async move { for_client(&lookups, &format!("{number}.{batch}.example")).await });
            }
            clients.join_all().await;
        }
        let before = count.load(Ordering::SeqCst);
        assert_eq!(before, 1 + REMEMBERED + LOOKUPS);
        lookups.addresses(&host("pypi.org"), Errand::Own).await.unwrap();
        for_client(&lookups, &format!("0.{}.example", REMEMBERED / LOOKUPS - 1)).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), before, "what is recent, or namewall's own, is remembered");
        for_client(&lookups, "0.0.example").await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), before + 1);
        assert!(lookups.clients.lock().len() <= REMEMBERED);
    }

    #[tokio::test]
    async fn a_resolver_that_breaks_is_an_error_and_not_for_ever() {
        let count = AtomicUsize::new(0);
        let lookups = Lookups::by(move |_| {
            assert!(count.fetch_add(1, Ordering::SeqCst) > 0, "a bug");
            Ok(LOCAL.to_vec())
        });
        assert!(for_client(&lookups, "a.example").await.unwrap_err().to_string().contains("broke off"));
        assert_eq!(for_client(&lookups, "a.example").await.unwrap(), LOCAL);
    }
}
