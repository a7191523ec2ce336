//! The environment variables that point every client at the proxy.
//!
//! Requests' family (pip, poetry, twine) reads the lower-case proxy variables first, uv's the upper-case ones: both are
//! set. Most clients replace their roots by the bundle that they are given, so the bundle always holds the public roots
//! too, and none of the variables names our certificate alone except Node's, which adds.

mod own;
mod print;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use serde_json::{Map, Value};

pub use self::own::Own;
pub use self::print::{Format, print, print_undone};
use crate::config::environment::Environment;
use crate::name::HostName;

/// One variable: its name and its value.
pub type Variable = (&'static str, String);

/// What `env` remembers the user's own values in, for `env --unset`: one JSON object.
pub const OLD: &str = "NAMEWALL_OLD";

/// The variables with the bundle for a value.
const BUNDLE: [&str; 8] = [
    // requests, pip, poetry; pip before 24.2 and twine read nothing else.
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    // uv, pixi, httpx, hatch, pip from 24.2 on, OpenSSL's own tools.
    "SSL_CERT_FILE",
    "PIP_CERT",
    "TWINE_CERT",
    "POETRY_CERTIFICATES_PYPI_CERT",
    "PDM_PUBLISH_CA_CERTS",
    "CONDA_SSL_VERIFY",
];

/// Hosts of this machine: a gateway elsewhere would look for them on itself.
const LOCAL: [&str; 2] = ["localhost", "127.0.0.1"];

/// Where clients find the proxy, and what they trust.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The proxy's URL.
    pub proxy: &'a str,
    /// The roots and our certificate.
    pub bundle: &'a Path,
    /// Our certificate alone.
    pub ca: &'a Path,
}

/// The variables for the clients of this environment, and what its user should know of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The variables to set.
    pub variables: Vec<Variable>,
    /// The entries of `NO_PROXY` that would lead past the proxy to PyPI, and were left out.
    pub dropped: Vec<String>,
}

/// The variables for the clients of this environment. Its own `NO_PROXY` stays in force, and this machine is added to it;
/// what would lead past the proxy to one of `sites` is left out. A proxy of its own that pip prefers to all others
/// (`PIP_PROXY`, `proxy` in its config) is replaced.
#[must_use]
pub fn prepare(environment: &Environment, own: &Own, sites: &[HostName], target: Target<'_>) -> Prepared {
    let (dropped, mut kept): (Vec<String>, Vec<String>) =
        own.no_proxy.iter().cloned().partition(|entry| leads_past(entry, sites));
    for local in LOCAL {
        if !kept.iter().any(|entry| entry == local) {
            kept.push(local.to_owned());
        }
    }
    // Node adds to its roots: ours is enough, unless the user has added some, too.
    let node = if environment.var("NODE_EXTRA_CA_CERTS").is_some() { target.bundle } else { target.ca };
    let mut variables = variables(target.proxy, target.bundle, node, Some(&kept.join(",")));
    if own.pip_has_proxy {
        variables.push(("PIP_PROXY", target.proxy.to_owned()));
    }
    Prepared { variables, dropped }
}

/// The variables for clients of the proxy at `proxy` (a URL) that have nothing of their own: all but Node trust `bundle`,
/// and Node `node` besides its own roots.
#[must_use]
pub fn variables(proxy: &str, bundle: &Path, node: &Path, no_proxy: Option<&str>) -> Vec<Variable> {
    let mut variables = vec![("HTTPS_PROXY", proxy.to_owned()), ("https_proxy", proxy.to_owned())];
    if let Some(no_proxy) = no_proxy {
        variables.extend([("NO_PROXY", no_proxy.to_owned()), ("no_proxy", no_proxy.to_owned())]);
    }
    variables.extend(BUNDLE.map(|name| (name, bundle.display().to_string())));
    variables.push(("NODE_EXTRA_CA_CERTS", node.display().to_string()));
    variables
}

/// What the user has in place of `variables`, as a variable: none where there is nothing, and as it was remembered
/// before where that was done.
#[must_use]
pub fn remembered(environment: &Environment, variables: &[Variable]) -> Variable {
    if let Some(before) = environment.var(OLD).and_then(|value| value.to_str()) {
        return (OLD, before.to_owned());
    }
    let value = |name: &str| environment.var(name).and_then(|value| value.to_str()).map(Value::from);
    let old: Map<String, Value> =
        variables.iter().filter_map(|(name, _)| Some(((*name).to_owned(), value(name)?))).collect();
    // In base64: no shell finds anything in it to obey.
    (OLD, STANDARD.encode(Value::Object(old).to_string()))
}

/// What undoes `env`: each variable with the value that it had before, `None` where it had none. Nothing where `env` was not
/// heeded.
#[must_use]
pub fn undone(environment: &Environment) -> Vec<(&'static str, Option<String>)> {
    let decoded = |old: &str| STANDARD.decode(old).ok().and_then(|old| serde_json::from_slice(&old).ok());
    let old: Option<Map<String, Value>> = environment.var(OLD).and_then(|value| value.to_str()).and_then(decoded);
    let Some(old) = old else { return Vec::new() };
    let names = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"].into_iter().chain(BUNDLE);
    let names = names.chain(["NODE_EXTRA_CA_CERTS", "PIP_PROXY"]);
    let before = |name: &'static str| (name, old.get(name).and_then(Value::as_str).map(str::to_owned));
    names.map(before).chain([(OLD, None)]).collect()
}

/// Whether a `NO_PROXY` entry covers one of `sites`, in the widest reading that a client has of it.
#[must_use]
pub fn leads_past(entry: &str, sites: &[HostName]) -> bool {
    let entry = entry.split_once("://").map_or(entry, |(_scheme, rest)| rest);
    let host = entry.split_once(':').map_or(entry, |(host, _)| host).trim_start_matches('*').trim_start_matches('.');
    // requests compares how names end, whatever stands before: `ypi.org` is enough.
    sites.iter().any(|site| site.as_str().ends_with(&host.trim_end_matches('.').to_ascii_lowercase()))
}

/// The files of roots that `environment` names, and that are none of namewall's own in `folder`.
#[must_use]
pub fn named_roots(environment: &Environment, folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let names = BUNDLE.into_iter().chain(["NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR"]);
    // OpenSSL takes several folders in one variable.
    let paths = |name: &'static str| {
        let value = environment.var(name).unwrap_or_default();
        let all =
            if name == "SSL_CERT_DIR" { std::env::split_paths(value).collect() } else { vec![PathBuf::from(value)] };
        all.into_iter().filter(|path| !path.as_os_str().is_empty()).map(move |path| (name, path))
    };
    // Conda's may be `true` or `false` as well.
    let is_switch = |path: &Path| ["true", "false", "1", "0", "yes", "no"].iter().any(|word| path == Path::new(word));
    let is_ours = |path: &Path| ["ca.pem", "bundle.pem"].iter().any(|name| path == folder.join(name));
    names.flat_map(paths).filter(|(_, path)| !is_switch(path) && !is_ours(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(pairs: &[(&str, &str)]) -> Prepared {
        let sites: Vec<HostName> = ["pypi.org", "files.pythonhosted.org"].map(|host| host.parse().unwrap()).into();
        let environment = Environment::from_pairs(pairs.iter().copied());
        let own = Own::of(&environment, Path::new("/state"));
        let (bundle, ca) = (Path::new("/b.pem"), Path::new("/ca.pem"));
        prepare(&environment, &own, &sites, Target { proxy: "http://127.0.0.1:3128", bundle, ca })
    }

    fn value(prepared: &Prepared, name: &str) -> Option<String> {
        prepared.variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn an_inherited_bypass_of_our_hosts_is_dropped() {
        let set = |no_proxy| {
            let prepared = prepared(&[("NO_PROXY", no_proxy)]);
            assert_eq!(value(&prepared, "NO_PROXY"), value(&prepared, "no_proxy"));
            (value(&prepared, "NO_PROXY").unwrap(), prepared.dropped.len())
        };
        assert_eq!(
            set("corp.example, 10.0.0.0/8,localhost"),
            ("corp.example,10.0.0.0/8,localhost,127.0.0.1".into(), 0)
        );
        assert_eq!(set("pypi.org,.pythonhosted.org,corp.example"), ("corp.example,localhost,127.0.0.1".into(), 2));
        for all in ["*", "org", "*.org", ".PyPI.org:443", "ypi.org", "https://pypi.org", "pypi.org."] {
            assert_eq!(set(all), ("localhost,127.0.0.1".into(), 1), "{all}");
        }
        // curl parts them at blanks, too.
        assert_eq!(set("corp.example pypi.org\nb.example"), ("corp.example,b.example,localhost,127.0.0.1".into(), 1));
        let both = prepared(&[("NO_PROXY", "a.example"), ("no_proxy", "b.example,a.example")]);
        assert_eq!(value(&both, "no_proxy").unwrap(), "a.example,b.example,localhost,127.0.0.1");
    }

    #[test]
    fn both_cases_and_both_kinds() {
        let prepared = prepared(&[]);
        for name in ["HTTPS_PROXY", "https_proxy"] {
            assert_eq!(value(&prepared, name).as_deref(), Some("http://127.0.0.1:3128"));
        }
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"] {
            assert_eq!(value(&prepared, name).as_deref(), Some("/b.pem"));
        }
        assert_eq!(value(&prepared, "NODE_EXTRA_CA_CERTS").as_deref(), Some("/ca.pem"));
        assert_eq!(value(&prepared, "HTTP_PROXY"), None, "plain HTTP goes where it went before");
        assert_eq!(value(&prepared, "PIP_PROXY"), None, "pip would ignore NO_PROXY");
    }

    #[test]
    fn what_the_user_has_of_his_own_is_replaced_only_where_it_is_in_the_bundle() {
        let own = [("PIP_PROXY", "http://corp:1"), ("NODE_EXTRA_CA_CERTS", "/corp.pem")];
        let prepared = prepared(&own);
        assert_eq!(value(&prepared, "PIP_PROXY").as_deref(), Some("http://127.0.0.1:3128"));
        assert_eq!(value(&prepared, "NODE_EXTRA_CA_CERTS").as_deref(), Some("/b.pem"));
    }

    #[test]
    fn what_was_there_before_comes_back() {
        let first = Environment::from_pairs([("SSL_CERT_FILE", "/corp.pem"), ("NO_PROXY", "a")]);
        let variables = [("SSL_CERT_FILE", "/b.pem".to_owned()), ("https_proxy", "http://p:1".to_owned())];
        let (name, old) = remembered(&first, &variables);
        // Also when `env` is asked twice.
        let second = Environment::from_pairs([(name, old.as_str()), ("SSL_CERT_FILE", "/b.pem")]);
        assert_eq!(remembered(&second, &variables), (OLD, old));
        let undone = undone(&second);
        let of = |name| undone.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        assert_eq!((of("SSL_CERT_FILE"), of("https_proxy"), of(OLD)), (Some("/corp.pem".to_owned()), None, None));
        assert_eq!(super::undone(&Environment::from_pairs([("HTTPS_PROXY", "http://corp:1")])), []);
        for (name, _) in prepared(&[("PIP_PROXY", "x")]).variables {
            assert!(undone.iter().any(|(n, _)| *n == name), "{name}");
        }
    }

    #[test]
    fn roots_are_the_users_when_they_lie_elsewhere() {
        let environment = Environment::from_pairs([
            ("SSL_CERT_FILE", "/state/bundle.pem"),
            ("PIP_CERT", "/corp.pem"),
            ("CONDA_SSL_VERIFY", "true"),
            ("CURL_CA_BUNDLE", "corp.pem"),
            ("TWINE_CERT", "/state/bundle-0123456789ab.pem"),
        ]);
        let paths = [
            ("CURL_CA_BUNDLE", "corp.pem"),
            ("PIP_CERT", "/corp.pem"),
            ("TWINE_CERT", "/state/bundle-0123456789ab.pem"),
        ];
        assert_eq!(
            named_roots(&environment, Path::new("/state")),
            paths.map(|(name, path)| (name, PathBuf::from(path)))
        );
    }
}
