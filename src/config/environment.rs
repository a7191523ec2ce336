//! The process environment, read once: nothing else in namewall asks the process for a variable.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where a service without a home keeps its state (the FHS's place for it).
const SYSTEM_STATE: &str = "/var/lib/namewall";

/// A copy of the environment variables: the process's, or a test's.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The variables of this process as they are now.
    #[must_use]
    pub fn from_process() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// These variables and no others.
    pub fn from_pairs<K: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// The value of `name`; an empty one counts as absent, as the XDG specification and curl have it.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// All variables in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The user's config folder: `$XDG_CONFIG_HOME` or `~/.config`, `%APPDATA%` on Windows.
    #[must_use]
    pub fn config_home(&self) -> Option<PathBuf> {
        self.folder("XDG_CONFIG_HOME", ".config", "APPDATA")
    }

    /// Where namewall keeps the CA unless the config says otherwise: `$XDG_STATE_HOME/namewall` or
    /// `~/.local/state/namewall`, below `%LOCALAPPDATA%` on Windows, and `/var/lib/namewall` for a service without a home.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        let home = self.folder("XDG_STATE_HOME", ".local/state", "LOCALAPPDATA");
        home.map_or_else(|| PathBuf::from(SYSTEM_STATE), |home| home.join("namewall"))
    }

    /// Where passwords of hosts are: `$NETRC`, or `~/.netrc` (`_netrc` on Windows).
    #[must_use]
    pub fn netrc(&self) -> Option<PathBuf> {
        let (home, name) = if cfg!(windows) { ("USERPROFILE", "_netrc") } else { ("HOME", ".netrc") };
        self.var("NETRC").map(PathBuf::from).or_else(|| self.absolute(home).map(|home| home.join(name)))
    }

    fn folder(&self, xdg: &str, below_home: &str, windows: &str) -> Option<PathBuf> {
        if cfg!(windows) {
            return self.absolute(windows);
        }
        // XDG Base Directory Specification: "All paths […] must be absolute", others are to be ignored.
        self.absolute(xdg).or_else(|| self.absolute("HOME").map(|home| home.join(below_home)))
    }

    fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.var(name).map(Path::new).filter(|path| path.is_absolute()).map(Path::to_owned)
    }
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    fn folders(pairs: &[(&str, &str)]) -> (Option<PathBuf>, PathBuf) {
        let environment = Environment::from_pairs(pairs.iter().copied());
        (environment.config_home(), environment.state_folder())
    }

    #[test]
    fn folders_are_where_xdg_says() {
        let (config, state) = folders(&[("HOME", "/home/ann")]);
        assert_eq!(config.as_deref(), Some(Path::new("/home/ann/.config")));
        assert_eq!(state, Path::new("/home/ann/.local/state/namewall"));

        let (config, state) = folders(&[("HOME", "/home/ann"), ("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")]);
        assert_eq!(config.as_deref(), Some(Path::new("/c")));
        assert_eq!(state, Path::new("/s/namewall"));

        let (config, state) = folders(&[("HOME", "/home/ann"), ("XDG_CONFIG_HOME", "c"), ("XDG_STATE_HOME", "")]);
        assert_eq!(config.as_deref(), Some(Path::new("/home/ann/.config")));
        assert_eq!(state, Path::new("/home/ann/.local/state/namewall"));
    }

    #[test]
    fn a_service_has_no_home() {
        let (config, state) = folders(&[]);
        assert_eq!(config, None);
        assert_eq!(state, Path::new("/var/lib/namewall"));
    }

    #[test]
    fn an_empty_variable_is_absent() {
        let environment = Environment::from_pairs([("NAMEWALL_CONFIG", ""), ("A", "b")]);
        assert_eq!(environment.var("NAMEWALL_CONFIG"), None);
        assert_eq!(environment.var("A"), Some(OsStr::new("b")));
        assert_eq!(environment.var("B"), None);
    }
}
impl IntoIterator for Environment {
    type Item = (OsString, OsString);
    type IntoIter = std::collections::btree_map::IntoIter<OsString, OsString>;

    fn into_iter(self) -> Self::IntoIter {
        self.variables.into_iter()
    }
}
