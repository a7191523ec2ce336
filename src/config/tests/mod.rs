//! The room as a whole, from the file to the settings. The messages are in `snapshots/`.

mod annotated;
mod compiled;
mod environment;
mod included;
mod json_schema;
mod lints;
mod mistakes;
mod parents;

use std::fs;

use tempfile::TempDir;

use super::*;

/// Nothing of the machine that the tests run on.
fn environment() -> Environment {
    Environment::from_pairs([("HOME", "/home/ann")])
}

fn load_with(overrides: Overrides, text: &str) -> Result<Settings, ConfigError> {
    let cwd = TempDir::new().unwrap();
    fs::write(cwd.path().join("namewall.toml"), text).unwrap();
    fs::write(cwd.path().join("users"), "ci:$2y$04$CkGmt0TpsIjhaxp2ZuMVPuEA45W.x/BbM24ouP37MXVchCtXNxP5S\n").unwrap();
    fs::write(cwd.path().join("plain"), "\nci:secret\n").unwrap();
    let overrides = Overrides { config: Some("namewall.toml".into()), ..overrides };
    let cwd_name = cwd.path().display().to_string();
    Settings::load_from(&overrides, &environment(), cwd.path()).map_err(|error| {
        let names_a_file = ["extra-roots", "proxy-password-file", "users ="].iter().any(|key| text.contains(key));
        assert!(!error.to_string().contains(&cwd_name) || names_a_file, "{error}");
        error
    })
}

fn load(text: &str) -> Result<Settings, ConfigError> {
    load_with(Overrides::default(), text)
}

fn protect(patterns: &[&str]) -> Overrides {
    Overrides { protect: patterns.iter().map(|&pattern| pattern.to_owned()).collect(), ..Overrides::default() }
}

/// The example of the contract, without what this version doesn't support.
const EXAMPLE: &str = r#"
[listen]
addr  = ["127.0.0.1:3128"]
admin = "127.0.0.1:3129"
allow = ["127.0.0.0/8", "::1/128"]

[ca]
dir = "/var/lib/namewall"

[upstream]
proxy = "direct"
connect-to = { "pypi.org:443" = "127.0.0.1:8443" }

[[protect]]
id      = "acme"
names   = ["acme", "acme-*", "re:acme-(core|data)[0-9]+"]
except  = ["acme-sdk"]
files   = ["*.egg", "re:acme_.*[.]whl"]
reason  = "Internal to Acme; served by the private index"
owner   = "platform@acme.example"
private-index = "https://pypi.acme.example/simple/"
expires = 2027-06-30
mode    = "enforce"

[[assert]]
protected = ["Acme_Core", "acme.data7"]
allowed   = ["requests", "acme-sdk"]

[[intercept]]
host = "Mirror.corp.example"
kind = "mirror"

[log]
format = "json"
decisions = "decisions.jsonl"
"#;

/// Where clients find the proxy.
fn proxies(settings: &Settings) -> Vec<std::net::SocketAddr> {
    settings.proxies().collect()
}
