//! The machine around the shell: the service of this config, ways past it, the clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustls::RootCertStore;

use super::Facts;
use super::line::{Broken, Line, Way};
use super::proxy_url::ProxyUrl;
use super::report::{Check, Group};
use super::shell::EXPORT;
use super::sighting::{INDEX, Seen, Sighting};
use crate::name::Authority;
use crate::net::dial::Dialer;

const MACHINE: Group = Group::Machine;

/// How wrong a clock may be: leaves are dated an hour back, and signatures of today's services five minutes.
const SKEW: i64 = 5 * 60;

/// Whether `serve` of this config runs, when the shell leads elsewhere.
pub(super) async fn service(facts: &Facts<'_>, sightings: &[Sighting], roots: &RootCertStore) -> Vec<Check> {
    let id = "serve";
    let Some(address) = facts.settings.and_then(|settings| settings.proxies().next()) else { return Vec::new() };
    if facts.offline {
        return vec![MACHINE.skipped(id, "not asked whether `namewall serve` runs: --offline")];
    }
    let reachable = if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    };
    let Ok(authority) = reachable.to_string().parse::<Authority>() else {
        return vec![MACHINE.skipped(id, "the config names no port, so `namewall serve` can't be looked for")];
    };
    let is_here = |sighting: &&Sighting| sighting.proxy.address == authority;
    if let Some(wall) = sightings.iter().find(is_here).and_then(Sighting::wall) {
        let message = format!("`namewall serve` runs at {reachable} (version {})", wall.greeting.version);
        return vec![MACHINE.ok(id, message)];
    }
    if let Some(other) = sightings.iter().find(|sighting| sighting.wall().is_some()) {
        // A gateway, or a proxy that `run` started: whether another runs here matters to nobody.
        return vec![
            MACHINE.skipped(id, format!("`namewall serve` was not looked for: this shell uses {}", other.proxy)),
        ];
    }
    let proxy = ProxyUrl { address: authority, authorization: None };
    let seen = Sighting::of(proxy, None, roots).await.seen;
    vec![match seen {
        Seen::Namewall(wall) => {
            let message = format!(
                "`namewall serve` runs at {reachable} (version {}), and this shell does not use it",
                wall.greeting.version
            );
            MACHINE.warn(id, message, EXPORT)
        }
        Seen::Broken(Broken::Unreachable(_)) => {
            MACHINE.warn(id, format!("`namewall serve` does not run: nobody is at {reachable}"), "namewall serve &")
        }
        Seen::Another(_) | Seen::Broken(_) => {
            let message = format!("something else than this config's `namewall serve` is at {reachable}");
            MACHINE.warn(id, message, "namewall serve --listen 127.0.0.1:3129 &   # or another free port")
        }
    }]
}

/// Whether PyPI can be reached without a proxy: a handshake, and not one request.
pub(super) async fn egress(facts: &Facts<'_>, roots: &RootCertStore) -> Check {
    let id = "egress";
    if facts.offline {
        return MACHINE.skipped(id, format!("not tried whether {INDEX} can be reached directly: --offline"));
    }
    let Ok(host) = INDEX.parse() else { return MACHINE.skipped(id, "no index") };
    let connect_to = facts.settings.map(|settings| settings.connect_to.clone()).unwrap_or_default();
    let dialer = Dialer::new(connect_to, Vec::new());
    let line = Line::open(Way::Direct, &host, &dialer, roots).await;
    let open = match &line {
        Ok(line) => !line.shown.is_namewalls(),
        // Whoever it is, a program that asks no questions gets there.
        Err(Broken::Untrusted(shown)) => !shown.is_namewalls(),
        Err(_) => false,
    };
    if open {
        let message = format!("{INDEX} can be reached directly: a program that ignores the proxy is not protected");
        let remedy =
            "let the firewall pass connections to PyPI's hosts from the gateway alone (on one's own machine: know it)";
        return MACHINE.warn(id, message, remedy);
    }
    MACHINE.ok(id, format!("{INDEX} can't be reached but through a proxy"))
}

/// Our clock against PyPI's.
pub(super) fn clock(sightings: &[Sighting], facts: &Facts<'_>) -> Check {
    let id = "clock";
    let ahead = sightings.iter().filter_map(Sighting::wall).find_map(|wall| wall.ahead);
    match ahead {
        None if facts.offline => MACHINE.skipped(id, "the clock was not compared: --offline"),
        None => MACHINE.skipped(id, "the clock was not compared: no answer of PyPI's came through a namewall"),
        Some(ahead) if ahead.abs() <= SKEW => MACHINE.ok(id, "the clock agrees with PyPI's"),
        Some(ahead) => {
            let (minutes, word) = (ahead.abs() / 60, if ahead > 0 { "behind" } else { "ahead of" });
            let message = format!("the clock is {minutes} minutes {word} PyPI's: certificates seem to be out of date");
            MACHINE.warn(id, message, "timedatectl set-ntp true")
        }
    }
}
