//! `namewall serve`: the long-running proxy, until SIGTERM or SIGINT; a second one ends it at once.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;
use tracing::{error, info, warn};

use super::output::Console;
use super::{Common, Failure, Outcome, asserted_policy, block_on, warn_of_parent_proxy};
use crate::config::{Overrides, Settings};
use crate::policy::Policy;
use crate::proxy::{Proxy, StartError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Listen here (repeatable; port 0 takes any free one) [default: the config's, or 127.0.0.1:3128]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// Serve health, metrics and ca.pem here
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Write the addresses and files in use here, as JSON, once every listener accepts
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let overrides = Overrides { listen: arguments.listen, admin: arguments.admin, ..common.overrides() };
    let settings = Settings::load(&overrides)?;
    common.start_log(settings.log_format, common.verbosity(), console);
    warn_of_parent_proxy();
    let policy = asserted_policy(&settings)?;
    block_on(async {
        // Listened for before the ready file says that we are there.
        let mut signals = Signals::listen()?;
        let rules = settings.rules.len();
        let proxy = Proxy::start(settings, policy).await?;
        if let Some(path) = &arguments.ready_file {
            announce(path, &proxy).map_err(|cause| StartError::File { path: path.clone(), cause })?;
        }
        info!(listen = ?proxy.addresses(), admin = ?proxy.admin(), rules, "serving");
        serve_until_stopped(&mut signals, &overrides, &proxy).await;
        info!(grace = ?proxy.drain_time(), "stopping: finishing what runs; a second signal ends at once");
        proxy.stop(signals.stop()).await;
        if let Some(path) = &arguments.ready_file {
            let _gone = std::fs::remove_file(path);
        }
        Ok(Outcome::Fine)
    })
}

/// Reloads the rules at each SIGHUP, until a signal to stop comes.
async fn serve_until_stopped(signals: &mut Signals, overrides: &Overrides, proxy: &Proxy) {
    while signals.next().await == Came::Reload {
        match load(overrides) {
            Ok((settings, policy)) => {
                if needs_a_restart(&settings, proxy.settings()) {
                    warn!("the config has changed beyond its rules: that takes a restart");
                }
                info!(policy = policy.fingerprint(), "reloaded the rules");
                proxy.set_policy(policy);
            }
            Err(failure) => error!("the old rules stay in force: {failure}"),
        }
    }
}

fn load(overrides: &Overrides) -> Result<(Settings, Policy), Failure> {
    let settings = Settings::load(overrides)?;
    let policy = asserted_policy(&settings)?;
    Ok((settings, policy))
}

/// Whether more than the rules differs from what runs.
fn needs_a_restart(new: &Settings, running: &Settings) -> bool {
    (new.listen != running.listen)
        || (new.admin != running.admin)
        || (new.allow != running.allow)
        || (new.ca != running.ca)
        || (new.extra_roots != running.extra_roots)
        || (new.connect_to != running.connect_to)
        || (new.sites != running.sites)
        || (new.decisions != running.decisions)
        || (new.claimed != running.claimed)
        || new.inventories.len() != running.inventories.len()
        || !new.inventories.iter().zip(&running.inventories).all(|(one, other)| one.is_same_as(other))
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
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{ready}")?;
    readable_by_all(file.path())?;
    file.persist(path)?;
    Ok(())
}

/// A sidecar's job may run as another user.
#[cfg(unix)]
fn readable_by_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &Path) -> io::Result<()> {
    Ok(())
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
