//! What `run` says at the end: what was hidden or refused, by which rule, and what to do.

use std::fmt::Write;

use super::next::with_index;
use super::report::{Report, Told};
use crate::policy::Rule;
use crate::telemetry::Outcome;

/// Names listed a rule.
const LISTED: usize = 8;

/// The summary for people.
#[must_use]
pub fn summary(report: &Report<'_>) -> String {
    let decided = report.decided();
    if decided.is_empty() {
        return "namewall: nothing was hidden or refused\n".to_owned();
    }
    let mut text = String::new();
    for (id, things) in &decided {
        // Writing to a string cannot fail.
        let _written = match id {
            Some(id) => writeln!(text, "namewall: on the public index, rule {id} hid or refused:"),
            None => writeln!(text, "namewall: these answers could not be trusted and were not passed on:"),
        };
        for (name, told) in things.iter().take(LISTED) {
            let times = if told.count > 1 { format!(" ({} times)", told.count) } else { String::new() };
            let _written = writeln!(text, "  {} {name}{times}", told.words());
        }
        if things.len() > LISTED {
            let _written = writeln!(text, "  … and {} more", things.len() - LISTED);
        }
        let refused = things.values().any(|told| told.outcome == Outcome::Refused);
        let Some(id) = id else {
            text.push_str("  try again; `-v` shows each request, and --log-format json its reason\n");
            continue;
        };
        let first = things.iter().find(|(_, told)| !refused || is_refused(**told)).map(|(name, _)| *name);
        text.push_str(&advice(report, report.rule(id), first, refused));
    }
    text
}

const fn is_refused(told: Told) -> bool {
    matches!(told.outcome, Outcome::Refused)
}

/// What to do about what one rule did.
fn advice(report: &Report<'_>, rule: Option<&Rule>, subject: Option<&str>, refused: bool) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let _written = writeln!(text, "  {label} {}", crate::shown::printable(value));
    };
    if let Some(rule) = rule {
        if let Some(reason) = &rule.reason {
            line("why:", reason);
        }
        let index = rule.private_index.as_deref();
        let again = index.and_then(|index| with_index(report.command, index));
        match (again, index) {
            // Hidden and yet all is well: the private copy was found, or nothing needed the name.
            _ if report.code == 0 && !refused => {}
            (None, None) if rule.versions.is_some() => {
                let versions = rule.versions.as_ref().map(ToString::to_string).unwrap_or_default();
                line("instead:", &format!("take another release, none of {versions}"));
            }
            _ if refused => {
                line("to see who asks for it:", "namewall scan .   (a lock file has the public copy: lock again)");
                if let Some(index) = index {
                    line("the private copy is at:", index);
                }
            }
            (Some(again), _) => line("to install it:", &again),
            (None, Some(index)) => line("to install it:", &format!("let your client ask {index}, too")),
            (None, None) => line("to install it:", "name your private index (--extra-index-url, or --index for uv)"),
        }
        if let Some(owner) = &rule.owner {
            line("ask:", owner);
        }
    }
    if let Some(subject) = subject {
        line("to see more:", &format!("namewall explain {subject}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::clients::report::tests::{acme, key};
    use crate::telemetry::decision::Tally;

    fn of(code: u8, entries: &[(Outcome, &str, u64)]) -> String {
        let mut tally = Tally::default();
        for (outcome, subject, count) in entries {
            tally.entries.insert(key(Some("acme"), *outcome, subject), *count);
        }
        let (command, rules) = (["pip", "install", "acme-core"].map(OsString::from), [acme()]);
        summary(&Report { command: &command, code, exit_code: code, tally: &tally, rules: &rules, policy: "" })
    }

    #[test]
    fn of_a_project_with_other_releases_those_are_advised() {
        let rule =
            Rule { id: "bad".into(), versions: "<2".parse().ok(), reason: Some("\x1b[2J".into()), ..Rule::default() };
        let report = Report { command: &[], code: 1, exit_code: 1, tally: &Tally::default(), rules: &[], policy: "" };
        assert_eq!(
            advice(&report, Some(&rule), Some("six 1.0"), true),
            "  why: \u{fffd}[2J\n  instead: take another release, none of <2\n  to see more: namewall explain six 1.0\n"
        );
    }

    #[test]
    fn a_quiet_line_when_nothing_happened() {
        assert_eq!(of(0, &[]).lines().count(), 1);
    }

    #[test]
    fn it_names_what_by_whom_and_what_next() {
        insta::assert_snapshot!("failed_for_want_of_the_index", of(1, &[(Outcome::Hidden, "acme-core", 2)]));
        insta::assert_snapshot!("hidden_and_all_is_well", of(0, &[(Outcome::Hidden, "acme-core", 1)]));
        let refused = [(Outcome::Hidden, "acme-core", 2), (Outcome::Refused, "acme_x-1.0-py3-none-any.whl", 1)];
        insta::assert_snapshot!("refused", of(1, &refused));
    }
}
