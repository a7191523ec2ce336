//! What is odd about one rule by itself, and about the config as a whole.

use pep440_rs::Version;
use time::Date;

use super::{Lint, LintKind};
use crate::config::settings::Settings;
use crate::policy::{Expiry, Mode, Rule};

/// What is odd about the config as a whole.
pub(super) fn of_config(settings: &Settings, today: Date) -> Vec<Lint> {
    let mut lints = Vec::new();
    let in_force: Vec<&Rule> = settings.rules.iter().filter(|rule| rule.is_in_force(today)).collect();
    if settings.inventories.is_empty() && !in_force.iter().any(|rule| rule.mode == Mode::Enforce) {
        let message = if in_force.is_empty() {
            "no rule is in force, so nothing is protected"
        } else {
            "only audit rules are in force, so nothing is protected"
        };
        let help = "add a rule: `[[protect]]`, `id = \"acme\"`, `names = [\"acme\", \"acme-*\"]`";
        lints.push(Lint::of_config(LintKind::NothingProtected, message, help));
    }
    if let Some(network) = settings.allow.iter().find(|network| network.prefix_len() == 0) {
        let message = format!("`allow` has `{network}`: whoever reaches the proxy is served");
        let help = "list the networks of your clients instead: `allow = [\"10.0.0.0/8\"]`";
        lints.push(Lint::of_config(LintKind::OpenToTheWorld, message, help));
    }
    lints
}

/// What is odd about each rule by itself.
pub(super) fn of_each(rules: &[Rule], today: Date) -> Vec<Lint> {
    rules
        .iter()
        .flat_map(|rule| {
            [expiry(rule, today), without_reason(rule), of_everything(rule), of_no_version(rule)].into_iter().flatten()
        })
        .collect()
}

fn expiry(rule: &Rule, today: Date) -> Option<Lint> {
    let last = rule.expires?;
    let help = "move `expires` if the rule is still needed, or remove the rule";
    let when = match rule.expiry(today) {
        Expiry::Never | Expiry::Fine => return None,
        Expiry::Expired(_) => {
            let message = format!("rule `{}` expired on {last} and protects nothing any more", rule.id);
            return Some(Lint::of_rule(LintKind::Expired, rule, message, help));
        }
        Expiry::Soon(0) => "today".to_owned(),
        Expiry::Soon(1) => "tomorrow".to_owned(),
        Expiry::Soon(days) => format!("in {days} days"),
    };
    let message = format!("rule `{}` expires {when}: {last} is the last day on which it protects anything", rule.id);
    Some(Lint::of_rule(LintKind::ExpiresSoon, rule, message, help))
}

fn without_reason(rule: &Rule) -> Option<Lint> {
    let told = rule.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
    // Whoever types `--protect` knows why.
    let written = rule.place.is_some();
    let message = format!("rule `{}` has no reason, so nobody whom it refuses learns why", rule.id);
    let help = "add one that helps them: `reason = \"Internal to Acme; served by the private index\"`";
    (written && !told).then(|| Lint::of_rule(LintKind::NoReason, rule, message, help))
}

/// Bounds that leave nothing between them. Looked for near each bound, since nobody else draws a line.
fn of_no_version(rule: &Rule) -> Option<Lint> {
    let versions = rule.versions.as_ref()?;
    let near = |bound: &Version| {
        let release = bound.release().iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        let near = [bound.to_string(), format!("{bound}.dev0"), format!("{release}.0.0.1"), format!("{release}.post1")];
        near.into_iter().filter_map(|version| version.parse::<Version>().ok()).collect::<Vec<_>>()
    };
    let ends = ["0.dev0", "0", "99999"].into_iter().filter_map(|version| version.parse::<Version>().ok());
    let mut probes = versions.iter().flat_map(|specifier| near(specifier.version())).chain(ends);
    if probes.any(|version| versions.contains(&version)) {
        return None;
    }
    let message = format!("no version is within `{versions}`, so rule `{}` protects nothing", rule.id);
    let help = "give bounds with something between them: `versions = \">=1.4,<1.4.3\"`, or one release: `\"==1.4.2\"`";
    Some(Lint::of_rule(LintKind::NeverMatches, rule, message, help))
}

fn of_everything(rule: &Rule) -> Option<Lint> {
    let pattern = rule.names.iter().find(|pattern| pattern.matches_everything())?;
    let message = format!("`{}` of rule `{}` matches every project of the index", pattern.written(), rule.id);
    let help = "nothing, if `everything = true` is meant; `except` lists what may be seen nevertheless";
    Some(Lint::of_pattern(LintKind::MatchesEverything, rule, pattern, message, help))
}
