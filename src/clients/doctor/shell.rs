//! The variables of this shell: which proxy they name, whether they agree, and what they lead past it.

use super::Facts;
use super::proxies::Proxies;
use super::proxy_url::ProxyUrl;
use super::report::{Check, Group};
use crate::clients::env::leads_past;
use crate::name::HostName;

const SHELL: Group = Group::Shell;

/// What puts a shell right, whatever is wrong with it.
pub(super) const EXPORT: &str = "eval \"$(namewall env)\"";

pub(super) fn checks(facts: &Facts<'_>, proxies: &Proxies) -> Vec<Check> {
    let mut checks = vec![https_proxy(proxies)];
    checks.extend(
        proxies
            .unusable()
            .map(|(name, why)| SHELL.fail(&kebab(name), format!("{name} {why}"), format!("unset {name}; {EXPORT}"))),
    );
    checks.extend(pip_proxy(proxies));
    checks.extend(all_proxy(proxies));
    checks.extend(no_proxy(facts));
    checks
}

fn https_proxy(proxies: &Proxies) -> Check {
    let id = "https-proxy";
    let (Some(uv), Some(requests)) = proxies.followed() else {
        let message = "no proxy is set: neither HTTPS_PROXY nor https_proxy, so every client asks PyPI itself";
        return SHELL.fail(id, message, format!("{EXPORT}   # or: namewall run -- COMMAND"));
    };
    let (Some(first), Some(second)) = (proxies.get(uv), proxies.get(requests)) else {
        return SHELL.skipped(id, "no proxy is set");
    };
    let shown = |proxy: &Result<ProxyUrl, &str>| match proxy {
        Ok(proxy) => proxy.to_string(),
        Err(why) => format!("nowhere (it {why})"),
    };
    let (of_uv, of_others) = (shown(first), shown(second));
    if first != second && of_uv == of_others {
        let message = format!("{uv} and {requests} differ in their users or passwords: {of_uv}");
        return SHELL.fail(id, message, EXPORT);
    }
    if first != second {
        let message = format!("{uv} and {requests} differ: uv goes to {of_uv}, pip, poetry and curl go to {of_others}");
        return SHELL.fail(id, message, EXPORT);
    }
    let names = match ["HTTPS_PROXY", "https_proxy"].map(|name| proxies.get(name).is_some()) {
        [true, true] => "HTTPS_PROXY and https_proxy",
        _ => uv,
    };
    match first {
        Ok(proxy) => SHELL.ok(id, format!("{names}: {proxy}")),
        Err(_) => SHELL.skipped(id, format!("{names} can't be followed")),
    }
}

fn pip_proxy(proxies: &Proxies) -> Option<Check> {
    let id = "pip-proxy";
    let Ok(own) = proxies.get("PIP_PROXY")? else { return None };
    let requests = proxies.followed().1;
    if requests.is_some_and(|name| proxies.agree(name, "PIP_PROXY")) {
        return Some(SHELL.ok(id, format!("PIP_PROXY: {own}")));
    }
    let message = format!("PIP_PROXY names {own}, which pip prefers to what the other clients follow");
    Some(SHELL.fail(id, message, "unset PIP_PROXY"))
}

/// With an HTTPS proxy beside it, it still takes what is asked for in plain HTTP.
fn all_proxy(proxies: &Proxies) -> Option<Check> {
    let (https, _) = proxies.followed();
    let https = https.filter(|name| name.eq_ignore_ascii_case("https_proxy"))?;
    let all = ["ALL_PROXY", "all_proxy"].into_iter().find(|name| matches!(proxies.get(name), Some(Ok(_))))?;
    if proxies.agree(https, all) {
        return None;
    }
    let Some(Ok(other)) = proxies.get(all) else { return None };
    let message = format!("{all} names another proxy than {https}, {other}: plain http:// goes there");
    Some(SHELL.warn("all-proxy", message, "unset ALL_PROXY all_proxy"))
}

fn no_proxy(facts: &Facts<'_>) -> Vec<Check> {
    let hosts: Vec<HostName> = facts.sites.keys().cloned().collect();
    let mut checks = Vec::new();
    for name in ["NO_PROXY", "no_proxy"] {
        let Some(value) = facts.environment.var(name) else { continue };
        let Some(value) = value.to_str() else {
            let message = format!("{name} is not UTF-8: nobody knows what a client makes of it");
            checks.push(SHELL.warn(&kebab(name), message, format!("unset {name}")));
            continue;
        };
        // curl splits at blanks and ends of lines, too.
        let entries = value.split(|letter: char| letter == ',' || letter.is_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty());
        let (past, kept): (Vec<&str>, Vec<&str>) = entries.partition(|entry| leads_past(entry, &hosts));
        if past.is_empty() {
            continue;
        }
        let message = format!("{name} leads past the proxy to PyPI's hosts: {}", past.join(", "));
        let kept = kept.join(",").replace('\'', "");
        let remedy = if kept.is_empty() { format!("unset {name}") } else { format!("export {name}='{kept}'") };
        checks.push(SHELL.fail(&kebab(name), message, remedy));
    }
    if checks.is_empty() {
        checks.push(SHELL.ok("no-proxy", "no entry of NO_PROXY leads past the proxy to PyPI's hosts"));
    }
    checks
}

/// A variable's name as part of an id.
pub(super) fn kebab(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
