//! Every table and key of the config with an example: what help lines are made of.

use super::snippet::Wrong;

/// The tables that a file of rules may hold: one that is included, or named by `--rules`.
const OF_RULES: [&str; 3] = ["protect", "assert", "inventory"];

/// A key, the table it belongs to, and how it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The table's name; empty for the file itself.
    pub(super) table: &'static str,
    /// The key.
    pub(super) name: &'static str,
    /// A line of TOML that sets it.
    pub(super) example: &'static str,
}

/// All keys, table by table in the order of the annotated default.
pub(super) const KEYS: &[Key] = &[
    key("", "include", r#"include = ["rules.d/*.toml"]"#),
    key("", "listen", "[listen]"),
    key("", "listener", "[[listener]]"),
    key("", "ca", "[ca]"),
    key("", "upstream", "[upstream]"),
    key("", "tunnel", "[tunnel]"),
    key("", "limits", "[limits]"),
    key("", "cache", "[cache]"),
    key("", "protect", "[[protect]]"),
    key("", "inventory", "[[inventory]]"),
    key("", "claimed", "[claimed]"),
    key("", "claimed-every", r#"claimed-every = "24h""#),
    key("", "assert", "[[assert]]"),
    key("", "intercept", "[[intercept]]"),
    key("", "log", "[log]"),
    key("listen", "addr", r#"addr = ["127.0.0.1:3128"]"#),
    key("listen", "admin", r#"admin = "127.0.0.1:3129""#),
    key("listen", "admin-hosts", r#"admin-hosts = ["namewall.corp.example"]"#),
    key("listen", "allow", r#"allow = ["127.0.0.0/8", "::1/128"]"#),
    key("listen", "users", r#"users = "/etc/namewall/users""#),
    key("listen", "drain", r#"drain = "30s""#),
    key("listen", "drain-notice", r#"drain-notice = "5s""#),
    key("listener", "addr", r#"addr = "0.0.0.0:3129""#),
    key("listener", "allow", r#"allow = ["10.0.0.0/8"]"#),
    key("listener", "cert", r#"cert = "proxy.pem""#),
    key("listener", "key", r#"key = "proxy.key""#),
    key("listener", "proxy-protocol", r#"proxy-protocol = ["10.0.0.7/32"]"#),
    key("listener", "transparent", "transparent = true"),
    key("ca", "dir", r#"dir = "/var/lib/namewall""#),
    key("ca", "cert", r#"cert = "ca.pem""#),
    key("ca", "key", r#"key = "ca.key""#),
    key("upstream", "proxy", r#"proxy = "http://proxy.corp.example:8080""#),
    key("upstream", "proxy-password-file", r#"proxy-password-file = "proxy-password""#),
    key("upstream", "no-proxy", r#"no-proxy = ["corp.example", "10.0.0.0/8"]"#),
    key("upstream", "route", "[[upstream.route]]"),
    key("upstream", "extra-roots", r#"extra-roots = ["corp-root.pem"]"#),
    key("upstream", "connect-to", r#"connect-to = { "pypi.org:443" = "127.0.0.1:8443" }"#),
    key("upstream.route", "to", r#"to = ["*.corp.example", "10.0.0.0/8"]"#),
    key("upstream.route", "proxy", r#"proxy = "direct""#),
    key("upstream.route", "proxy-password-file", r#"proxy-password-file = "proxy-password""#),
    key("tunnel", "allow", r#"allow = ["*:443", "10.0.0.0/8"]"#),
    key("tunnel", "deny", r#"deny = ["paste.example"]"#),
    key("limits", "connections", "connections = 16384"),
    key("limits", "connections-per-client", "connections-per-client = 1024"),
    key("limits", "tunnels", "tunnels = 16384"),
    key("limits", "requests-per-connection", "requests-per-connection = 10000"),
    key("limits", "head-size", r#"head-size = "64KB""#),
    key("limits", "streams", "streams = 256"),
    key("limits", "opening", r#"opening = "10s""#),
    key("limits", "idle", r#"idle = "60s""#),
    key("limits", "tunnel-idle", r#"tunnel-idle = "15m""#),
    key("limits", "tunnel-lifetime", r#"tunnel-lifetime = "24h""#),
    key("limits", "bytes-per-client", r#"bytes-per-client = "10MB""#),
    key("cache", "size", r#"size = "64MB""#),
    key("protect", "id", r#"id = "acme""#),
    key("protect", "names", r#"names = ["acme", "acme-*"]"#),
    key("protect", "except", r#"except = ["acme-sdk"]"#),
    key("protect", "files", r#"files = ["*.egg"]"#),
    key("protect", "versions", r#"versions = ">=2.0""#),
    key("protect", "lookalikes", "lookalikes = true"),
    key("protect", "reason", r#"reason = "Internal to Acme""#),
    key("protect", "owner", r#"owner = "platform@acme.example""#),
    key("protect", "private-index", r#"private-index = "https://pypi.acme.example/simple/""#),
    key("protect", "expires", "expires = 2027-06-30"),
    key("protect", "mode", r#"mode = "enforce""#),
    key("protect", "everything", "everything = true"),
    key("protect", "for", r#"for = ["user:ci", "10.1.0.0/16"]"#),
    key("protect", "except-for", r#"except-for = ["user:release-*"]"#),
    key("inventory", "id", r#"id = "corp-index""#),
    key("inventory", "url", r#"url = "https://pypi.acme.example/simple/""#),
    key("inventory", "refresh", r#"refresh = "10m""#),
    key("inventory", "on-missing", r#"on-missing = "refuse""#),
    key("inventory", "except", r#"except = ["acme-sdk"]"#),
    key("inventory", "user", r#"user = "ci""#),
    key("inventory", "password-file", r#"password-file = "password""#),
    key("inventory", "token-file", r#"token-file = "token""#),
    key("inventory", "netrc", r#"netrc = ".netrc""#),
    key("inventory", "for", r#"for = ["user:ci", "10.1.0.0/16"]"#),
    key("inventory", "except-for", r#"except-for = ["user:release-*"]"#),
    key("claimed", "every", r#"every = "24h""#),
    key("claimed", "webhook", r#"webhook = "https://hooks.acme.example/namewall""#),
    key("assert", "protected", r#"protected = ["acme-core"]"#),
    key("assert", "allowed", r#"allowed = ["requests"]"#),
    key("assert", "for", r#"for = "user:ci""#),
    key("intercept", "host", r#"host = "mirror.corp.example""#),
    key("intercept", "kind", r#"kind = "mirror""#),
    key("log", "format", r#"format = "text""#),
    key("log", "decisions", r#"decisions = "decisions.jsonl""#),
    key("log", "access", r#"access = "access.jsonl""#),
    key("log", "access-format", r#"access-format = "json""#),
];

const fn key(table: &'static str, name: &'static str, example: &'static str) -> Key {
    Key { table, name, example }
}

/// How `name` is written in `table`.
pub(super) fn example(table: &str, name: &str) -> Option<&'static str> {
    KEYS.iter().find(|key| key.table == table && key.name == name).map(|key| key.example)
}

/// The line that opens `table`, which may stand below another.
fn head(table: &str) -> Option<&'static str> {
    let (above, name) = table.rsplit_once('.').unwrap_or(("", table));
    example(above, name)
}

/// What to write instead of the key `written`, which `table` doesn't have.
pub(super) fn help_for_unknown(table: &str, written: &str) -> String {
    let known: Vec<_> = KEYS.iter().filter(|key| key.table == table).map(|key| key.name).collect();
    let kind = if table.is_empty() { "keys and tables" } else { "keys" };
    let list = format!("known {kind} here: {}", known.join(", "));
    let elsewhere = KEYS.iter().find(|key| key.table != table && key.name == written);
    match (elsewhere, nearest(written, known)) {
        (Some(key), _) if key.table.is_empty() => {
            format!("write `{}` above the first table of the file; {list}", key.example)
        }
        (Some(key), _) => format!("`{written}` belongs below {}; {list}", header(key.table)),
        (None, Some(near)) => format!("did you mean `{near}`? {list}"),
        (None, None) => list,
    }
}

/// What is wrong with `name` at the top of a file of rules, if anything is; `unknown` says what is wrong with it anywhere.
pub(super) fn misplaced(name: &str, unknown: impl FnOnce() -> Wrong) -> Option<Wrong> {
    if OF_RULES.contains(&name) {
        return None;
    }
    let tables = OF_RULES.map(|table| format!("`[[{table}]]`")).join(", ");
    let Some(written) = example("", name) else {
        let of_rule = KEYS.iter().find(|key| OF_RULES.contains(&key.table) && key.name == name);
        let meant = match (of_rule, nearest(name, OF_RULES)) {
            (Some(key), _) => format!("`{name}` belongs below {}; ", header(key.table)),
            (None, Some(near)) => format!("did you mean `{near}`? "),
            (None, None) => String::new(),
        };
        let help = format!("{meant}a file of rules holds {tables} and nothing else");
        return Some(Wrong::new(unknown().message(), help));
    };
    let (message, help) = if name == "include" {
        let help = format!("list that file in the `include` of the config file, too; this one holds {tables} alone");
        ("a file of rules can't include others".to_owned(), help)
    } else {
        let help = format!("move it to the config file, `namewall.toml`; a file of rules holds {tables} alone");
        (format!("`{written}` can't stand in a file of rules"), help)
    };
    Some(Wrong::new(message, help))
}

/// The line that opens `table`.
fn header(table: &str) -> String {
    head(table).map_or_else(|| format!("`[{table}]`"), |header| format!("`{header}`"))
}

/// The one of `known` that `written` was probably meant to be.
pub(super) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let written = written.to_ascii_lowercase();
    let words = |key: &str| {
        let mut words: Vec<String> = key.split(['-', '_']).map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    let likeness = |known: &str| {
        if words(&written) == words(known) {
            return 1.0;
        }
        // The one forgives swapped letters, the other a word that was cut short or goes on.
        strsim::normalized_damerau_levenshtein(&written, known).max(strsim::jaro_winkler(&written, known) - 0.2)
    };
    let scored = known.into_iter().map(|known| (likeness(known), known));
    scored.filter(|(likeness, _)| *likeness >= 0.6).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::*;
    use crate::config::raw::RawConfig;

    fn raw(text: &str) -> Result<RawConfig, toml::de::Error> {
        RawConfig::deserialize(toml::Deserializer::parse(text).unwrap())
    }

    #[test]
    fn every_example_has_the_shape_that_is_read() {
        for Key { table, name, example: text } in KEYS {
            let head = if table.is_empty() { "" } else { head(table).unwrap() };
            raw(&format!("{head}\n{text}\n")).unwrap_or_else(|error| panic!("{table}.{name}: {error}"));
        }
    }

    #[test]
    fn no_key_that_is_read_is_missing() {
        let tables: BTreeSet<_> = KEYS.iter().map(|key| key.table).collect();
        for table in tables {
            let head = if table.is_empty() { "" } else { head(table).unwrap() };
            let error = raw(&format!("{head}\nzzz = 1\n")).unwrap_err().message().to_owned();
            let read: BTreeSet<_> = error.split('`').skip(3).step_by(2).collect();
            let listed: BTreeSet<_> = KEYS.iter().filter(|key| key.table == table).map(|key| key.name).collect();
            assert_eq!(read, listed, "{table}: {error}");
        }
    }

    #[test]
    fn what_was_probably_meant() {
        let names = ["id", "names", "except", "files", "reason", "owner", "private-index", "expires", "mode"];
        for (written, meant) in [
            ("naems", Some("names")),
            ("name", Some("names")),
            ("NAMES", Some("names")),
            ("expect", Some("except")),
            ("expire", Some("expires")),
            ("private_index", Some("private-index")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written}");
        }
        assert_eq!(nearest("address", ["addr", "admin", "allow"]), Some("addr"));
        assert_eq!(
            nearest("for-except", ["except", "except-for", "for"]),
            Some("except-for"),
            "words in another order"
        );
    }
}
