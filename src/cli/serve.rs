//! `namewall serve`: the long-running proxy, until SIGTERM or SIGINT; a second one ends it at once.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tracing::info;

use super::output::Console;
use super::service::{self, Phase};
use super::{Common, Failure, Outcome, asserted_policy, block_on, reload, tell_of_parents};
use crate::clients::env::Own;
use crate::config::environment::Environment;
use crate::config::reload::Look;
use crate::config::{Limits, Overrides, Place, Settings};
use crate::files::{self, Readers};
use crate::proxy::{Proxy, StartError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Listen here (repeatable; port 0 takes any free one) [default: the config's, or 127.0.0.1:3128]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Place>,
    /// Serve health, metrics and ca.pem here
    #[arg(long, value_name = "ADDR")]
    admin: Option<Place>,
    /// Write the addresses and files in use here, as JSON, once every listener accepts
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Look at the config's files this often (for tests)
    #[arg(long, value_name = "MS", hide = true)]
    pace: Option<u64>,
}

pub(super) fn run(arguments: Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    if let Some(path) = &arguments.ready_file {
        withdraw(path);
    }
    let overrides = Overrides { listen: arguments.listen, admin: arguments.admin, ..common.overrides() };
    let mut settings = Settings::load(&overrides)?;
    let bundle = settings.ca.public_files().1;
    settings.client_roots = Own::of(&Environment::from_process(), files::folder_of(&bundle)).roots;
    let pace = arguments.pace.map_or(reload::PACE, Duration::from_millis);
    let reloads = Reloads { overrides: &overrides, read: reload::look_at(&settings), pace };
    common.start_log(settings.log_format, common.verbosity(), console);
    tell_of_parents(&settings);
    let policy = asserted_policy(&settings)?;
    if let Some(files) = service::raise_open_files() {
        fit(&mut settings.limits, files);
    }
    block_on(async {
        // Listened for before the ready file says that we are there.
        let mut signals = Signals::listen()?;
        let rules = settings.rules.len();
        let proxy = Proxy::start(settings, policy).await?;
        if let Some(path) = &arguments.ready_file {
            announce(path, &proxy).map_err(|cause| StartError::File { path: path.clone(), cause })?;
        }
        let listen = listed(proxy.addresses());
        info!(listen, admin = proxy.admin().map(tracing::field::display), rules, "serving");
        service::tell(Phase::Ready);
        serve_until_stopped(&mut signals, &proxy, reloads).await;
        service::tell(Phase::Stopping);
        info!(grace = ?proxy.drain_time(), "stopping: finishing what runs; a second signal ends at once");
        proxy.stop(signals.stop()).await;
        if let Some(path) = &arguments.ready_file {
            let _gone = std::fs::remove_file(path);
        }
        Ok(Outcome::Fine)
    })
}

/// The addresses as people write them.
fn listed(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Takes a ready file away that was left: whoever waits for it waits for us, also when we can't start.
fn withdraw(path: &Path) {
    // What is no file of ours, such as a pipe, stays; what can't be removed is told of when it can't be replaced either.
    if path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        let _gone = std::fs::remove_file(path);
    }
}

/// No more clients than there are file descriptors for.
fn fit(limits: &mut Limits, open_files: usize) {
    let wanted = limits.connections;
    limits.fit_into(open_files);
    if limits.connections < wanted {
        let served = limits.connections;
        info!(open_files, served, wanted, "the limit of open files allows fewer clients at once than `connections`");
    }
}

/// Keeps the rules in step with the config, until a signal to stop comes.
async fn serve_until_stopped(signals: &mut Signals, proxy: &Proxy, reloads: Reloads<'_>) {
    let asked = Notify::new();
    let keeping = reload::keep_up(reloads.overrides, proxy, reloads.read, &asked, reloads.pace);
    let mut keeping = std::pin::pin!(keeping);
    let mut living = std::pin::pin!(service::keep_alive());
    loop {
        tokio::select! {
            came = signals.next() => match came {
                Came::Stop => return,
                Came::Reload => {
                    proxy.reopen_logs();
                    proxy.read_certificates();
                    asked.notify_one();
                }
            },
            () = &mut keeping => return,
            () = &mut living => {}
        }
    }
}

/// What it takes to read the config again.
struct Reloads<'o> {
    overrides: &'o Overrides,
    /// The files as they were when the proxy started.
    read: Look,
    pace: Duration,
}

/// Writes the ready file whole: who waits for it must never see half of it.
fn announce(path: &Path, proxy: &Proxy) -> io::Result<()> {
    let ready = json!({
        "pid": std::process::id(),
        "listen": proxy.addresses().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "admin": proxy.admin().map(|address| address.to_string()),
        "ca": proxy.ca(),
        "bundle": proxy.bundle(),
    });
    // A sidecar's job may run as another user.
    files::replace(path, format!("{ready}\n").as_bytes(), Readers::All)
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// The signals that the proxy obeys.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Came {
        tokio::select! {
            _ = self.terminate.recv() => Came::Stop,
            _ = self.interrupt.recv() => Came::Stop,
            _ = self.hangup.recv() => Came::Reload,
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Came {
        let _came = tokio::signal::ctrl_c().await;
        Came::Stop
    }
}

impl Signals {
    /// A signal to stop, whatever else comes before it.
    async fn stop(&mut self) {
        while self.next().await != Came::Stop {}
    }
}
