//! Which proxies this shell's variables lead to, and which client follows which.

use std::collections::BTreeMap;

use super::proxy_url::ProxyUrl;
use crate::config::environment::Environment;

/// The order of uv and of what else is built on reqwest.
const UV: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// The order of requests and curl.
const REQUESTS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// What pip prefers to those.
const PIP: &str = "PIP_PROXY";

/// The proxies that this shell names.
#[derive(Debug)]
pub(super) struct Proxies {
    named: BTreeMap<&'static str, Result<ProxyUrl, &'static str>>,
}

impl Proxies {
    pub(super) fn of(environment: &Environment) -> Self {
        let read = |name: &'static str| {
            let value = environment.var(name)?;
            Some((name, value.to_str().map_or(Err("is not UTF-8"), ProxyUrl::parse)))
        };
        Self { named: UV.into_iter().chain([PIP]).filter_map(read).collect() }
    }

    /// What a variable names.
    pub(super) fn get(&self, name: &str) -> Option<&Result<ProxyUrl, &'static str>> {
        self.named.get(name)
    }

    /// The variables that name no proxy that could be asked, and why not.
    pub(super) fn unusable(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.named.iter().filter_map(|(name, proxy)| Some((*name, *proxy.as_ref().err()?)))
    }

    /// The variables which uv, and which the others follow for https.
    pub(super) fn followed(&self) -> (Option<&'static str>, Option<&'static str>) {
        let first = |order: [&'static str; 4]| order.into_iter().find(|name| self.named.contains_key(name));
        (first(UV), first(REQUESTS))
    }

    /// Whether two variables name the same proxy.
    pub(super) fn agree(&self, one: &str, other: &str) -> bool {
        self.get(one) == self.get(other)
    }

    /// Every proxy that some client follows.
    pub(super) fn in_use(&self) -> Vec<ProxyUrl> {
        let (uv, requests) = self.followed();
        let mut found: Vec<ProxyUrl> = Vec::new();
        for name in [uv, requests, Some(PIP)].into_iter().flatten() {
            if let Some(Ok(proxy)) = self.get(name)
                && !found.contains(proxy)
            {
                found.push(proxy.clone());
            }
        }
        found
    }
}
