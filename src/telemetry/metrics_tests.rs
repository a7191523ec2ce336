//! What `/metrics` serves is OpenMetrics to the letter, and what the dashboard asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::*;
use crate::telemetry::decision::tests::decision;

const DASHBOARD: &str = include_str!("../../config/grafana-dashboard.json");

/// Metrics of which none is empty, with all that a label may hold.
fn full() -> Metrics {
    let metrics = Metrics::default();
    let rule = Some("a\"b\\c\nd".to_owned());
    metrics.decided(&Decision { rule, ..decision(Outcome::Hidden, "a") });
    metrics.decided(&decision(Outcome::Refused, "a"));
    metrics.answered(Surface::Page, 200);
    metrics.carried.tunnel.up.inc();
    metrics.reloaded(false, &Standing::default());
    metrics.dropped(Log::Access, 3);
    metrics.cached(CacheResult::Hit);
    metrics.ca_expires_in(-1.5);
    metrics.inventory("corp-index", 0.25, 7);
    metrics.inventory_fetched("corp-index", "same");
    metrics.claimed(["a"].into_iter(), [("a", 1)].into_iter());
    let times = [Duration::ZERO, Duration::from_millis(30), Duration::from_secs(3600)];
    times.into_iter().for_each(|took| metrics.upstream.observe(took));
    metrics
}

#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: Option<String>,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads OpenMetrics as its specification has it, and takes nothing else.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    let sample = Regex::new(
        r#"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$"#,
    )
    .unwrap();
    let label = Regex::new(r#"([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)""#).unwrap();
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let parts: Vec<&str> = meta.splitn(3, ' ').collect();
            if parts[1] != current {
                assert!(!families.contains_key(parts[1]), "{} is in two places", parts[1]);
                parts[1].clone_into(&mut current);
            }
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "what is said of {current} comes first");
            match parts[0] {
                "TYPE" => parts[2].clone_into(&mut family.kind),
                "UNIT" => family.unit = Some(parts[2].to_owned()),
                "HELP" => assert!(parts[2].ends_with('.')),
                other => panic!("{other}"),
            }
            continue;
        }
        let found = sample.captures(line).unwrap_or_else(|| panic!("{line}"));
        let family = families.get_mut(&current).unwrap();
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let labels: Vec<_> = label.captures_iter(labels).map(|one| (one[1].to_owned(), one[2].to_owned())).collect();
        let count = labels.len();
        let labels: BTreeMap<_, _> = labels.into_iter().collect();
        assert_eq!(labels.len(), count, "{line}");
        let suffixes: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("{other}"),
        };
        let suffix = found[1].strip_prefix(current.as_str()).unwrap_or_else(|| panic!("{line} below {current}"));
        assert!(suffixes.contains(&suffix), "{line}: {}", family.kind);
        let value: f64 = found[3].parse().unwrap();
        assert!(value >= 0.0 || family.kind == "gauge", "{line}");
        let twice = family.samples.iter().any(|(name, known, _)| *name == found[1] && *known == labels);
        assert!(!twice, "{line} is there twice");
        family.samples.push((found[1].to_owned(), labels, value));
    }
    for (name, family) in &families {
        assert!(!family.samples.is_empty() && !family.kind.is_empty(), "{name}");
        assert!(family.unit.iter().all(|unit| name.ends_with(&format!("_{unit}"))), "{name}");
        if family.kind == "histogram" {
            check_histogram(name, family);
        }
    }
    families
}

fn check_histogram(name: &str, family: &Family) {
    let value = |suffix: &str| family.samples.iter().find(|(one, ..)| *one == format!("{name}{suffix}")).unwrap().2;
    let buckets = family.samples.iter().filter(|(one, ..)| one.ends_with("_bucket"));
    let buckets: Vec<(f64, f64)> = buckets.map(|(_, labels, count)| (labels["le"].parse().unwrap(), *count)).collect();
    assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{name}: {buckets:?}");
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, value("_count"))), "{name}");
    assert!(value("_sum") >= 0.0);
}

#[test]
fn what_is_served_is_openmetrics() {
    for text in [Metrics::default().render("0123", 0), full().render("0123456789ab", 5)] {
        let families = parse(&text);
        assert!(families.contains_key("namewall_upstream_seconds"), "{text}");
    }
    let text = full().render("0", 0);
    assert!(text.contains(r#"rule="a\"b\\c\nd""#), "{text}");
    assert!(text.contains("namewall_upstream_seconds_bucket{le=\"+Inf\"} 3\n"), "{text}");
}

/// The names that Prometheus knows samples by.
fn samples() -> BTreeSet<String> {
    parse(&full().render("0", 0)).into_values().flat_map(|family| family.samples).map(|(name, ..)| name).collect()
}

#[test]
fn the_contracts_metrics_are_there() {
    let samples = samples();
    for name in [
        "decisions_total",
        "requests_total",
        "tunnels",
        "connections",
        "bytes_total",
        "upstream_seconds_bucket",
        "filter_seconds_bucket",
        "policy_info",
        "reloads_total",
        "inventory_age_seconds",
        "ca_expiry_seconds",
    ] {
        assert!(samples.contains(&format!("namewall_{name}")), "{name}: {samples:?}");
    }
}

#[test]
fn the_dashboard_asks_for_what_is_served_and_leaves_nothing_out() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let (name, samples) = (Regex::new(r"namewall_[a-z_]+").unwrap(), samples());
    let mut asked = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let found: Vec<_> = name.find_iter(expression).map(|found| found.as_str().to_owned()).collect();
            assert!(!found.is_empty() && expression.contains("instance=~\"$instance\""), "{expression}");
            assert_eq!(expression.matches('(').count(), expression.matches(')').count(), "{expression}");
            for found in found {
                assert!(samples.contains(&found), "{}: {found} is served by nobody", panel["title"]);
                asked.insert(found);
            }
        }
    }
    let parts = ["_sum", "_count"];
    let left: Vec<_> =
        samples.difference(&asked).filter(|name| !parts.iter().any(|part| name.ends_with(part))).collect();
    assert!(left.is_empty(), "no panel shows {left:?}");
}
