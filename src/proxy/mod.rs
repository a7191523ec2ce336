//! The proxy itself: connections in, requests judged, answers filtered.

mod account;
mod auth;
mod body;
mod cache;
mod coding;
mod connect;
mod connection;
mod entrance;
mod exchange;
pub(crate) mod fetch;
mod followed;
mod forward;
mod headers;
mod intercepted;
pub mod judge;
mod opened;
mod patient;
mod pipe;
mod reply;
mod rooms;
mod serve;
mod succession;
mod transparent;
mod upstream;
mod validators;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, watch};
use tracing::info;

use self::auth::Gate;
use self::cache::Pages;
use self::entrance::Entrance;
pub(crate) use self::exchange::GREETING;
use self::fetch::Fetcher;
use self::rooms::{Places, Rooms};
use self::transparent::Outgoing;
use self::upstream::{Outside, Upstream};
use crate::claimed::watch::Told;
use crate::config::reload::Look;
use crate::config::{AccessTo, Assertion, Settings, UnreadableUsers};
use crate::inventory::Inventories;
use crate::net::crowd::Crowd;
use crate::net::dial::{DialError, Dialer};
use crate::net::exits::{Errand, is_local};
use crate::net::inherited::Sockets;
use crate::net::listen::{BindError, Listener};
use crate::net::pace::Paces;
use crate::policy::{Asker, CompileError, Policies, Policy};
use crate::tasks::Tasks;
use crate::telemetry::Decisions;
use crate::telemetry::access::AccessLog;
use crate::telemetry::decision::Tally;
use crate::telemetry::metrics::{Metrics, TurnedAway};
use crate::telemetry::standing::{Source, Standing};
use crate::tls::bundle::{SystemRoots, bundle_for};
use crate::tls::listener::IdentityError;
use crate::tls::trust::UpstreamTrust;
use crate::tls::{CaError, CertificateAuthority, InForce, Leaves};

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    ca: PathBuf,
    bundle: PathBuf,
}

/// What all connections of a proxy share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    policies: ArcSwap<Policies>,
    pub(crate) authority: InForce,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) decisions: Decisions,
    pub(crate) access: AccessLog,
    pub(crate) standing: Standing,
    /// By which somebody asks to read certificates and the CA at once.
    asked: watch::Sender<()>,
    pub(crate) tasks: Tasks,
    pub(crate) inventories: Inventories,
    pub(crate) claimed: Told,
    pub(crate) fetcher: Fetcher,
    /// Who is served by name; `None` asks nobody.
    gate: Option<Gate>,
    leaves: Leaves,
    dialer: Arc<Dialer>,
    outgoing: Outgoing,
    /// Places for tunnels.
    tunnels: Crowd,
    paces: Arc<Paces>,
    outside: Outside,
    upstream: Upstream,
    /// Places for pages that are large: each is in memory whole while it is filtered.
    large_pages: Places,
    /// Pages that were filtered under the policy in force.
    pages: Pages,
    /// Room for large pages on their way to clients.
    rooms: Rooms,
    /// Places for answers to mirrors' calls: each has a thread as long as it is read.
    calls: Arc<Semaphore>,
}

/// Mirrors' calls under way; more wait. There are 512 threads for what blocks, and DNS and files need some, too.
const CALLS: usize = 32;

impl Shared {
    /// The policy in force now, with all its rules, whoever they are for.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(self.policies.load().whole())
    }

    /// The policy in force now for `asker`.
    pub(crate) fn policy_for(&self, asker: &Asker<'_>) -> Arc<Policy> {
        self.policies.load().for_asker(asker)
    }

    /// Whether `policy` is in force now for somebody.
    pub(crate) fn is_in_force(&self, policy: &Arc<Policy>) -> bool {
        self.policies.load().holds(policy)
    }

    /// Puts `policy` in force for the requests that begin from now on. What was filtered before is forgotten.
    pub(crate) fn put_in_force(&self, policy: Policy) {
        self.policies.store(Arc::new(Policies::new(policy)));
        self.pages.clear();
    }

    /// What `source` has on disk is in force.
    fn accepted(&self, source: &Source) {
        self.standing.accepted(source);
        self.metrics.reloaded(true, &self.standing);
    }

    /// What `source` has on disk is refused, because of this error.
    fn refused(&self, source: &Source, error: &str) {
        self.standing.refused(source, error);
        self.metrics.reloaded(false, &self.standing);
    }

    /// Counts a client that may not go where it wants, if that is what the error says.
    fn count_refused(&self, error: &DialError) {
        if matches!(error, DialError::Refused(_)) {
            self.metrics.turned_away(TurnedAway::Destination);
        }
    }

    /// What a client at `address` wants outside.
    fn errand_of(&self, address: IpAddr) -> Errand<'_> {
        Errand::Client { exits: &self.settings.exits, is_local: is_local(address) }
    }

    /// How much of what was filtered is kept, in bytes.
    pub(crate) fn kept(&self) -> u64 {
        self.pages.size()
    }
}

/// Why the proxy couldn't start (exit code 3).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no usable authority.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// An address can't be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A listener can't speak TLS.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What systemd handed over can't be listened on.
    #[error("what systemd handed over is no TCP socket that listens: {0}")]
    Handed(io::Error),
    /// What it would connect through is itself.
    #[error(
        "{named_by} names {parent}, which is this proxy itself: it would connect to itself for ever; name the proxy that leads out, or none (a shell with the variables of `namewall env` loses them by `eval \"$(namewall env --unset)\"`)"
    )]
    Loop {
        /// The parent, without credentials.
        parent: String,
        /// What names it.
        named_by: String,
    },
    /// It is unknown who is to be served.
    #[error(transparent)]
    Users(#[from] UnreadableUsers),
    /// Nobody could be told from anybody.
    #[error("this machine gives no random numbers")]
    NoChance,
    /// A file can't be written.
    #[error("cannot write {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Proxy {
    /// Loads the authority, binds every listener and starts to serve in the background, under `policy`.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings, policy: Policy) -> Result<Self, StartError> {
        let seen = Look::at(settings.ca.files());
        let ca = settings.ca.public_files().0;
        let Prepared { authority, leaves, trust, bundle } = Prepared::of(&settings)?;

        let mut handed = Sockets::of_process().map_err(StartError::Handed)?;
        let mut listeners = Vec::new();
        for listener in &settings.listeners {
            let entrance = Arc::new(Entrance::open(listener.clone())?);
            for bound in Listener::bind(&listener.place, &mut handed).await? {
                listeners.push((bound, Arc::clone(&entrance)));
            }
        }
        let admins = match &settings.admin {
            Some(place) => Listener::bind(place, &mut handed).await?,
            None => Vec::new(),
        };
        let addresses: Vec<SocketAddr> = listeners.iter().map(|(listener, _)| listener.address()).collect();
        let admin_address = admins.first().map(Listener::address);

        let tasks = Tasks::default();
        let metrics = Arc::new(Metrics::default());
        let path = settings.decisions.as_deref();
        let decisions = Decisions::open(path, Arc::clone(&metrics), &tasks)
            .await
            .map_err(|cause| StartError::File { path: path.map(Path::to_owned).unwrap_or_default(), cause })?;
        let (to, format) = (settings.access.as_ref(), settings.access_format);
        let access = AccessLog::open(to, format, Arc::clone(&metrics), &tasks).await.map_err(|cause| {
            let path = if let Some(AccessTo::File(path)) = to { path.clone() } else { PathBuf::new() };
            StartError::File { path, cause }
        })?;
        let decisions = if admins.is_empty() { decisions } else { decisions.remembering() };
        let gate = match &settings.users {
            Some(file) => Some(Gate::new(file)?),
            None => None,
        };
        let own: Vec<SocketAddr> = addresses.iter().copied().chain(admins.iter().map(Listener::address)).collect();
        let dialer = Dialer::new(settings.connect_to.clone(), own).through(settings.parents.clone(), &trust.usual);
        if let Some(parent) = dialer.looped() {
            return Err(StartError::Loop { parent: parent.to_string(), named_by: parent.named_by.clone() });
        }
        let dialer = Arc::new(dialer);
        let limits = &settings.limits;
        let tunnels = Crowd::new(limits.tunnels, limits.tunnels);
        let upstream = Upstream::new(&dialer, &trust, &Crowd::new(limits.upstream, limits.upstream));
        // What is passed on leads as far as a tunnel, and takes as much.
        let outside = Outside::new(&dialer, &trust, &tunnels, &settings.exits);
        let paces = Arc::new(Paces::new(limits.bytes_per_client));
        let crowd = Crowd::new(limits.connections, limits.connections_per_client);
        let policies = ArcSwap::from_pointee(Policies::new(policy));
        let calls = Arc::new(Semaphore::new(CALLS));
        let inventories = Inventories::kept(&settings);
        let pages = Pages::new(settings.cache);
        let fetcher = Fetcher::over(upstream.clone());
        let shared = Arc::new(Shared {
            inventories,
            claimed: Told::default(),
            fetcher,
            settings,
            policies,
            authority,
            metrics,
            decisions,
            access,
            standing: Standing::default(),
            asked: watch::Sender::default(),
            tasks,
            gate,
            leaves,
            dialer,
            outgoing: Outgoing::default(),
            tunnels,
            paces,
            outside,
            upstream,
            large_pages: Places::new(),
            pages,
            rooms: Rooms::new(),
            calls,
        });
        crate::inventory::start(&shared).await;
        crate::claimed::watch::start(&shared);
        succession::start(&shared, seen, bundle.clone());
        let entrances = listeners.iter().map(|(_, one)| Arc::clone(one)).collect();
        shared.tasks.spawn_until_abort(entrance::follow(entrances, Arc::clone(&shared)));
        let reachable = |(listener, entrance): &(Listener, Arc<Entrance>)| {
            crate::admin::Reachable::of(listener.address(), &entrance.settings)
        };
        let reachable: Vec<_> = listeners.iter().filter_map(reachable).collect();
        for (listener, entrance) in listeners {
            shared.tasks.spawn(entrance::accept_all(listener, entrance, Arc::clone(&shared), crowd.clone()));
        }
        for listener in admins {
            let serving = crate::admin::Admin::new(Arc::clone(&shared), reachable.clone());
            shared.tasks.spawn_until_abort(crate::admin::accept_all(listener, serving));
        }
        Ok(Self { shared, addresses, admin: admin_address, ca, bundle })
    }

    /// Where it listens, ports resolved.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where the admin listener is.
    #[must_use]
    pub const fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The authority's certificate (PEM).
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// The PEM file that clients are to trust: the system's roots and ours.
    #[must_use]
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// Puts `policy` in force for the requests that begin from now on; of inventories, what is known here and now.
    ///
    /// An inventory that was not there at the start is asked for its list by nobody, and stays out.
    ///
    /// # Errors
    /// [`CompileError`] if its rules are too many beside the inventories; the policy from before stays.
    pub fn set_policy(&self, policy: Policy) -> Result<(), CompileError> {
        self.put_in_force(policy, None)
    }

    fn put_in_force(&self, policy: Policy, assertions: Option<&[Assertion]>) -> Result<(), CompileError> {
        if self.shared.settings.inventories.is_empty() && !policy.has_inventories() {
            self.shared.put_in_force(policy);
            return Ok(());
        }
        self.shared.inventories.set_rules(&self.shared, policy.own_rules(), assertions)
    }

    /// Puts the policy and the assertions of a config that was read again in force, and says so.
    ///
    /// # Errors
    /// As [`Proxy::set_policy`].
    pub fn accept_config(&self, settings: &Settings, policy: Policy) -> Result<(), CompileError> {
        self.put_in_force(policy, Some(&settings.assertions))?;
        // Whether users are asked for at all is decided at the start, as is which networks may come.
        if let Some((gate, file)) = self.shared.gate.as_ref().zip(settings.users.as_ref()) {
            gate.change(file);
        }
        self.shared.accepted(&Source::Config);
        Ok(())
    }

    /// Says that the config on disk is refused, because of this error: what is in force stays.
    pub fn refuse_config(&self, error: &str) {
        self.shared.refused(&Source::Config, error);
    }

    /// Reads the listeners' certificates and the CA again, as far as they have changed, without waiting for the next look.
    pub fn read_certificates(&self) {
        self.shared.asked.send_replace(());
    }

    /// Opens the logs' files anew, after they were renamed.
    pub fn reopen_logs(&self) {
        self.shared.access.reopen();
        self.shared.decisions.reopen();
    }

    /// The fingerprint of the policy in force.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.shared.policy().fingerprint().to_owned()
    }

    /// The settings that it was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// What was hidden, refused and failed so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.shared.decisions.tally()
    }

    /// Says for the time of notice that it will end, stops accepting, lets running requests finish within the drain time,
    /// then cuts off; all at once when `hurry` completes.
    pub async fn stop(self, hurry: impl Future<Output = ()>) {
        let tasks = self.shared.tasks.clone();
        let (notice, drain) = (self.shared.settings.drain_notice, self.shared.settings.drain);
        // The decision log's writer ends when nobody is left who could send it a record: we neither.
        drop(self);
        let mut hurry = std::pin::pin!(hurry);
        tasks.announce();
        let hurried = notice > Duration::ZERO
            && tokio::select! {
                () = &mut hurry => true,
                () = tokio::time::sleep(notice) => false,
            };
        let cut_off = if hurried {
            tasks.shut_down(Duration::ZERO, std::future::ready(())).await
        } else {
            tasks.shut_down(drain, hurry).await
        };
        info!(cut_off, "stopped");
    }

    /// How long running requests may finish.
    #[must_use]
    pub fn drain_time(&self) -> Duration {
        self.shared.settings.drain
    }
}

/// What the start waits for.
struct Prepared {
    authority: InForce,
    leaves: Leaves,
    /// The way upstream.
    trust: UpstreamTrust,
    /// The bundle for clients.
    bundle: PathBuf,
}

impl Prepared {
    /// Reads the authority and mints the leaves while the system's roots are read, which takes as long.
    fn of(settings: &Settings) -> Result<Self, CaError> {
        let hosts = settings.hosts();
        let bundle = settings.ca.public_files().1;
        std::thread::scope(|scope| {
            let system = scope.spawn(SystemRoots::load);
            let authority = InForce::new(Arc::new(settings.ca.authority(&hosts)?));
            let leaves = Leaves::signed_by(authority.clone(), &hosts)?;
            // A panic there is one here: nothing is served yet.
            let system = system.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let trust = UpstreamTrust::of(&settings.extra_roots, Some(authority.clone()), &system)?;
            let bundle = bundle_for(&bundle, &authority.loaded(), &system, &settings.client_roots)?;
            Ok(Self { authority, leaves, trust, bundle })
        })
    }
}

/// Seconds until the authority's certificate expires; negative when it has.
pub(crate) fn ca_seconds_left(authority: &CertificateAuthority) -> f64 {
    (authority.not_after() - OffsetDateTime::now_utc()).as_seconds_f64()
}
