//! What pip's own config files say: pip prefers their proxy and their certificates to the shell's.

use std::path::Path;
use std::time::Duration;

use super::Facts;
use super::installed::Client;
use super::program::{self, Ran};
use super::proxies::Proxies;
use super::proxy_url::ProxyUrl;
use super::report::{Check, Group};
use super::settings::{Setting, What};
use super::trust::Trust;
use crate::tls::shown::Shown;

const CLIENTS: Group = Group::Clients;
const ID: &str = "pip-config";

/// One line of `pip config list`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// `global`, `install`, `:env:`, …
    section: String,
    key: String,
    value: String,
}

/// Asks `client` what its config is.
pub(super) async fn list(client: &Client, facts: &Facts<'_>, patience: Duration) -> Vec<Entry> {
    let command = client.command(&["config", "list"].map(str::to_owned), facts.environment);
    match program::run(command, patience).await {
        Ran::Ended { code: Some(0), stdout, .. } => stdout.lines().filter_map(entry).collect(),
        // Before pip 10 there was no such command.
        _ => Vec::new(),
    }
}

/// `global.index-url='https://…'`, as Python writes text.
fn entry(line: &str) -> Option<Entry> {
    let (name, value) = line.split_once('=')?;
    let (section, key) = name.rsplit_once('.')?;
    let value = value.trim().trim_matches(['\'', '"']).replace("\\n", "\n");
    Some(Entry { section: section.to_owned(), key: key.to_owned(), value })
}

/// What in `entries` leads past namewall, or its trust.
pub(super) fn checks(
    client: &Client,
    entries: &[Entry],
    facts: &Facts<'_>,
    proxies: &Proxies,
    trust: &Trust,
    shown: &[&Shown],
) -> Vec<Check> {
    let is_set = |name: &str| facts.environment.var(name).is_some();
    let in_file = |entry: &&Entry| entry.section != ":env:";
    let mut checks = Vec::new();
    for entry in entries.iter().filter(in_file) {
        let Entry { section, key, value } = entry;
        let remedy = format!("{} config unset {section}.{key}", client.typed);
        match key.as_str() {
            "proxy" if !is_set("PIP_PROXY") => {
                let theirs = proxies.followed().1.and_then(|name| proxies.get(name));
                let own = ProxyUrl::parse(value);
                if theirs != Some(&own) {
                    let own = own.map_or_else(|why| format!("(it {why})"), |proxy| proxy.to_string());
                    let message =
                        format!("pip's config sets a proxy of its own, which it prefers to the shell's: {own}");
                    checks.push(CLIENTS.fail(ID, message, remedy));
                }
            }
            "cert" if !is_set("PIP_CERT") => {
                if let Err(why) = trust.of_file(Path::new(value), shown) {
                    let message = format!("pip's config sets certificates of its own, and {value} {why}");
                    checks.push(CLIENTS.fail(ID, message, remedy));
                }
            }
            _ => {}
        }
    }
    checks
}

/// The indexes and the hosts that pip is told to trust blindly.
pub(super) fn settings(entries: &[Entry]) -> Vec<Setting> {
    let mut found = Vec::new();
    for Entry { section, key, value } in entries {
        // The shell's own variables of indexes are looked at as such.
        let in_file = section != ":env:";
        let what: fn(String) -> What = match key.as_str() {
            "index-url" | "extra-index-url" if in_file => What::Index,
            "trusted-host" => What::Unverified,
            _ => continue,
        };
        let place = if in_file { format!("pip's config, {section}.{key}") } else { "PIP_TRUSTED_HOST".to_owned() };
        let values = value.split_whitespace().map(str::to_owned);
        found.extend(values.map(|value| Setting { tool: "pip", place: place.clone(), what: what(value) }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_pip_prints_them() {
        let line = entry("global.extra-index-url='\\nhttps://a.example/\\nhttps://b.example/'").unwrap();
        assert_eq!((line.section.as_str(), line.key.as_str()), ("global", "extra-index-url"));
        assert_eq!(settings(&[line]).len(), 2);
        assert_eq!(entry(":env:.cert='/b.pem'").unwrap().section, ":env:");
        assert_eq!(entry("nothing"), None);
    }
}
