//! `/status.json`: all that the status page shows. Neither credentials nor where an index is asked.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Admin;
use crate::policy::{Policy, Rule};
use crate::proxy::ca_seconds_left;
use crate::telemetry::Outcome;
use crate::telemetry::histogram::Steps;
use crate::telemetry::recent::{About, Hour};
use crate::telemetry::samples::Span;

/// Names that are shown; the rest are counted together.
const NAMES: usize = 50;

/// The outcomes in the order in which they are counted.
const OUTCOMES: [Outcome; 5] =
    [Outcome::Allowed, Outcome::Hidden, Outcome::Refused, Outcome::Filtered, Outcome::Failed];

pub(super) fn json(admin: &Admin) -> Value {
    let (shared, metrics) = (&admin.shared, &admin.shared.metrics);
    let (policy, now) = (shared.policy(), OffsetDateTime::now_utc());
    let hour = shared.decisions.recent().map(|recent| recent.hour()).unwrap_or_default();
    let (minutes, present) = (admin.samples.minutes(metrics), admin.samples.now(metrics));
    let unready = admin.unready();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": admin.began.elapsed().as_secs(),
        "policy": policy.fingerprint(),
        "ready": unready.is_none(),
        "unready": unready,
        "draining": shared.tasks.is_draining(),
        "complaint": shared.standing.complaint(),
        "ca_expires_in_seconds": ca_seconds_left(&shared.authority.get()),
        "rules": rules(&policy, &hour, now),
        "inventories": shared.inventories.fetched(&shared.settings).into_iter().map(|(id, fetched, names)| {
            let age = fetched.map(|fetched| (now - fetched).as_seconds_f64().max(0.0));
            json!({ "id": id, "age_seconds": age, "names": names })
        }).collect::<Vec<_>>(),
        "now": {
            "connections": metrics.connections.get(),
            "tunnels": metrics.tunnels.get(),
            "requests_per_second": present.requests,
            "up_bytes_per_second": present.up,
            "down_bytes_per_second": present.down,
        },
        "upstream": latency(&minutes.iter().fold(Steps::default(), |sum, minute| sum.and(&minute.upstream))),
        "cache": { "hit_ratio": metrics.cache_hit_ratio(), "bytes": shared.kept() },
        "hour": {
            "names": names(&hour),
            "others": hour.counts.iter().skip(NAMES).map(|(_, count)| count).sum::<u64>(),
            "minutes": hour.minutes.iter().map(by_outcome).collect::<Vec<_>>(),
        },
        "minutes": minutes.iter().map(minute).collect::<Vec<_>>(),
    })
}

fn rules(policy: &Policy, hour: &Hour, now: OffsetDateTime) -> Vec<Value> {
    let own = policy.own_rules().len();
    let shown = |(at, rule): (usize, &Rule)| {
        let of_rule = |outcome| {
            let of_rule =
                |(about, _): &&(About, u64)| about.outcome == outcome && about.rule.as_ref() == Some(&rule.id);
            hour.counts.iter().filter(of_rule).map(|(_, count)| count).sum::<u64>()
        };
        json!({
            "id": rule.id,
            "inventory": at >= own,
            "mode": rule.mode.as_str(),
            "patterns": rule.names.len() + rule.files.len(),
            "reason": rule.reason,
            "owner": rule.owner,
            "expires": rule.expires.map(|day| day.to_string()),
            "in_force": rule.is_in_force(now.date()),
            "hits": OUTCOMES.map(of_rule).iter().sum::<u64>(),
        })
    };
    policy.rules().iter().enumerate().map(shown).collect()
}

fn names(hour: &Hour) -> Vec<Value> {
    let shown = |(about, count): &(About, u64)| {
        let About { outcome, rule, subject } = about;
        json!({ "decision": outcome.as_str(), "rule": rule, "subject": subject, "count": count })
    };
    hour.counts.iter().take(NAMES).map(shown).collect()
}

fn by_outcome(counts: &[u64; 5]) -> Value {
    OUTCOMES.iter().zip(counts).map(|(outcome, count)| (outcome.as_str().to_owned(), json!(count))).collect()
}

fn minute(span: &Span) -> Value {
    json!({
        "requests_per_second": span.requests,
        "up_bytes_per_second": span.up,
        "down_bytes_per_second": span.down,
        "tunnels": span.tunnels,
        "connections": span.connections,
        "upstream": latency(&span.upstream),
    })
}

fn latency(steps: &Steps) -> Value {
    json!({ "count": steps.count(), "p50": steps.quantile(0.5), "p95": steps.quantile(0.95) })
}
