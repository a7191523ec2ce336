//! The settings: everything the config says, checked, compiled and immutable.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::snippet::ConfigError;
use crate::name::{Authority, HostName};
use crate::policy::Rule;
use crate::pypi::site::SiteKind;

/// What the config and the command line say together.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that was read; `None` for the built-in default.
    pub source: Option<PathBuf>,
    /// Where the proxy listens.
    pub listen: Vec<SocketAddr>,
    /// Where health, metrics and `ca.pem` are served; `None` is off.
    pub admin: Option<SocketAddr>,
    /// Networks whose clients are served.
    pub allow: Vec<IpNet>,
    /// How long running requests may finish after SIGTERM.
    pub drain: Duration,
    /// Where the certificate authority is.
    pub ca: CaSource,
    /// Files with roots that are trusted upstream beside the system's.
    pub extra_roots: Vec<PathBuf>,
    /// Dial elsewhere; the name that is verified stays.
    pub connect_to: HashMap<Authority, Authority>,
    /// The `[[protect]]` rules in the order of the file, then the command line's.
    pub rules: Vec<Rule>,
    /// The `[[assert]]` tables.
    pub assertions: Vec<Assertion>,
    /// The intercepted hosts: the default ones and the config's.
    pub sites: HashMap<HostName, SiteKind>,
    /// How the log is written.
    pub log_format: LogFormat,
    /// The decision log; `None` is to the log.
    pub decisions: Option<PathBuf>,
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

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// One `[[assert]]` table entry: what must be so under the rules, with its place for the message.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// The name as written.
    pub written: String,
    /// Whether it must be protected, or allowed.
    pub protected: bool,
    /// Where it stands.
    pub place: Option<crate::policy::Place>,
}

/// What the command line says beside the config.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--protect`, in order; they become the rule `command-line`.
    pub protect: Vec<String>,
    /// `--listen`; replaces the config's addresses when not empty.
    pub listen: Vec<SocketAddr>,
    /// `--admin`.
    pub admin: Option<SocketAddr>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

impl Settings {
    /// Finds, reads, checks and compiles the config, then applies `overrides`.
    ///
    /// # Errors
    /// [`ConfigError`], which prints as `file:line:column`, a caret and the remedy.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let _ = overrides;
        todo!()
    }
}
