//! Who is compared: how each is started on its core, and ended.

mod mitmproxy;
mod namewall;
mod safe_chain;
mod squid;

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::pinned;
use crate::{Options, Result, measure, support, tools};

pub(crate) use namewall::{NAME as NAMEWALL, UNCACHED, with_policy};

/// Rules of ten organisations: the names that no filtering peer may show.
const UNITS: [&str; 10] =
    ["acme", "initech", "umbrella", "hooli", "globex", "cyberdyne", "tyrell", "wonka", "stark", "wayne"];

/// How often each is started, for the time that it takes.
const STARTS: usize = 3;

/// A folder that every peer may read, and what nginx's certificate is verified with.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    pub(crate) origin_ca: PathBuf,
    /// The build of namewall that is measured.
    pub(crate) namewall: PathBuf,
}

/// How a peer is started.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    /// What to bear in mind.
    pub(crate) note: &'static str,
    /// Whether it hides the names of the ten rules.
    pub(crate) hides: bool,
    pub(crate) command: Command,
    pub(crate) address: SocketAddr,
    /// The authority that it signs with; it may be made at the first start.
    pub(crate) ca: PathBuf,
}

/// A running peer. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) plan: Plan,
    /// Milliseconds until it accepted a connection.
    pub(crate) start: f64,
    child: Child,
}

impl Peer {
    /// Starts it on the second core.
    pub(crate) fn start(plan: Plan, times: usize, folder: &Path) -> Result<Self> {
        let log = folder.join(plan.name).with_extension("log");
        let mut command = pinned(1, plan.command.get_program());
        command.args(plan.command.get_args());
        command.envs(plan.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(folder).stdin(Stdio::null()).stdout(File::create(&log)?).stderr(File::create(&log)?);
        let mut start = f64::INFINITY;
        for left in (0..times).rev() {
            let begun = Instant::now();
            let mut child = command.spawn()?;
            if let Err(error) = wait_for(plan.address, &mut child) {
                end(&mut child);
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{error}: {}", said.lines().last().unwrap_or_default()).into());
            }
            start = start.min(begun.elapsed().as_secs_f64() * 1e3);
            if left == 0 {
                return Ok(Self { plan, start, child });
            }
            end(&mut child);
        }
        Err("it was not started".into())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident megabytes that are its own.
    pub(crate) fn own(&self) -> f64 {
        measure::own(self.id()) as f64 / 1e6
    }

    /// Resident megabytes.
    pub(crate) fn resident(&self) -> f64 {
        measure::resident(self.id()) as f64 / 1e6
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Starts all who are wanted; those who can't be had are told with the reason.
pub(crate) fn start(stage: &Stage, options: &Options) -> (Vec<Peer>, Vec<(String, String)>) {
    type Of = fn(&Stage) -> Result<Plan>;
    let all: [(&str, Of); 5] = [
        (NAMEWALL, namewall::plan),
        (UNCACHED, namewall::plan_uncached),
        (squid::NAME, squid::plan),
        (mitmproxy::NAME, mitmproxy::plan),
        (safe_chain::NAME, safe_chain::plan),
    ];
    let (mut peers, mut skipped) = (Vec::new(), Vec::new());
    for (name, plan) in all {
        if !name.starts_with(NAMEWALL) && !options.wants_peer(name) {
            continue;
        }
        match plan(stage).and_then(|plan| Peer::start(plan, STARTS, &stage.folder)) {
            Ok(peer) => peers.push(peer),
            Err(reason) => skipped.push((name.to_owned(), reason.to_string())),
        }
    }
    (peers, skipped)
}

/// Waits until it accepts.
pub(crate) fn wait_for(address: SocketAddr, child: &mut Child) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = child.try_wait()? {
            return Err(format!("it ended with {status}").into());
        }
        if begun.elapsed() > Duration::from_secs(30) {
            return Err("it doesn't listen after 30 seconds".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Kills it and waits.
pub(crate) fn end(child: &mut Child) {
    // It may have ended.
    let _killed = child.kill();
    let _status = child.wait();
}

/// The names of the ten rules, as one regular expression for peers that take one.
fn expression() -> String {
    let units = UNITS.join("|");
    format!("(?!(?:{units})-sdk$)(?:(?:{units})(?:-.*|[0-9]+)?|.*-(?:{units})-internal)")
}

/// The first line of what a program says of its version.
fn version(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().next().unwrap_or_default().trim().to_owned())
}
