//! What the user has set for clients, and what stays in force beside ours.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::named_roots;
use crate::config::environment::Environment;

/// The longest config of pip that is read.
const MAX_CONFIG: u64 = 1 << 20;

/// What the user has set for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// The hosts that are to be reached directly, by `NO_PROXY` and `no_proxy`.
    pub no_proxy: Vec<String>,
    /// Files and folders of roots; all that they hold is to be in the bundle.
    pub roots: Vec<PathBuf>,
    /// What named a file of roots that isn't there.
    pub missing: Vec<(String, PathBuf)>,
    /// Whether pip has a proxy that it prefers to `HTTPS_PROXY`.
    pub pip_has_proxy: bool,
    /// Files of uv's settings that name a proxy, which it prefers to all variables.
    pub uv_proxies: Vec<PathBuf>,
}

impl Own {
    /// What `environment` and pip's config files say; `folder` is where namewall's own bundles are.
    #[must_use]
    pub fn of(environment: &Environment, folder: &Path) -> Self {
        let mut own = Self { pip_has_proxy: environment.var("PIP_PROXY").is_some(), ..Self::default() };
        for name in ["NO_PROXY", "no_proxy"] {
            let entries = environment.var(name).map(OsStr::to_string_lossy).unwrap_or_default();
            let is_gap = |letter: char| letter == ',' || letter.is_whitespace();
            for entry in entries.split(is_gap).filter(|entry| !entry.is_empty()) {
                if !own.no_proxy.iter().any(|known| known == entry) {
                    own.no_proxy.push(entry.to_owned());
                }
            }
        }
        for (name, path) in named_roots(environment, folder) {
            own.add_root(name, path);
        }
        for file in pip_configs(environment) {
            let Ok(Some(text)) = crate::files::read_text(&file, MAX_CONFIG) else { continue };
            for (key, value) in settings(&text) {
                match key {
                    "cert" => own.add_root(&format!("`cert` in {}", file.display()), expanded(value, environment)),
                    "proxy" => own.pip_has_proxy = true,
                    _ => {}
                }
            }
        }
        own.uv_proxies = uv_settings(environment).into_iter().filter(|file| names_a_proxy(file)).collect();
        own
    }

    fn add_root(&mut self, named_by: &str, path: PathBuf) {
        if fs::metadata(&path).is_ok() {
            if !self.roots.contains(&path) {
                self.roots.push(path);
            }
        } else {
            self.missing.push((named_by.to_owned(), path));
        }
    }
}

/// The files that pip reads (<https://pip.pypa.io/en/stable/topics/configuration/>).
fn pip_configs(environment: &Environment) -> Vec<PathBuf> {
    let named = environment.var("PIP_CONFIG_FILE").map(PathBuf::from);
    // `os.devnull` there switches all of them off.
    if named.as_deref().is_some_and(|named| named == Path::new("/dev/null") || named == Path::new("nul")) {
        return Vec::new();
    }
    // One that is there stands in place of the user's.
    let is_there = named.as_deref().is_some_and(Path::exists);
    let name = if cfg!(windows) { "pip.ini" } else { "pip.conf" };
    let machine = ["/etc/xdg/pip", "/etc"].into_iter().map(PathBuf::from);
    let home = environment.var("HOME").map(|home| PathBuf::from(home).join(".pip"));
    let user = environment.config_home().map(|folder| folder.join("pip"));
    let site = environment.var("VIRTUAL_ENV").map(PathBuf::from);
    let users = home.into_iter().chain(user).filter(|_| !is_there);
    machine.chain(users).chain(site).map(|folder| folder.join(name)).chain(named).collect()
}

/// The keys and values of a file in pip's format, whatever their section: a key for one command counts for it.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';', '[']));
    lines.filter_map(|line| line.split_once(['=', ':'])).map(|(key, value)| (key.trim(), value.trim()))
}

/// The files that uv reads (<https://docs.astral.sh/uv/concepts/configuration-files/>): of the project those nearest to the
/// working folder.
fn uv_settings(environment: &Environment) -> Vec<PathBuf> {
    if let Some(named) = environment.var("UV_CONFIG_FILE") {
        return vec![named.into()];
    }
    if environment.var("UV_NO_CONFIG").is_some() {
        return Vec::new();
    }
    let users = environment.config_home().map(|folder| folder.join("uv/uv.toml"));
    let machines = ["/etc/xdg/uv/uv.toml", "/etc/uv/uv.toml"].map(PathBuf::from);
    let here = std::env::current_dir().unwrap_or_default();
    let projects = here.ancestors().flat_map(|folder| ["uv.toml", "pyproject.toml"].map(|name| folder.join(name)));
    let project = projects.filter(|file| file.is_file()).take(2);
    project.chain(users).chain(machines).collect()
}

fn names_a_proxy(file: &Path) -> bool {
    let text = crate::files::read_text(file, MAX_CONFIG).ok().flatten().unwrap_or_default();
    let Ok(table) = text.parse::<toml::Table>() else { return false };
    let settings = match file.file_name().is_some_and(|name| name == "pyproject.toml") {
        true => table.get("tool").and_then(|tool| tool.get("uv")).and_then(toml::Value::as_table),
        false => Some(&table),
    };
    // With `http-proxy` alone uv heeds no `HTTPS_PROXY` either (seen with 0.13.9).
    settings.is_some_and(|settings| ["https-proxy", "http-proxy"].iter().any(|key| settings.contains_key(*key)))
}

fn expanded(path: &str, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~/"), environment.var("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => path.into(),
    }
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_in_uvs_settings_is_found() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".config/uv")).unwrap();
        let file = home.path().join(".config/uv/uv.toml");
        let own = || Own::of(&Environment::from_pairs([("HOME", home.path())]), Path::new("/state")).uv_proxies;
        fs::write(&file, "index-url = \"https://x.example/\"\n").unwrap();
        assert!(own().is_empty());
        fs::write(&file, "https-proxy = \"http://corp:1\"\n").unwrap();
        assert_eq!(own(), [file]);
    }

    #[test]
    fn pips_config_counts_as_its_variables_do() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/pip");
        fs::create_dir_all(&folder).unwrap();
        fs::write(home.path().join("corp.pem"), "").unwrap();
        let conf =
            "# mine\n[global]\ncert = ~/corp.pem\nindex-url = https://x.example/\n[install]\nproxy: http://corp:1\n";
        fs::write(folder.join("pip.conf"), conf).unwrap();
        let pairs = [("HOME", home.path().as_os_str()), ("PIP_CERT", OsStr::new("/gone/corp.pem"))];
        let own = Own::of(&Environment::from_pairs(pairs), Path::new("/state"));
        assert!(own.roots.contains(&home.path().join("corp.pem")), "{:?}", own.roots);
        assert!(own.pip_has_proxy);
        assert_eq!(own.missing, [("PIP_CERT".to_owned(), PathBuf::from("/gone/corp.pem"))]);
        let elsewhere = [pairs[0], ("PIP_CONFIG_FILE", OsStr::new("/gone/pip.conf"))];
        assert!(Own::of(&Environment::from_pairs(elsewhere), Path::new("/state")).pip_has_proxy);
        let pairs = [pairs[0], ("PIP_CONFIG_FILE", OsStr::new("/dev/null"))];
        assert_eq!(Own::of(&Environment::from_pairs(pairs), Path::new("/state")), Own::default());
    }
}
