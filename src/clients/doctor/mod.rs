//! Says from this very shell whether every client on it is protected, and if not, why and what to do.
//!
//! `shell` and `trust` read variables and files; `sighting` asks the proxy itself over a `line` of our own; `installed`
//! and `reach` let the clients ask. Each fills its part of one `report`. Passwords of proxies and indexes are in none.

mod caches;
mod installed;
mod line;
mod machine;
mod pip_config;
mod program;
mod proxies;
mod proxy;
mod proxy_url;
mod reach;
mod report;
mod settings;
mod shell;
mod sighting;
mod trust;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::task::JoinSet;

use self::installed::{Client, Stack, installed};
pub(crate) use self::program::neutral_folder;
use self::proxies::Proxies;
pub(crate) use self::report::{Check, Group, Report, Status};
pub(crate) use self::sighting::INDEX;
use self::sighting::Sighting;
use self::trust::Trust;
use crate::config::Settings;
use crate::config::environment::Environment;
use crate::name::{ProjectName, Subject};
use crate::policy::{Asker, Mode, Policy, Rule};
use crate::pypi::site::Sites;
use crate::tls::shown::Shown;

/// What is examined.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) cwd: &'a Path,
    /// `None` if the config can't be used.
    pub(crate) settings: Option<&'a Settings>,
    pub(crate) policy: Option<Arc<Policy>>,
    /// The intercepted hosts.
    pub(crate) sites: Sites,
    /// A name that has to be stopped.
    pub(crate) name: Option<ProjectName>,
    /// Open no connection.
    pub(crate) offline: bool,
    /// How long each run of a program may take.
    pub(crate) patience: Duration,
}

/// Looks at everything.
pub(crate) async fn examine(facts: &Facts<'_>) -> Vec<Check> {
    let proxies = Proxies::of(facts.environment);
    let trust = Trust::of(facts);
    let roots = trust.roots();
    let mut checks = shell::checks(facts, &proxies);
    let (sightings, (clients, unknown), of_caches, egress) = tokio::join!(
        sight(facts, &proxies, &roots),
        installed(facts.environment, facts.patience),
        caches::checks(facts),
        machine::egress(facts, &roots),
    );
    let shown: Vec<&Shown> = sightings.iter().filter_map(Sighting::wall).flat_map(|wall| &wall.shown).collect();
    checks.extend(proxy::checks(&sightings, facts));
    checks.extend(trust.checks(facts, &shown));
    let (of_settings, reached, service) = tokio::join!(
        settings_of(&clients, facts, &proxies, &trust, &shown),
        reach(&clients, facts, &sightings),
        machine::service(facts, &sightings, &roots),
    );
    if clients.is_empty() && unknown.is_empty() {
        checks.push(Group::Clients.skipped("none", "no client was found on PATH"));
    }
    checks.extend([reached, unknown, of_settings, of_caches, service].concat());
    checks.extend([egress, machine::clock(&sightings, facts)]);
    checks
}

/// Looks at every proxy that some client follows.
async fn sight(facts: &Facts<'_>, proxies: &Proxies, roots: &RootCertStore) -> Vec<Sighting> {
    let mut sightings = Vec::new();
    if !facts.offline {
        for proxy in proxies.in_use() {
            sightings.push(Sighting::of(proxy, facts.name.as_ref(), roots).await);
        }
    }
    sightings
}

/// Lets the clients ask for themselves, all at once; only if what they go to is a namewall, all of it.
async fn reach(clients: &[Client], facts: &Facts<'_>, sightings: &[Sighting]) -> Vec<Check> {
    let walled = !sightings.is_empty() && sightings.iter().all(|sighting| sighting.wall().is_some());
    if !walled {
        let why = if facts.offline { "--offline" } else { "this shell leads to no namewall" };
        let skipped =
            |client: &Client| Group::Clients.skipped(client.name, format!("{}: not asked, {why}", client.shown));
        return clients.iter().map(skipped).collect();
    }
    // Its rules may be others than ours: whether a client is stopped is asked where the proxy itself said that it stops.
    let name = facts.name.clone().filter(|_| sightings.iter().all(stops));
    let mut asking = JoinSet::new();
    for (at, client) in clients.iter().cloned().enumerate() {
        let (name, environment, patience) = (name.clone(), facts.environment.clone(), facts.patience);
        asking.spawn(async move { (at, reach::reach(&client, name.as_ref(), &environment, patience).await) });
    }
    let mut checks = Vec::new();
    while let Some(check) = asking.join_next().await {
        checks.extend(check);
    }
    checks.sort_by_key(|(at, _)| *at);
    checks.into_iter().map(|(_, check)| check).collect()
}

fn stops(sighting: &Sighting) -> bool {
    sighting.wall().is_some_and(|wall| matches!(wall.stopped, Some(sighting::Stopped::By(_))))
}

/// What the clients' own settings lead to.
async fn settings_of(
    clients: &[Client],
    facts: &Facts<'_>,
    proxies: &Proxies,
    trust: &Trust,
    shown: &[&Shown],
) -> Vec<Check> {
    let (mut settings, files) = settings::found(facts);
    let mut checks = Vec::new();
    // Pips of several Pythons read the same files but for the environment's own: the first stands for all.
    if let Some(pip) = clients.iter().find(|client| client.stack == Stack::Pip) {
        let entries = pip_config::list(pip, facts, facts.patience).await;
        checks = pip_config::checks(pip, &entries, facts, proxies, trust, shown);
        settings.extend(pip_config::settings(&entries));
    }
    checks.extend(settings::checks(&settings, &files, facts, proxies));
    checks
}

/// A name that `policy` hides on the public index: the first exact one of its rules, else of what is asserted.
pub(crate) fn name_to_try(settings: &Settings, policy: &Policy) -> Option<ProjectName> {
    let enforced = |rule: &&Rule| rule.mode == Mode::Enforce && rule.versions.is_none() && rule.audience.is_everybody();
    let of_rules = settings.rules.iter().filter(enforced).flat_map(|rule| &rule.names).map(|pattern| pattern.written());
    let asserted = settings.assertions.iter().filter(|it| it.protected && it.asker.is_anybody());
    let asserted = asserted.map(|it| it.written.as_str());
    // What has a wildcard in it, or is an expression, is no name.
    let mut names = of_rules.chain(asserted).filter_map(|written| ProjectName::parse(written).ok());
    // Whoever the gateway takes us for.
    let narrowed = policy.narrowed_to(&Asker::LOCAL);
    let policy = narrowed.as_ref().unwrap_or(policy);
    names.find(|name| policy.judge(Subject::Project(name.as_name())).is_protected())
}
