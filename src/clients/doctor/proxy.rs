//! What was seen at the proxies, as checks.

use super::Facts;
use super::line::Broken;
use super::report::{Check, Group};
use super::shell::EXPORT;
use super::sighting::{FILES, INDEX, Seen, Sighting, Stopped, Wall};
use crate::name::ProjectName;

const PROXY: Group = Group::Proxy;

/// The way to a proxy that is one of ours.
fn serve() -> String {
    format!("namewall serve &   # unless it runs; then: {EXPORT}")
}

/// Checks of every proxy that is followed.
pub(super) fn checks(sightings: &[Sighting], facts: &Facts<'_>) -> Vec<Check> {
    if facts.offline {
        return vec![PROXY.skipped("namewall", "not asked who answers at the proxy: --offline")];
    }
    if sightings.is_empty() {
        return vec![PROXY.skipped("namewall", "not asked who answers at the proxy: none is set")];
    }
    sightings.iter().flat_map(|sighting| of_one(sighting, facts)).collect()
}

fn of_one(sighting: &Sighting, facts: &Facts<'_>) -> Vec<Check> {
    let proxy = &sighting.proxy;
    let wall = match &sighting.seen {
        Seen::Namewall(wall) => wall,
        Seen::Another(status) => {
            let message = format!(
                "{proxy} is a proxy, but no namewall: through it PyPI itself answers ({status}); no protected name was asked for"
            );
            return vec![PROXY.fail("namewall", message, serve())];
        }
        Seen::Broken(broken) => return vec![broken_line(&proxy.to_string(), broken)],
    };
    let version = &wall.greeting.version;
    let mut checks =
        vec![PROXY.ok("namewall", format!("{proxy} is namewall {version}, policy {}", wall.greeting.policy))];
    checks.extend(rules(sighting, wall, facts));
    checks.extend([reached("index", INDEX, &wall.index), reached("files", FILES, &wall.files)]);
    checks.push(protected(wall, facts.name.as_ref(), facts.settings.is_some_and(|settings| settings.source.is_some())));
    checks
}

fn broken_line(proxy: &str, broken: &Broken) -> Check {
    match broken {
        Broken::Unreachable(_) => {
            let message = format!("nobody is at {proxy}: {broken}");
            PROXY.fail("namewall", message, serve())
        }
        Broken::Untrusted(shown) if shown.is_namewalls() => {
            let message = format!("a namewall is at {proxy}, with a certificate authority that nothing here trusts");
            let remedy = format!(
                "{EXPORT}   # on the machine of that proxy; of a gateway, take /ca.pem from its admin listener"
            );
            PROXY.fail("namewall", message, remedy)
        }
        Broken::Refused(407) => {
            let message = format!("{proxy} wants a user and a password (407)");
            PROXY.fail(
                "namewall",
                message,
                "export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT https_proxy=$HTTPS_PROXY",
            )
        }
        _ => {
            let message = format!("no namewall was found at {proxy}: {broken}");
            PROXY.fail("namewall", message, serve())
        }
    }
}

/// Whether the proxy of this config has this config's rules.
fn rules(sighting: &Sighting, wall: &Wall, facts: &Facts<'_>) -> Option<Check> {
    let (settings, policy) = (facts.settings?, facts.policy.as_ref()?);
    let address = &sighting.proxy.address;
    let is_ours = |listen: &std::net::SocketAddr| {
        let ip = address.host.ip();
        listen.port() == address.port
            && (ip == Some(listen.ip()) || listen.ip().is_unspecified() || address.host.as_str() == "localhost")
    };
    if !settings.proxies().any(|listen| is_ours(&listen)) {
        return None;
    }
    if wall.greeting.policy == policy.fingerprint() {
        return Some(PROXY.ok("rules", "it has the rules of this config in force"));
    }
    let message = format!(
        "it has other rules in force (policy {}) than this config says (policy {})",
        wall.greeting.policy,
        policy.fingerprint()
    );
    Some(PROXY.warn("rules", message, "namewall check   # then send the proxy SIGHUP, or restart it"))
}

fn reached(id: &str, host: &str, outcome: &Result<(), String>) -> Check {
    match outcome {
        Ok(()) => PROXY.ok(id, format!("{host} answers through it")),
        Err(why) => {
            let message = format!("{host} can't be reached through it: {why}");
            PROXY.fail(id, message, format!("curl -v https://{host}/   # and look into the proxy's log"))
        }
    }
}

fn protected(wall: &Wall, name: Option<&ProjectName>, has_config: bool) -> Check {
    let id = "protected";
    let (Some(name), Some(stopped)) = (name, &wall.stopped) else {
        let message = "no protected name was tried";
        let reason = match (name, has_config) {
            (Some(_), _) => "a host is not reached",
            (None, true) => "no rule of the config has an exact name",
            (None, false) => "there is no config here that names one",
        };
        return PROXY.warn(id, format!("{message}: {reason}"), "namewall doctor --protect NAME   # a name of yours");
    };
    match stopped {
        Stopped::By(rule) => PROXY.ok(id, format!("{name} is stopped there, page and file, by rule {rule}")),
        Stopped::NoRule => {
            let message =
                format!("{name} is not protected there: no rule of the proxy hides the project (PyPI was not asked)");
            PROXY.fail(id, message, format!("namewall explain {name}   # then give the proxy that config"))
        }
        Stopped::NotHidden(what, status) => {
            let message = format!("{name} is protected there, and yet its {what} is answered {status}");
            PROXY.fail(id, message, "look into the proxy's log, and tell namewall's authors")
        }
        Stopped::Broken(why) => {
            PROXY.fail(id, format!("asked for {name}, the proxy gave no answer: {why}"), "look into the proxy's log")
        }
    }
}
