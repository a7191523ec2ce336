//! The report for programs. Members may be added; none is renamed or removed as long as `version` stays.

use serde_json::{Value, json};

use super::{Decided, Report};
use crate::telemetry::Outcome;

/// The report as one object.
pub(super) fn of(report: &Report<'_>) -> Value {
    let decided = report.decided();
    let failures = decided.get(&None).into_iter().flatten();
    json!({
        "version": 1,
        "command": report.program(),
        "command-exit-code": report.code,
        "exit-code": report.exit_code,
        "policy": report.policy,
        "counts": {
            "hidden": report.count(Outcome::Hidden) + report.count(Outcome::Filtered),
            "refused": report.count(Outcome::Refused),
            "failed": report.count(Outcome::Failed),
        },
        "rules": rules(report, &decided),
        "failures": failures.map(|(reason, told)| json!({"reason": reason, "count": told.count})).collect::<Vec<_>>(),
    })
}

fn rules(report: &Report<'_>, decided: &Decided<'_>) -> Vec<Value> {
    let of_rule = |(id, things): (&Option<&str>, &std::collections::BTreeMap<&str, super::Told>)| {
        let id = (*id)?;
        let rule = report.rule(id);
        let things = things
            .iter()
            .map(|(name, told)| json!({"name": name, "decision": told.outcome.as_str(), "count": told.count}));
        Some(json!({
            "rule": id,
            "reason": rule.and_then(|rule| rule.reason.as_deref()),
            "owner": rule.and_then(|rule| rule.owner.as_deref()),
            "private-index": rule.and_then(|rule| rule.private_index.as_deref()),
            "decisions": things.collect::<Vec<_>>(),
        }))
    };
    decided.iter().filter_map(of_rule).collect()
}
