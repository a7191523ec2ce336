//! The environment variables that point every client at the proxy, and the formats in which they are printed.
//!
//! Requests' family (pip, poetry, twine) reads the lower-case proxy variables first, uv's the upper-case ones: both are
//! set. Most clients replace their roots by the bundle that they are given, so the bundle always holds the public roots
//! too, and none of the variables names our certificate alone except Node's, which adds.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};

use crate::config::environment::Environment;
use crate::name::HostName;

/// One variable: its name and its value.
pub type Variable = (&'static str, String);

/// How variables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `export NAME='value'`, for sh, bash and zsh.
    #[default]
    Sh,
    /// `set -gx NAME 'value'`.
    Fish,
    /// `$Env:NAME = 'value'`.
    Powershell,
    /// `set "NAME=value"`.
    Cmd,
    /// `NAME="value"`, for tools that read `.env` files.
    Dotenv,
    /// Lines for `$GITHUB_ENV`.
    Github,
    /// Lines for a dotenv report artifact.
    Gitlab,
    /// One JSON object.
    Json,
}

/// The variables for clients of the proxy at `proxy` (a URL), trusting `bundle`; `ca` is our certificate alone.
/// Hosts that the user's own `NO_PROXY` names stay direct.
#[must_use]
pub fn variables(proxy: &str, bundle: &Path, ca: &Path, no_proxy: Option<&str>) -> Vec<Variable> {
    let bundle = bundle.display().to_string();
    let mut variables = vec![
        ("HTTPS_PROXY", proxy.to_owned()),
        ("https_proxy", proxy.to_owned()),
        // requests, pip, poetry; pip before 24.2 and twine read nothing else.
        ("REQUESTS_CA_BUNDLE", bundle.clone()),
        ("CURL_CA_BUNDLE", bundle.clone()),
        // uv, pixi, httpx, hatch, pip from 24.2 on, OpenSSL's own tools.
        ("SSL_CERT_FILE", bundle.clone()),
        ("PIP_CERT", bundle.clone()),
        ("TWINE_CERT", bundle.clone()),
        ("POETRY_CERTIFICATES_PYPI_CERT", bundle.clone()),
        ("PDM_PUBLISH_CA_CERTS", bundle.clone()),
        ("CONDA_SSL_VERIFY", bundle),
        // Node shares the shell. It adds to its roots.
        ("NODE_EXTRA_CA_CERTS", ca.display().to_string()),
    ];
    if let Some(no_proxy) = no_proxy {
        variables.extend([("NO_PROXY", no_proxy.to_owned()), ("no_proxy", no_proxy.to_owned())]);
    }
    variables
}

/// The variables for the clients of this environment: its own `NO_PROXY` stays in force but for what would lead past
/// the proxy to one of `sites`, and a `PIP_PROXY` of its own, which pip prefers to all others, is replaced.
/// Gives the dropped entries of `NO_PROXY` too: whoever wrote them should know.
#[must_use]
pub fn for_environment(
    environment: &Environment,
    sites: &[HostName],
    proxy: &str,
    bundle: &Path,
    ca: &Path,
) -> (Vec<Variable>, Vec<String>) {
    let inherited = environment.var("NO_PROXY").or_else(|| environment.var("no_proxy")).and_then(OsStr::to_str);
    let entries = inherited.into_iter().flat_map(|hosts| hosts.split(',')).map(str::trim).filter(|e| !e.is_empty());
    let (dropped, kept): (Vec<&str>, Vec<&str>) = entries.partition(|entry| leads_past(entry, sites));
    let no_proxy = inherited.map(|_| kept.join(","));
    let mut variables = variables(proxy, bundle, ca, no_proxy.as_deref());
    if environment.var("PIP_PROXY").is_some() {
        variables.push(("PIP_PROXY", proxy.to_owned()));
    }
    (variables, dropped.into_iter().map(str::to_owned).collect())
}

/// Whether a `NO_PROXY` entry covers one of `sites`, in the widest reading that a client has of it.
pub(super) fn leads_past(entry: &str, sites: &[HostName]) -> bool {
    let host = entry.split_once(':').map_or(entry, |(host, _)| host).trim_start_matches('*').trim_start_matches('.');
    host.is_empty() || host.parse().is_ok_and(|parent: HostName| sites.iter().any(|site| site.is_within(&parent)))
}

/// The variables as text in `format`, each line ended.
#[must_use]
pub fn print(variables: &[Variable], format: Format) -> String {
    if format == Format::Json {
        let object: Map<String, Value> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
        return format!("{:#}\n", Value::Object(object));
    }
    let mut text = String::new();
    for (name, value) in variables {
        // Writing to a string cannot fail.
        let _written = match format {
            Format::Sh => writeln!(text, "export {name}='{}'", value.replace('\'', r"'\''")),
            Format::Fish => writeln!(text, "set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
            Format::Powershell => writeln!(text, "$Env:{name} = '{}'", value.replace('\'', "''")),
            Format::Cmd => writeln!(text, "set \"{name}={}\"", value.replace('%', "%%")),
            Format::Dotenv => {
                writeln!(text, "{name}=\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$"))
            }
            Format::Github | Format::Gitlab | Format::Json => writeln!(text, "{name}={value}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(format: Format) -> String {
        print(&[("A", "it's $5".into()), ("B", r"C:\x".into())], format)
    }

    #[test]
    fn each_format_quotes_as_its_reader_unquotes() {
        assert_eq!(some(Format::Sh), "export A='it'\\''s $5'\nexport B='C:\\x'\n");
        assert_eq!(some(Format::Fish), "set -gx A 'it\\'s $5'\nset -gx B 'C:\\\\x'\n");
        assert_eq!(some(Format::Powershell), "$Env:A = 'it''s $5'\n$Env:B = 'C:\\x'\n");
        assert_eq!(some(Format::Dotenv), "A=\"it's \\$5\"\nB=\"C:\\\\x\"\n");
        assert_eq!(some(Format::Github), "A=it's $5\nB=C:\\x\n");
        let json: Value = serde_json::from_str(&some(Format::Json)).unwrap();
        assert_eq!(json["A"], "it's $5");
    }

    #[test]
    fn a_shell_reads_back_what_was_printed() {
        let script = format!("{}printf '%s' \"$A\"", some(Format::Sh));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "it's $5");
    }

    #[test]
    fn an_inherited_bypass_of_our_hosts_is_dropped() {
        let sites: Vec<HostName> = ["pypi.org", "files.pythonhosted.org"].map(|host| host.parse().unwrap()).into();
        let set = |no_proxy| {
            let environment = Environment::from_pairs([("NO_PROXY", no_proxy), ("PIP_PROXY", "http://corp:1")]);
            let paths = (Path::new("/b.pem"), Path::new("/ca.pem"));
            let (variables, dropped) = for_environment(&environment, &sites, "http://p:1", paths.0, paths.1);
            let value = |name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone()).unwrap();
            assert_eq!(value("PIP_PROXY"), "http://p:1");
            (value("NO_PROXY"), dropped.len())
        };
        assert_eq!(set("corp.example, 10.0.0.0/8,localhost"), ("corp.example,10.0.0.0/8,localhost".into(), 0));
        assert_eq!(set("pypi.org,.pythonhosted.org,corp.example"), ("corp.example".into(), 2));
        for all in ["*", "org", "*.org", ".PyPI.org:443"] {
            assert_eq!(set(all), (String::new(), 1), "{all}");
        }
    }

    #[test]
    fn both_cases_and_both_kinds() {
        let set = variables("http://127.0.0.1:3128", Path::new("/b.pem"), Path::new("/ca.pem"), Some("corp.example"));
        let value = |name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        for name in ["HTTPS_PROXY", "https_proxy"] {
            assert_eq!(value(name), Some("http://127.0.0.1:3128"));
        }
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"] {
            assert_eq!(value(name), Some("/b.pem"));
        }
        assert_eq!((value("NODE_EXTRA_CA_CERTS"), value("no_proxy")), (Some("/ca.pem"), Some("corp.example")));
        assert_eq!(value("HTTP_PROXY"), None, "plain HTTP goes where it went before");
    }
}
