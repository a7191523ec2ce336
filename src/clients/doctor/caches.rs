//! What the caches of pip and uv hold from before: they answer without asking anybody.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Facts;
use super::report::{Check, Group};
use crate::clients::scan::{Finding, Level, Report, default_caches, scan};

const CACHES: Group = Group::Caches;

/// Caches of gigabytes have hundreds of thousands of files.
const PATIENCE: Duration = Duration::from_secs(60);

const REMEDY: &str = "namewall scan --caches";

/// Scans them, in a thread of its own.
pub(super) async fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let Some(policy) = facts.policy.as_ref().filter(|policy| !policy.rules().is_empty() || policy.has_inventories())
    else {
        return vec![CACHES.skipped("scan", "caches were not scanned: no rule is in force here")];
    };
    let paths: Vec<PathBuf> = default_caches(facts.environment).into_iter().filter(|path| path.is_dir()).collect();
    if paths.is_empty() {
        return vec![CACHES.ok("scan", "neither pip nor uv has a cache here")];
    }
    let shown = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let (policy, sites) = (Arc::clone(policy), facts.sites.clone());
    let scanning = tokio::task::spawn_blocking(move || scan(&paths, &policy, &sites, &mut |_| ()));
    match tokio::time::timeout(PATIENCE, scanning).await {
        Ok(Ok(report)) => told(&report, &shown),
        Ok(Err(_)) | Err(_) => {
            let message = format!("{shown} could not be scanned within {} s", PATIENCE.as_secs());
            vec![CACHES.warn("scan", message, REMEDY)]
        }
    }
}

fn told(report: &Report, shown: &str) -> Vec<Check> {
    let mut remedies: Vec<&str> = report.findings.iter().map(|finding| finding.remedy.as_str()).collect();
    remedies.sort_unstable();
    remedies.dedup();
    let remedy = remedies.join("; ");
    let count = |level| report.count(level);
    if count(Level::Error) > 0 {
        let message =
            format!("{shown}: {} from PyPI, which clients take without asking anybody", named(report, Level::Error));
        return vec![CACHES.fail("scan", message, remedy)];
    }
    if count(Level::Warning) > 0 {
        let message = format!("{shown}: {}, of which nobody knows where they came from", named(report, Level::Warning));
        return vec![CACHES.warn("scan", message, remedy)];
    }
    if let Some(unread) = report.unread.first() {
        let message = format!("{} could not be read: {}", unread.path.display(), unread.why);
        return vec![CACHES.warn("scan", message, REMEDY)];
    }
    vec![CACHES.ok("scan", format!("{shown}: no protected name in {} entries", report.sources))]
}

/// `acme-core 99.0, acme-data and 3 more`.
fn named(report: &Report, level: Level) -> String {
    let what = |finding: &Finding| match &finding.version {
        Some(version) => format!("{} {version}", finding.project),
        None => finding.project.to_string(),
    };
    let mut names: Vec<String> = report.findings.iter().filter(|finding| finding.level == level).map(what).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let list = names.join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}
