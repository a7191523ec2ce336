//! The settings: everything the config says, checked, compiled and immutable.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use time::Date;

pub use super::assertion::Assertion;
use super::claimed::Claimed;
use super::environment::Environment;
use super::exits::Exits;
use super::include::Gathered;
use super::inventory::InventorySource;
use super::kept::{self, KeptList};
use super::limits::Limits;
use super::listener::{ListenerSettings, Place};
use super::parents::Parents;
use super::snippet::ConfigError;
use super::users::{UnreadableUsers, UsersFile};
use super::variables::Variables;
use super::{compile, discover};
use crate::name::{Authority, HostName};
use crate::policy::{CompileError, Names, Policy, Rule};
use crate::pypi::site::Sites;

/// What the config and the command line say together.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that was read; `None` for the built-in default.
    pub source: Option<PathBuf>,
    /// Where the proxy listens.
    pub listeners: Vec<ListenerSettings>,
    /// Where health, metrics and `ca.pem` are served; `None` is off.
    pub admin: Option<Place>,
    /// The names under which it answers there, beside addresses and `localhost`.
    pub admin_hosts: Vec<HostName>,
    /// Networks whose clients are served, where a listener names none itself.
    pub allow: Vec<IpNet>,
    /// Networks whose clients may ask the admin listener, which asks nobody for a name.
    pub admin_allow: Vec<IpNet>,
    /// Who may use the proxy, by name and password; `None` asks nobody.
    pub users: Option<UsersFile>,
    /// How long running requests may finish after SIGTERM.
    pub drain: Duration,
    /// How long `/readyz` says before that all will end, while all goes on.
    pub drain_notice: Duration,
    /// How much anybody may take.
    pub limits: Limits,
    /// Where the certificate authority is.
    pub ca: CaSource,
    /// Where what is learnt is kept, unless the authority has a folder of its own.
    pub state: PathBuf,
    /// Files with roots that are trusted upstream beside the system's.
    pub extra_roots: Vec<PathBuf>,
    /// Through which proxies upstream is reached.
    pub parents: Parents,
    /// Dial elsewhere; the name that is verified stays.
    pub connect_to: HashMap<Authority, Authority>,
    /// Where clients may be let out.
    pub exits: Arc<Exits>,
    /// How many bytes of filtered pages are kept in memory; 0 is none.
    pub cache: u64,
    /// The `[[protect]]` rules in the order of the file, then the environment's and the command line's.
    pub rules: Vec<Rule>,
    /// The private indexes whose projects are protected.
    pub inventories: Vec<InventorySource>,
    /// What is done about protected names that strangers hold.
    pub claimed: Claimed,
    /// Further roots for the bundle that clients are given: what the user of `run` has named for some of them.
    pub client_roots: Vec<PathBuf>,
    /// What the `[[assert]]` tables say, name by name.
    pub assertions: Vec<Assertion>,
    /// The intercepted hosts: the default ones and the config's.
    pub sites: Sites,
    /// How the log is written.
    pub log_format: LogFormat,
    /// The decision log; `None` is to the log.
    pub decisions: Option<PathBuf>,
    /// The access log; `None` is off.
    pub access: Option<AccessTo>,
    /// How its lines look.
    pub access_format: AccessFormat,
    pub(super) files: Vec<PathBuf>,
    pub(super) watched: Vec<PathBuf>,
    pub(super) folders: Vec<PathBuf>,
    /// Those of `files` that had nothing in them, not even a comment.
    pub(super) blank: Vec<PathBuf>,
}

/// Where the certificate authority's certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaSource {
    /// In this folder, made there when it is missing.
    Dir(PathBuf),
    /// Issued by the organisation.
    Pair {
        /// The certificate (PEM).
        cert: PathBuf,
        /// Its key (PEM).
        key: PathBuf,
    },
}

impl Settings {
    /// The addresses that clients can be pointed at, in the clear, as far as the config tells them.
    pub fn proxies(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().filter(|listener| listener.tls.is_none()).filter_map(ListenerSettings::proxy_address)
    }

    /// The same of those who speak TLS: clients that can do so call them `https://` proxies.
    pub fn tls_proxies(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().filter(|listener| listener.tls.is_some()).filter_map(ListenerSettings::proxy_address)
    }

    /// The intercepted hosts: for which the authority has to be able to sign.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostName> {
        self.sites.keys().cloned().collect()
    }

    /// The files that were read, in that order: the config file, what it includes, and those of `--rules` and `NAMEWALL_RULES`.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The folders in which a new file may be included: of each pattern of `include` the part before the first wildcard.
    ///
    /// One of them need not exist yet. Of those below, [`Settings::folders`] are what wildcards lead to.
    #[must_use]
    pub fn watched(&self) -> &[PathBuf] {
        &self.watched
    }

    /// The folders that wildcards of `include` lead to: in each of them a new file may be included, too.
    #[must_use]
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }
}

impl CaSource {
    /// The files that it is in, and its successor's; not all are there.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Dir(dir) => ["ca.pem", "ca-key.pem", "ca-next.pem"].map(|name| dir.join(name)).into(),
            Self::Pair { cert, key } => vec![cert.clone(), key.clone()],
        }
    }

    /// The files that clients may read: the certificate, and the bundle of it and the public roots.
    #[must_use]
    pub fn public_files(&self) -> (PathBuf, PathBuf) {
        match self {
            Self::Dir(dir) => (dir.join("ca.pem"), dir.join("bundle.pem")),
            Self::Pair { cert, .. } => (cert.clone(), cert.with_file_name("bundle.pem")),
        }
    }
}

/// How log lines look.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTo {
    /// To the program's log.
    Log,
    /// To a file of its own.
    File(PathBuf),
}

/// How the access log's lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// One object a line.
    #[default]
    Json,
    /// As web servers write it: the Common Log Format.
    Common,
}

/// What the command line says beside the config, and before what the `NAMEWALL_*` variables say.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--rules`, in order: files of rules beside the config's.
    pub rules: Vec<PathBuf>,
    /// `--protect`, in order; they become the rule `command-line`.
    pub protect: Vec<String>,
    /// `--listen`; replaces the config's addresses when not empty.
    pub listen: Vec<Place>,
    /// `--admin`.
    pub admin: Option<Place>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

impl Settings {
    /// Finds, reads, checks and compiles the config, then applies the `NAMEWALL_*` variables and `overrides`.
    ///
    /// # Errors
    /// [`ConfigError`], which prints as `file:line:column`, a caret and the remedy.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        // A working folder that was deleted holds no config; the other places are still looked at.
        let cwd = std::env::current_dir().unwrap_or_default();
        Self::load_from(overrides, &Environment::from_process(), &cwd)
    }

    /// As [`Settings::load`], with this environment and working folder instead of the process's.
    ///
    /// # Errors
    /// [`ConfigError`], as there.
    pub fn load_from(overrides: &Overrides, environment: &Environment, cwd: &Path) -> Result<Self, ConfigError> {
        let source = discover::find(overrides.config.as_deref(), environment, cwd)?;
        let mut gathered = Gathered::from_config(source);
        overrides.rules.iter().for_each(|file| gathered.add_rules(file, "--rules", cwd));
        let variables = Variables::read(environment, cwd, &mut gathered.sources);
        variables.rules.iter().for_each(|file| gathered.add_rules(file, "$NAMEWALL_RULES", cwd));
        compile::compile(&gathered, &variables, overrides, environment)
    }

    /// The rules and what is kept of the inventories, compiled as of `today`.
    ///
    /// # Errors
    /// [`CompileError`] if the rules are more than can be compiled together.
    pub fn policy(&self, today: Date) -> Result<Policy, CompileError> {
        let lists = self.kept_lists().into_iter().map(|list| list.map(|list| list.names));
        self.policy_with(self.rules.clone(), lists, today)
    }

    /// The one way to a policy: `rules`, and what each of the inventories is known to list (in their order), as of
    /// `today`.
    ///
    /// # Errors
    /// As [`Settings::policy`].
    pub fn policy_with(
        &self,
        rules: Vec<Rule>,
        lists: impl IntoIterator<Item = Option<Arc<Names>>>,
        today: Date,
    ) -> Result<Policy, CompileError> {
        let listings = self.inventories.iter().zip(lists).map(|(source, names)| source.listing(names));
        Policy::with_inventories(rules, listings.collect(), today)
    }

    /// What is kept of each inventory, in their order. A file that can't be read is told of, and nothing is known.
    #[must_use]
    pub fn kept_lists(&self) -> Vec<Option<KeptList>> {
        let state = self.state_folder();
        let read = |source: &InventorySource| match kept::read(source, &state) {
            Ok(list) => list,
            Err(error) => {
                let path = kept::file_of(source, &state);
                tracing::warn!(id = source.id, path = %path.display(), %error, "cannot read the list of an inventory");
                None
            }
        };
        self.inventories.iter().map(read).collect()
    }

    /// Whether who the users are is known, if there are to be any.
    ///
    /// # Errors
    /// [`UnreadableUsers`]: a proxy that can't read its users serves nobody.
    pub fn knows_users(&self) -> Result<(), UnreadableUsers> {
        self.users.as_ref().map_or(Ok(()), |file| file.users.clone().map(drop))
    }

    /// Where what is learnt is kept: beside the authority, if its folder is ours.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        match &self.ca {
            CaSource::Dir(dir) => dir.clone(),
            CaSource::Pair { .. } => self.state.clone(),
        }
    }
}
