//! `namewall ca install`, `uninstall` and `status`: our authority in the system's trust store.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::moment;
use crate::cli::output::{Console, Style};
use crate::cli::{Common, Failure, Outcome};
use crate::config::CaSource;
use crate::config::environment::Environment;
use crate::name::HostName;
use crate::pypi::site;
use crate::tls::CaError;
use crate::tls::system::{Change, Held, Holdings, Source, StoreError, SystemStore};

/// Which authority.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Which {
    /// This certificate instead of the config's (root has no need of the key, nor of your config)
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Install {
    #[command(flatten)]
    which: Which,
    /// It may vouch for this host too, with its sub-domains; for PyPI's and the config's it always may
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<HostName>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    which: Which,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Which {
    fn path(&self, common: &Common) -> Result<PathBuf, Failure> {
        match &self.certificate {
            Some(path) => Ok(path.clone()),
            None => Ok(common.settings()?.ca.public_files().0),
        }
    }

    fn source(&self, path: &Path) -> Result<Source, Failure> {
        let under_sudo = || Environment::from_process().var("SUDO_USER").is_some();
        let (named, path_of) = (self.certificate.is_some(), || path.to_owned());
        match Source::read(path) {
            Err(StoreError::Ca(CaError::Absent { .. })) if named => Err(CaError::NoFile { path: path_of() }.into()),
            Err(StoreError::Ca(CaError::NotACertificate { .. })) if named => {
                Err(CaError::NoCertificate { path: path_of() }.into())
            }
            Err(StoreError::Ca(error @ CaError::Absent { .. })) if self.certificate.is_none() && under_sudo() => {
                let hint = "sudo has another home than you: run it without sudo first, it says the command to run";
                Err(Failure::Usage(format!("{error}; {hint}")))
            }
            read => Ok(read?),
        }
    }
}

/// When the certificate behind the first one begins to sign. Who may not read the keys isn't told.
fn next_from(which: &Which, common: &Common) -> Result<Option<OffsetDateTime>, Failure> {
    if which.certificate.is_some() {
        return Ok(None);
    }
    let authority = common.settings()?.ca.existing().ok();
    Ok(authority.and_then(|authority| authority.successor().map(|successor| successor.from)))
}

impl Install {
    /// What was made in the config's folder was confined to the hosts of its day; any other may come from anybody.
    fn check(&self, source: &Source, common: &Common) -> Result<(), Failure> {
        let settings = common.settings();
        if self.which.certificate.is_none()
            && matches!(&settings, Ok(settings) if matches!(settings.ca, CaSource::Dir(_)))
        {
            return Ok(());
        }
        // Root may have no config that it can use, and needs none.
        let configured = settings.map(|settings| settings.hosts()).unwrap_or_default();
        let hosts: Vec<_> = defaults().chain(configured).chain(self.hosts.iter().cloned()).collect();
        Ok(source.check_within(&hosts)?)
    }
}

fn defaults() -> impl Iterator<Item = HostName> {
    site::default_sites().map(|(host, _)| host)
}

pub(super) fn install(install: &Install, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let path = install.which.path(common)?;
    let source = install.which.source(&path)?;
    install.check(&source, common)?;
    let store = SystemStore::here()?;
    let change =
        store.install(&source).map_err(|error| elevated(error, "install", source.path(), &surplus(&source)))?;
    tell(&change, &store, console)?;
    for held in source.certificates() {
        console.line(format_args!("it may vouch for {} (and their sub-domains)", held.permitted_hosts().join(", ")))?;
    }
    if change.is_none() {
        console.line(format_args!("already installed in {}", store.name()))?;
    }
    Ok(Outcome::Fine)
}

pub(super) fn uninstall(which: &Which, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let path = which.path(common)?;
    let store = SystemStore::here()?;
    let change = store.uninstall(&path).map_err(|error| elevated(error, "uninstall", &path, &[]))?;
    tell(&change, &store, console)?;
    if change.is_none() {
        console.line(format_args!("nothing of {} is installed in {}", path.display(), store.name()))?;
        return Ok(Outcome::Finding);
    }
    Ok(Outcome::Fine)
}

pub(super) fn status(status: &Status, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let source = status.which.source(&status.which.path(common)?)?;
    let store = SystemStore::here()?;
    let holdings = store.holdings(source.path())?;
    let wanted = source.certificates();
    let next_from = next_from(&status.which, common)?;
    if status.json {
        console.json(&document(&store, &source, &holdings, next_from))?;
    } else {
        // A file from elsewhere is to be looked at before its hosts are named.
        let hosts = if status.which.certificate.is_none() { surplus(&source) } else { Vec::new() };
        print(&store, &source, &holdings, &hosts, console)?;
        if let Some(from) = next_from {
            console.line(format_args!("             the next one signs from {} on", moment(from)))?;
        }
    }
    let stale = holdings.others(wanted).any(|(_, ours)| ours);
    let missing = wanted.iter().any(|held| !holdings.trusts(held));
    Ok(if stale || missing { Outcome::Finding } else { Outcome::Fine })
}

fn print(
    store: &SystemStore,
    source: &Source,
    holdings: &Holdings,
    hosts: &[String],
    console: &Console,
) -> Result<(), Failure> {
    console.line(format_args!("store        {}", store.name()))?;
    for (held, role) in source.certificates().iter().zip(ROLES) {
        let installed = holdings.trusts(held);
        let (style, word) = if installed { (Style::Green, "installed") } else { (Style::Red, "not installed") };
        console.line(format_args!("{role:<12} {}, {}", console.paint(style, word), described(held)))?;
        if !installed {
            console.line(format_args!("             to install it: {}", command("install", source.path(), hosts)))?;
        }
    }
    for (held, ours) in holdings.others(source.certificates()) {
        let role = if ours { "older" } else { "another" };
        console.line(format_args!("{role:<12} {}", described(held)))?;
        if ours {
            console.line(format_args!("             to take it away: {}", command("install", source.path(), hosts)))?;
        }
    }
    Ok(())
}

/// What the certificates of a file are, in their order.
const ROLES: [&str; 2] = ["in force", "next"];

fn described(held: &Held) -> String {
    format!("{}, sha-256 {}, ends on {}", held.subject(), held.fingerprint(), held.not_after().date())
}

fn document(store: &SystemStore, source: &Source, holdings: &Holdings, next_from: Option<OffsetDateTime>) -> Value {
    let object = |held: &Held| {
        json!({
            "subject": held.subject(),
            "sha256": held.fingerprint(),
            "not_after": held.not_after().date().to_string(),
            "installed": holdings.trusts(held),
        })
    };
    let wanted = source.certificates();
    let others = |ours| {
        let others = holdings.others(wanted).filter(move |(_, is_ours)| *is_ours == ours);
        others.map(|(held, _)| object(held)).collect::<Vec<_>>()
    };
    json!({
        "store": store.name(),
        "certificate": source.path(),
        "installed": wanted.first().is_some_and(|held| holdings.trusts(held)),
        "certificates": wanted.iter().map(object).collect::<Vec<_>>(),
        "next_from": next_from.map(moment),
        "older": others(true),
        "others": others(false),
    })
}

fn tell(change: &Change, store: &SystemStore, console: &Console) -> Result<(), Failure> {
    for (held, word) in
        change.added.iter().map(|held| (held, "installed")).chain(change.removed.iter().map(|held| (held, "removed")))
    {
        console.line(format_args!("{word} {}", described(held)))?;
    }
    if !change.is_none() {
        console.line(format_args!("in {}", store.name()))?;
    }
    Ok(())
}

/// With the command that would do it.
fn elevated(error: StoreError, action: &str, certificate: &Path, hosts: &[String]) -> Failure {
    match error {
        StoreError::Permission { .. } => Failure::Elevate { error, command: command(action, certificate, hosts) },
        error => error.into(),
    }
}

/// What it may vouch for and root's config need not name.
fn surplus(source: &Source) -> Vec<String> {
    let defaults: Vec<_> = defaults().collect();
    let mut names: Vec<_> = source.beyond(&defaults).collect();
    names.sort();
    names.dedup();
    names
}

/// Whole paths: sudo has another `PATH` and another home, where another authority would be.
fn command(action: &str, certificate: &Path, hosts: &[String]) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("namewall"));
    let certificate = std::path::absolute(certificate).unwrap_or_else(|_| certificate.to_owned());
    let sudo = if cfg!(windows) { "" } else { "sudo " };
    let hosts: String = hosts.iter().map(|host| format!(" --host {}", quoted(OsStr::new(host)))).collect();
    let certificate = quoted(certificate.as_os_str());
    format!("{sudo}{} ca {action} --certificate {certificate}{hosts}", quoted(program.as_os_str()))
}

/// As a shell takes it for one word.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:\\".contains(c);
    if word.chars().all(plain) { word.into_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Ca(error) => Self::Ca(error),
            error => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_hosts_that_root_would_have_to_be_told() {
        let hosts = ["mirror.example.com".to_owned()];
        let command = command("install", Path::new("/ca.pem"), &hosts);
        assert!(command.ends_with(" ca install --certificate /ca.pem --host mirror.example.com"), "{command}");
    }

    #[test]
    fn the_command_is_one_that_can_be_pasted() {
        assert_eq!(quoted(OsStr::new("/home/ann/ca.pem")), "/home/ann/ca.pem");
        assert_eq!(quoted(OsStr::new("/home/o'neill x/ca.pem")), r"'/home/o'\''neill x/ca.pem'");
    }
}
