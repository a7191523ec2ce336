//! What is odd about one rule by itself, and about the config as a whole.

use time::Date;

use super::{Lint, LintKind};
use crate::config::settings::Settings;
use crate::policy::{Expiry, Mode, Rule, some_left};

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
    // Where users are asked for, whoever reaches the proxy is not served yet.
    let mut allowed = settings.listeners.iter().flat_map(|listener| &listener.allow);
    let open = allowed.find(|network| network.prefix_len() == 0);
    if let Some(network) = open.filter(|_| settings.users.is_none()) {
        let message = format!("`allow` has `{network}`: whoever reaches the proxy is served");
        let help = "list the networks of your clients instead: `allow = [\"10.0.0.0/8\"]`";
        lints.push(Lint::of_config(LintKind::OpenToTheWorld, message, help));
    }
    if let Some(file) = settings.users.as_ref().filter(|file| file.exposed) {
        let shown = file.path.display();
        let message =
            format!("`{shown}` is readable by others than its owner, who can guess passwords from its hashes");
        lints.push(Lint::of_config(LintKind::ExposedUsers, message, format!("`chmod 600 {shown}`")));
    }
    lints
}

/// The users that rules and assertions name and that are none: a slip of the pen leaves such a rule without effect, and
/// such an assertion without a meaning.
pub(super) fn of_users(settings: &Settings) -> Vec<Lint> {
    let Some(file) = &settings.users else { return Vec::new() };
    let Ok(users) = &file.users else { return Vec::new() };
    let mut lints = Vec::new();
    let listed = of_inventories(settings);
    for rule in settings.rules.iter().chain(&listed) {
        let named = rule.audience.only.iter().chain(&rule.audience.except);
        for who in named.filter(|who| who.is_user() && !users.names().any(|name| who.is_named(name))) {
            let message = format!("rule `{}` names `{who}`, and no user is called so", rule.id);
            let help = format!("write it as in `{}`, or add the user there", file.path.display());
            lints.push(Lint::of_rule(LintKind::UnknownUser, rule, message, help));
        }
    }
    // Each is told of once, where it is first asserted something for.
    let mut told: Vec<&str> = users.names().collect();
    for assertion in &settings.assertions {
        let Some(name) = assertion.asker.user.as_deref().filter(|name| !told.contains(name)) else { continue };
        told.push(name);
        let message = format!("an assertion is for `{}`, and no user is called so", assertion.asker);
        let help = format!("write it as in `{}`, or add the user there", file.path.display());
        let lint = Lint::of_config(LintKind::UnknownUser, message, help);
        lints.push(Lint { place: assertion.place.clone(), ..lint });
    }
    lints
}

/// The rules whose `except-for` leaves nobody of whom they are for.
pub(super) fn of_nobody(settings: &Settings) -> Vec<Lint> {
    let listed = of_inventories(settings);
    let of_one = |rule: &Rule| {
        let message =
            format!("`except-for` of rule `{}` leaves nobody whom it is for, so it protects nothing", rule.id);
        let help = "remove the exceptions that aren't meant, or the rule";
        Lint::of_rule(LintKind::NeverMatches, rule, message, help)
    };
    settings.rules.iter().chain(&listed).filter(|rule| rule.audience.is_nobody()).map(of_one).collect()
}

/// The rules that inventories are in force by.
fn of_inventories(settings: &Settings) -> Vec<Rule> {
    settings.inventories.iter().map(|source| source.listing(None).rule).collect()
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

fn of_no_version(rule: &Rule) -> Option<Lint> {
    let versions = rule.versions.as_ref()?;
    if some_left(versions, &[]) {
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
