//! The annotated default is the built-in default, shows every key, and is valid.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::policy::Mode;
use crate::pypi::mirrors::MIRRORS;
use crate::pypi::site::default_sites;

#[test]
fn without_a_file_the_built_in_default_holds() {
    let settings = Settings::load_from(&Overrides::default(), &environment(), Path::new("/nonexistent")).unwrap();
    assert_eq!(settings.source, None);
    assert_eq!(proxies(&settings), ["127.0.0.1:3128".parse().unwrap()]);
    assert_eq!(settings.admin, None);
    assert_eq!(settings.allow, ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    assert_eq!(settings.drain, Duration::from_secs(30));
    assert_eq!(settings.ca, CaSource::Dir("/home/ann/.local/state/namewall".into()));
    assert!(settings.extra_roots.is_empty() && settings.connect_to.is_empty());
    assert!(settings.rules.is_empty() && settings.assertions.is_empty());
    assert_eq!(settings.sites, default_sites().collect());
    assert_eq!((settings.log_format, settings.decisions), (LogFormat::Text, None));
}

/// The annotated default with its settings switched on, without the alternatives that exclude each other.
pub(super) fn switched_on(keep: impl Fn(&str) -> bool) -> String {
    let setting = |line: &&str| {
        line.starts_with("#[") || line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase())
    };
    let lines = discover::BUILT_IN.lines().filter(setting).map(|line| &line[1..]);
    lines
        .filter(|line| line.starts_with('[') || keep(line.split(" =").next().unwrap()))
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_annotated_default_shows_every_key() {
    let shown = switched_on(|_| true);
    for key in schema::KEYS {
        let is_whole = key.table.is_empty() || key.example.starts_with('[');
        let head = if is_whole { key.example.to_owned() } else { format!("{} =", key.name) };
        assert!(shown.lines().any(|line| line.starts_with(&head)), "{} {}", key.table, key.name);
    }
    let documented: Vec<_> = default_sites().filter(|(host, _)| !discover::BUILT_IN.contains(host.as_str())).collect();
    assert!(documented.is_empty(), "{documented:?}");
    for mirror in MIRRORS {
        let listed = discover::BUILT_IN.split([' ', ',', '\n']).filter(|word| *word == mirror.host).count();
        assert_eq!(listed, 1, "{}", mirror.host);
    }
}

#[test]
fn the_annotated_default_tells_the_truth() {
    let default = load("").unwrap();
    // The keys of `[[listener]]` have the names of others.
    let without_listener = |text: String| {
        let (before, table) = text.split_once("[[listener]]").unwrap();
        format!("{before}{}", &table[table.find("\n[").unwrap()..])
    };
    let shown = load(
        &without_listener(switched_on(|key| ["addr", "allow", "drain", "size", "format"].contains(&key)))
            .replace("[[protect]]", "")
            .replace("[[inventory]]", "")
            .replace("[[upstream.route]]", "")
            .replace("[[assert]]", "")
            .replace("[[intercept]]", ""),
    )
    .unwrap();
    assert_eq!(shown.listeners, default.listeners);
    assert_eq!(shown.allow, default.allow);
    assert_eq!(shown.drain, default.drain);
    assert_eq!((shown.cache, default.cache), (64 << 20, 64 << 20));
    assert_eq!(shown.log_format, default.log_format);
}

#[test]
fn the_annotated_default_is_valid_with_everything_switched_on() {
    let settings = load(&switched_on(|key| {
        let needs_more = ["claimed-every", "cert", "key", "extra-roots", "token-file", "proxy-password-file"];
        !needs_more.contains(&key)
    }))
    .unwrap();
    assert_eq!(settings.rules.len(), 1);
    assert_eq!(settings.rules[0].mode, Mode::Enforce);
    assert!(!settings.rules[0].everything);
    assert_eq!(settings.assertions.len(), 4);
    assert_eq!(settings.users.unwrap().users.unwrap().len(), 1);
    assert_eq!(settings.rules[0].audience.to_string(), "10.1.0.0/16, user:ci, user:deploy-*, except user:release-bot");
}
