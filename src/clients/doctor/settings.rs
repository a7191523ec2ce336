//! The settings that clients keep in files: indexes that nobody looks into, and hosts that are believed blindly.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use url::Url;

use super::Facts;
use super::proxies::Proxies;
use super::proxy_url::ProxyUrl;
use super::report::{Check, Group};
use crate::clients::env::leads_past;
use crate::files::read_text;
use crate::name::HostName;
use crate::pypi::mirrors::known_mirror;
use crate::pypi::site::site_of;

const CLIENTS: Group = Group::Clients;
const ID: &str = "settings";

/// No such file is longer.
const LONGEST: u64 = 4 << 20;

/// Something that a client is told by a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) tool: &'static str,
    /// The file and the key.
    pub(super) place: String,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Packages come from this URL, too.
    Index(String),
    /// Certificates of this host (or of that of a URL) are not looked at.
    Unverified(String),
    /// This host is asked without the tool's own proxy.
    Past(String),
    /// The tool's own proxy for `https://`.
    Proxy(String),
    /// Its own for `http://`.
    PlainProxy,
}

/// What uv, poetry, pdm and pipenv find in their files, for whoever stands in this folder; and the files.
pub(super) fn found(facts: &Facts<'_>) -> (Vec<Setting>, Vec<PathBuf>) {
    let mut reader = Reader::default();
    if let Some(home) = facts.environment.config_home() {
        reader.read(&home.join("uv/uv.toml"), uv);
        reader.read(&home.join("pypoetry/config.toml"), poetry_config);
        reader.read(&home.join("pdm/config.toml"), pdm_config);
    }
    reader.read(Path::new("/etc/uv/uv.toml"), uv);
    for folder in facts.cwd.ancestors() {
        let before = reader.files.len();
        reader.read(&folder.join("uv.toml"), uv);
        reader.read(&folder.join("pyproject.toml"), pyproject);
        reader.read(&folder.join("Pipfile"), pipfile);
        // The nearest project is the one that is worked on.
        if reader.files.len() > before {
            break;
        }
    }
    let only = facts.environment.var("UV_CONFIG_FILE");
    if only.is_some() || is_on(facts.environment.var("UV_NO_CONFIG")) {
        reader.found.retain(|setting| setting.tool != "uv");
    }
    if let Some(only) = only {
        reader.read(&facts.cwd.join(only), uv);
    }
    (reader.found, reader.files)
}

/// As uv reads its switches.
fn is_on(value: Option<&OsStr>) -> bool {
    let value = value.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ["1", "true", "t", "yes", "y", "on"].contains(&&*value)
}

/// One check of everything that leads past, or that all is well.
pub(super) fn checks(settings: &[Setting], files: &[PathBuf], facts: &Facts<'_>, proxies: &Proxies) -> Vec<Check> {
    let beside = Beside {
        proxy: proxies.followed().0.and_then(|name| proxies.get(name)),
        https: settings.iter().any(|setting| matches!(setting.what, What::Proxy(_))),
        http: settings.iter().any(|setting| setting.what == What::PlainProxy),
    };
    let mut checks: Vec<Check> = settings.iter().filter_map(|setting| of_one(setting, facts, &beside)).collect();
    if checks.is_empty() {
        let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let read = if list.is_empty() { "no config file of a client".to_owned() } else { list.join(", ") };
        checks.push(CLIENTS.ok(ID, format!("{read} leads past namewall")));
        if let (Some(check), false) = (checks.first_mut(), list.is_empty()) {
            check.message = format!("nothing in {read} leads past namewall");
        }
    }
    checks
}

/// What a setting has beside it: once uv's files name a proxy of either kind, uv follows no variable any more (measured
/// with 0.13.9), and without one its `no-proxy` says nothing.
struct Beside<'a> {
    /// The shell's.
    proxy: Option<&'a Result<ProxyUrl, &'static str>>,
    https: bool,
    http: bool,
}

fn of_one(setting: &Setting, facts: &Facts<'_>, beside: &Beside<'_>) -> Option<Check> {
    let Setting { tool, place, what } = setting;
    let hosts: Vec<HostName> = facts.sites.keys().cloned().collect();
    match what {
        What::Index(url) => {
            let host = host_of(url).filter(|host| site_of(&facts.sites, host).is_none())?;
            known_mirror(&host)?;
            let message =
                format!("{tool} takes packages from {host}, a public mirror that is not intercepted ({place})");
            let remedy =
                format!("add to namewall.toml: [[intercept]] host = \"{host}\" kind = \"mirror\"; namewall ca renew");
            Some(CLIENTS.warn(ID, message, remedy))
        }
        What::Unverified(host) => {
            let host = host_of(host).filter(|host| site_of(&facts.sites, host).is_some())?;
            let message = format!("{tool} does not look at the certificate of {host} ({place})");
            Some(CLIENTS.warn(ID, message, format!("remove {host} there: {place}")))
        }
        What::Proxy(url) => {
            let own = ProxyUrl::parse(url);
            if beside.proxy == Some(&own) {
                return None;
            }
            let own = own.map_or_else(|why| format!("(it {why})"), |proxy| proxy.to_string());
            let message = format!("{tool} has a proxy of its own, which it prefers to the shell's: {own} ({place})");
            Some(CLIENTS.fail(ID, message, without(place)))
        }
        What::PlainProxy => {
            let message =
                format!("{tool} has a proxy of its own for http://, and with it asks PyPI without any ({place})");
            (!beside.https).then(|| CLIENTS.fail(ID, message, without(place)))
        }
        What::Past(_) if !beside.https && !beside.http => None,
        What::Past(entry) => {
            let message = format!("{tool} is led past the proxy to PyPI's hosts by {entry} ({place})");
            leads_past(entry, &hosts).then(|| CLIENTS.fail(ID, message, format!("remove {entry} there: {place}")))
        }
    }
}

fn without(place: &str) -> String {
    format!("remove the line: {place}   # or: export UV_NO_CONFIG=1")
}

/// The host of a URL, or `host` or `host:port`. Only that: a URL may hold a password.
fn host_of(text: &str) -> Option<HostName> {
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
    url.ok()?.host_str()?.parse().ok()
}

#[derive(Default)]
struct Reader {
    found: Vec<Setting>,
    files: Vec<PathBuf>,
}

/// A key, and what it says.
type Said = (&'static str, String, What);

impl Reader {
    fn read(&mut self, path: &Path, understand: fn(&Table) -> Vec<Said>) {
        // What is no TOML is the business of its client, which says so.
        let Some(table) = read_text(path, LONGEST).ok().flatten().and_then(|text| text.parse::<Table>().ok()) else {
            return;
        };
        self.files.push(path.to_owned());
        let place = |key: &str| format!("{}, `{key}`", path.display());
        let said = understand(&table).into_iter();
        self.found.extend(said.map(|(tool, key, what)| Setting { tool, place: place(&key), what }));
    }
}

fn uv(table: &Table) -> Vec<Said> {
    let mut said = Vec::new();
    said.extend(texts(table.get("https-proxy")).map(|url| ("uv", "https-proxy".to_owned(), What::Proxy(url))));
    said.extend(texts(table.get("http-proxy")).map(|_| ("uv", "http-proxy".to_owned(), What::PlainProxy)));
    said.extend(texts(table.get("no-proxy")).map(|host| ("uv", "no-proxy".to_owned(), What::Past(host))));
    for table in [Some(table), table.get("pip").and_then(Value::as_table)].into_iter().flatten() {
        for key in ["index-url", "extra-index-url", "default-index"] {
            said.extend(texts(table.get(key)).map(|url| ("uv", key.to_owned(), What::Index(url))));
        }
        let indexes = tables(table.get("index")).filter_map(|index| index.get("url")?.as_str());
        said.extend(indexes.map(|url| ("uv", "index.url".to_owned(), What::Index(url.to_owned()))));
        let key = "allow-insecure-host";
        said.extend(texts(table.get(key)).map(|host| ("uv", key.to_owned(), What::Unverified(host))));
    }
    said
}

fn pyproject(table: &Table) -> Vec<Said> {
    let Some(tools) = table.get("tool").and_then(Value::as_table) else { return Vec::new() };
    let tool = |name: &str| tools.get(name).and_then(Value::as_table);
    let mut said = tool("uv").map(uv).unwrap_or_default();
    for name in ["poetry", "pdm"] {
        said.extend(sources(name, tool(name).and_then(|table| table.get("source"))));
    }
    said
}

fn pipfile(table: &Table) -> Vec<Said> {
    sources("pipenv", table.get("source"))
}

/// `[[source]]`, which poetry, pdm and pipenv have in common.
fn sources(tool: &'static str, value: Option<&Value>) -> Vec<Said> {
    tables(value).flat_map(|source| source_of(tool, "source", source)).collect()
}

fn source_of(tool: &'static str, key: &str, source: &Table) -> Vec<Said> {
    let Some(url) = source.get("url").and_then(Value::as_str) else { return Vec::new() };
    let unverified = source.get("verify_ssl").and_then(Value::as_bool) == Some(false);
    let mut said = vec![(tool, format!("{key}.url"), What::Index(url.to_owned()))];
    said.extend(unverified.then(|| (tool, format!("{key}.verify_ssl"), What::Unverified(url.to_owned()))));
    said
}

fn pdm_config(table: &Table) -> Vec<Said> {
    let Some(pypi) = table.get("pypi").and_then(Value::as_table) else { return Vec::new() };
    let mut pypi = pypi.clone();
    pypi.entry("url").or_insert_with(|| "https://pypi.org/simple".into());
    source_of("pdm", "pypi", &pypi)
}

/// `certificates.NAME.cert = false`; the public index is called so or `PyPI`.
fn poetry_config(table: &Table) -> Vec<Said> {
    let Some(certificates) = table.get("certificates").and_then(Value::as_table) else { return Vec::new() };
    let blind = |entry: &Value| entry.get("cert").and_then(Value::as_bool) == Some(false);
    let public = certificates.iter().filter(|(name, entry)| name.eq_ignore_ascii_case("pypi") && blind(entry));
    public
        .map(|(name, _)| ("poetry", format!("certificates.{name}.cert"), What::Unverified("pypi.org".to_owned())))
        .collect()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = String> {
    let list = match value {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter().filter_map(Value::as_str).map(str::to_owned)
}

fn tables(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(understand: fn(&Table) -> Vec<Said>, text: &str) -> Vec<String> {
        let said = understand(&text.parse().unwrap()).into_iter();
        said.map(|(tool, key, what)| format!("{tool} {key} {what:?}")).collect()
    }

    #[test]
    fn what_each_client_is_told() {
        let text = "[tool.uv]\nindex-url = \"https://a.example\"\nallow-insecure-host = [\"pypi.org\"]\n\
                    [[tool.uv.index]]\nurl = \"https://b.example\"\n[[tool.poetry.source]]\nurl = \"https://c.example\"\n\
                    [[tool.pdm.source]]\nurl = \"https://d.example\"\nverify_ssl = false\n";
        assert_eq!(
            said(pyproject, text),
            [
                "uv index-url Index(\"https://a.example\")",
                "uv index.url Index(\"https://b.example\")",
                "uv allow-insecure-host Unverified(\"pypi.org\")",
                "poetry source.url Index(\"https://c.example\")",
                "pdm source.url Index(\"https://d.example\")",
                "pdm source.verify_ssl Unverified(\"https://d.example\")",
            ]
        );
        assert_eq!(
            said(poetry_config, "[certificates.PyPI]\ncert = false\n[certificates.corp]\ncert = false\n"),
            ["poetry certificates.PyPI.cert Unverified(\"pypi.org\")"]
        );
        assert_eq!(said(pdm_config, "[pypi]\nverify_ssl = false\n").len(), 2);
        assert_eq!(host_of("https://ann:secret@Mirror.example:80/x").unwrap().as_str(), "mirror.example");
        assert_eq!(host_of("pypi.org:443").unwrap().as_str(), "pypi.org");
    }
}
