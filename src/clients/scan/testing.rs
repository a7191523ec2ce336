//! A policy and a judge for the tests of this room.

use std::path::Path;

use time::macros::date;

use super::entry::Entry;
use super::finding::Report;
use super::judge::Judge;
use super::remedy::Tool;
use crate::policy::{Pattern, Policy, Rule};
use crate::pypi::site::{Sites, default_sites};

pub(super) fn policy() -> Policy {
    let names = ["acme", "acme-*"].iter().map(|name| Pattern::parse(name).unwrap()).collect();
    Policy::compile(vec![Rule { id: "acme".into(), names, ..Rule::default() }], date!(2026 - 01 - 01)).unwrap()
}

pub(super) fn sites() -> Sites {
    default_sites().collect()
}

/// The findings in `entries`, one line each.
pub(super) fn found(entries: &[Entry]) -> Vec<String> {
    let (policy, sites) = (policy(), sites());
    let judge = Judge { policy: &policy, sites: &sites };
    let mut report = Report::default();
    entries.iter().for_each(|entry| judge.judge(entry, Tool::Uv, Path::new("file"), &mut report));
    let line = |finding: &super::Finding| {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{} {}{line} from {}", finding.level.as_str(), finding.project, finding.from)
    };
    report.findings.iter().map(line).collect()
}
