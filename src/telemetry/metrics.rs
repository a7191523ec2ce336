//! Counters and gauges, kept for the admin listener (OpenMetrics).

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::decision::{Decision, Outcome, Surface};
use super::histogram::Histogram;
use super::standing::{Source, Standing};

/// All metrics of one proxy.
#[derive(Debug, Default)]
pub struct Metrics {
    decisions: Family<DecisionLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    all_requests: Counter,
    /// What went through, in bytes.
    pub(crate) carried: Carried,
    dropped: Family<LogLabels, Counter>,
    /// How long upstream took for the heads of its answers.
    pub(crate) upstream: Histogram,
    /// How long pages took to be filtered.
    pub(crate) filter: Histogram,
    reloads: Family<ReloadLabels, Counter>,
    refused: Gauge,
    certificates_refused: Gauge,
    ca_refused: Gauge,
    /// Tunnels that are open.
    pub tunnels: Gauge,
    /// Client connections that are open.
    pub connections: Gauge,
    ca_expiry: Gauge<f64, AtomicU64>,
    inventory_age: Family<InventoryLabels, Gauge<f64, AtomicU64>>,
    inventory_names: Family<InventoryLabels, Gauge>,
    inventory_fetches: Family<FetchLabels, Counter>,
    claimed: Family<ClaimedLabels, Gauge>,
    turned_away: Family<TurnedAwayLabels, Counter>,
    cache: Family<CacheLabels, Counter>,
    auth: Family<AuthLabels, Counter>,
}

/// What became of a request where users are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthResult {
    /// The name and the password are right; that cost a hash.
    Verified,
    /// They are, as was found before.
    Cached,
    /// One of them is wrong; that cost a hash.
    Wrong,
    /// One is, as was found before.
    StillWrong,
    /// There are none.
    Missing,
    /// What is there can't be read.
    Malformed,
    /// Too many were being verified.
    Busy,
    /// The client had tried too many wrong ones.
    Limited,
}

/// Why a client was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// As many connections are open as may be.
    Connections,
    /// The client has as many as one may have.
    ClientConnections,
    /// It is in no network that is served.
    Network,
    /// As many tunnels are open as may be.
    Tunnels,
    /// It wanted to be let out where nobody is.
    Destination,
    /// It is no load balancer of ours, or doesn't say whom it brings.
    ProxyHeader,
    /// As many connections to PyPI's servers are open as may be.
    Upstream,
    /// As many large pages are on their way, to it or in all, as may be.
    LargePages,
}

/// Bytes of bodies and tunnels, by how they were carried.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) intercepted: Ways,
    pub(crate) forwarded: Ways,
    pub(crate) tunnel: Ways,
}

/// From clients and to them.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    pub(crate) up: Counter,
    pub(crate) down: Counter,
}

/// How a request for a page that may be kept came to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// Of a page that is kept.
    Hit,
    /// Of a page that is kept, once upstream had said that it is still the page.
    Revalidated,
    /// Upstream sent it.
    Miss,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    decision: Outcome,
    surface: Surface,
    rule: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    surface: Surface,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByteLabels {
    kind: &'static str,
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InventoryLabels {
    id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClaimedLabels {
    rule: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnedAwayLabels {
    reason: TurnedAway,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LogLabels {
    log: &'static str,
}

/// A log with a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// What was decided.
    Decision,
    /// What was asked for.
    Access,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FetchLabels {
    id: String,
    result: &'static str,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}

impl EncodeLabelValue for TurnedAway {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let reason = match self {
            Self::Connections => "connections",
            Self::ClientConnections => "client-connections",
            Self::Network => "network",
            Self::Tunnels => "tunnels",
            Self::Destination => "destination",
            Self::ProxyHeader => "proxy-header",
            Self::Upstream => "upstream-connections",
            Self::LargePages => "large-pages",
        };
        reason.encode(encoder)
    }
}

impl EncodeLabelValue for Surface {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}

impl Log {
    /// The word in the log and in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Access => "access",
        }
    }
}

impl CacheResult {
    const ALL: [Self; 3] = [Self::Hit, Self::Revalidated, Self::Miss];

    const fn labels(self) -> CacheLabels {
        let result = match self {
            Self::Hit => "hit",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
        };
        CacheLabels { result }
    }
}

impl AuthResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Cached => "cached",
            Self::Wrong => "wrong",
            Self::StillWrong => "still-wrong",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Busy => "busy",
            Self::Limited => "limited",
        }
    }
}

impl Carried {
    /// Each kind, both ways.
    fn all(&self) -> [(&'static str, &Ways); 3] {
        [("intercepted", &self.intercepted), ("forwarded", &self.forwarded), ("tunnel", &self.tunnel)]
    }

    fn family(&self) -> Family<ByteLabels, Counter> {
        let family = Family::<ByteLabels, Counter>::default();
        for (kind, ways) in self.all() {
            for (direction, counter) in [("up", &ways.up), ("down", &ways.down)] {
                family.get_or_create(&ByteLabels { kind, direction }).inc_by(counter.get());
            }
        }
        family
    }

    /// The bytes of all kinds: from clients, and to them.
    pub(crate) fn totals(&self) -> [u64; 2] {
        self.all().iter().fold([0, 0], |[up, down], (_, ways)| [up + ways.up.get(), down + ways.down.get()])
    }
}

impl Metrics {
    /// Counts a request where users are asked for.
    pub fn authenticated(&self, result: AuthResult) {
        self.auth.get_or_create(&AuthLabels { result: result.as_str() }).inc();
    }

    /// Counts a decision.
    pub fn decided(&self, decision: &Decision) {
        let labels = DecisionLabels {
            decision: decision.decision,
            surface: decision.surface,
            rule: decision.rule.clone().unwrap_or_default(),
        };
        self.decisions.get_or_create(&labels).inc();
    }

    /// Counts records that found no room on their way to a log's file, or on its disk.
    pub(crate) fn dropped(&self, log: Log, count: u64) {
        self.dropped.get_or_create(&LogLabels { log: log.as_str() }).inc_by(count);
    }

    /// Counts an answered request.
    pub fn answered(&self, surface: Surface, status: u16) {
        self.requests.get_or_create(&RequestLabels { surface, status }).inc();
        self.all_requests.inc();
    }

    /// Requests answered, of whatever kind.
    pub(crate) fn all_requests(&self) -> u64 {
        self.all_requests.get()
    }

    /// Counts a client that was not served.
    pub fn turned_away(&self, reason: TurnedAway) {
        self.turned_away.get_or_create(&TurnedAwayLabels { reason }).inc();
    }

    /// Counts a config, a listener's certificate or a CA that was read while we serve; it is in force now or, unless `ok`,
    /// refused, and `standing` has heard of it.
    pub fn reloaded(&self, ok: bool, standing: &Standing) {
        self.reloads(ok).inc();
        let set = |gauge: &Gauge, count: usize| gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        set(&self.refused, standing.count(|source| matches!(source, Source::Config)));
        set(&self.certificates_refused, standing.count(|source| matches!(source, Source::Certificate(_))));
        set(&self.ca_refused, standing.count(|source| matches!(source, Source::Authority)));
    }

    fn reloads(&self, ok: bool) -> Counter {
        self.reloads.get_or_create_owned(&ReloadLabels { result: if ok { "ok" } else { "failed" } })
    }

    /// Counts how a page that may be kept was come by.
    pub fn cached(&self, result: CacheResult) {
        self.cache.get_or_create(&result.labels()).inc();
    }

    /// What of all pages that may be kept needed no page from upstream, of 1; 0 before the first.
    pub(crate) fn cache_hit_ratio(&self) -> f64 {
        let [hits, revalidated, misses] =
            CacheResult::ALL.map(|result| self.cache.get_or_create_owned(&result.labels()).get() as f64);
        let all = hits + revalidated + misses;
        if all > 0.0 { (hits + revalidated) / all } else { 0.0 }
    }

    /// Sets the seconds until the authority's certificate expires.
    pub fn ca_expires_in(&self, seconds: f64) {
        self.ca_expiry.set(seconds);
    }

    /// Sets how long ago an inventory's list was known to be true, and how many names it has.
    pub fn inventory(&self, id: &str, age: f64, names: usize) {
        let labels = InventoryLabels { id: id.to_owned() };
        self.inventory_age.get_or_create(&labels).set(age);
        self.inventory_names.get_or_create(&labels).set(i64::try_from(names).unwrap_or(i64::MAX));
    }

    /// Counts a fetch of an inventory's list, and what came of it.
    pub fn inventory_fetched(&self, id: &str, result: &'static str) {
        self.inventory_fetches.get_or_create(&FetchLabels { id: id.to_owned(), result }).inc();
    }

    /// Sets how many names of the public index's list each of `rules` protects: of those not in `counts`, none.
    pub fn claimed<'a>(&self, rules: impl Iterator<Item = &'a str>, counts: impl Iterator<Item = (&'a str, u64)>) {
        let set = |rule: &str, count: u64| {
            let labels = ClaimedLabels { rule: rule.to_owned() };
            self.claimed.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        let counts: HashMap<&str, u64> = counts.collect();
        rules.for_each(|rule| set(rule, counts.get(rule).copied().unwrap_or_default()));
    }

    /// All metrics in the OpenMetrics text format, with the fingerprint of the policy in force, and how many bytes of
    /// pages are kept.
    #[must_use]
    pub fn render(&self, fingerprint: &str, kept: u64) -> String {
        // An alert on a rate needs the zero before the first one.
        let _zeros = [true, false].map(|ok| self.reloads(ok));
        [Log::Decision, Log::Access].into_iter().for_each(|log| self.dropped(log, 0));
        let mut registry = Registry::with_prefix("namewall");
        registry.register("decisions", "Decisions on requests", self.decisions.clone());
        registry.register("requests", "Requests answered on intercepted hosts", self.requests.clone());
        registry.register("tunnels", "Tunnels open", self.tunnels.clone());
        registry.register("connections", "Client connections open", self.connections.clone());
        registry.register("bytes", "Bytes of bodies, and of tunnels", self.carried.family());
        registry.register_with_unit("upstream", "Until the head of an answer", Unit::Seconds, self.upstream.clone());
        registry.register_with_unit("filter", "To filter a page", Unit::Seconds, self.filter.clone());
        registry.register("log_dropped", "Records that did not reach a log's file", self.dropped.clone());
        let help = "Configs, listeners' certificates and CAs read while serving";
        registry.register("reloads", help, self.reloads.clone());
        registry.register("config_refused", "Whether the config on disk is not in force", self.refused.clone());
        let help = "Listeners' certificates on disk that are not in force";
        registry.register("certificates_refused", help, self.certificates_refused.clone());
        registry.register("ca_refused", "Whether the CA on disk is not in force", self.ca_refused.clone());
        registry.register("policy", "The policy in force", Info::new([("fingerprint", fingerprint.to_owned())]));
        registry.register_with_unit("ca_expiry", "Until the authority expires", Unit::Seconds, self.ca_expiry.clone());
        let (age, names, fetches) = (&self.inventory_age, &self.inventory_names, &self.inventory_fetches);
        registry.register_with_unit("inventory_age", "Since an inventory's list was true", Unit::Seconds, age.clone());
        registry.register("inventory_names", "Names on an inventory's list", names.clone());
        registry.register("inventory_fetches", "Fetches of an inventory's list", fetches.clone());
        registry.register("claimed_names", "Protected names on the public index", self.claimed.clone());
        registry.register("turned_away", "Clients that were not served", self.turned_away.clone());
        let ratio = Gauge::<f64, AtomicU64>::default();
        ratio.set(self.cache_hit_ratio());
        let bytes = Gauge::<i64>::default();
        bytes.set(i64::try_from(kept).unwrap_or(i64::MAX));
        registry.register("auth", "Requests where users are asked for, by what became of them", self.auth.clone());
        registry.register("cache_requests", "Pages that may be kept, by how they were come by", self.cache.clone());
        registry.register("cache_hit_ratio", "Of these, what needed no page from upstream", ratio);
        registry.register_with_unit("cache", "Filtered pages in memory", Unit::Bytes, bytes);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _written = encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
