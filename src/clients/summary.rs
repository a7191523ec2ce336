//! What `run` says at the end: what was hidden or refused, by which rule, and what to do.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::policy::Rule;
use crate::shown::printable;
use crate::telemetry::Outcome;
use crate::telemetry::decision::Tally;

/// Names listed a rule.
const LISTED: usize = 8;

/// The summary for people; `rules` tell what their authors said.
#[must_use]
pub fn summary(tally: &Tally, rules: &[Rule]) -> String {
    if tally.entries.is_empty() {
        return "namewall: nothing was hidden or refused\n".to_owned();
    }
    let mut text = String::new();
    for (id, subjects) in by_rule(tally) {
        let rule = rules.iter().find(|rule| Some(rule.id.as_str()) == id);
        // Writing to a string cannot fail.
        let _written = match id {
            Some(id) => writeln!(text, "namewall: on the public index, rule {id} hid or refused:"),
            None => writeln!(text, "namewall: these answers could not be trusted and were not passed on:"),
        };
        for (subject, (words, count)) in subjects.iter().take(LISTED) {
            let times = if *count > 1 { format!(" ({count} times)") } else { String::new() };
            let _written = writeln!(text, "  {words} {subject}{times}");
        }
        if subjects.len() > LISTED {
            let _written = writeln!(text, "  … and {} more", subjects.len() - LISTED);
        }
        text.push_str(&advice(id, rule, subjects.keys().next().copied()));
    }
    text
}

/// What was decided on one subject, and how often.
type Subjects<'t> = BTreeMap<&'t str, (&'static str, u64)>;

fn by_rule(tally: &Tally) -> BTreeMap<Option<&str>, Subjects<'_>> {
    let mut rules: BTreeMap<Option<&str>, Subjects<'_>> = BTreeMap::new();
    for (key, count) in &tally.entries {
        let words = match key.outcome {
            Outcome::Refused => "refused",
            Outcome::Filtered => "hidden on the page of",
            Outcome::Failed => "failed:",
            Outcome::Hidden | Outcome::Allowed => "hidden",
        };
        let entry = rules.entry(key.rule.as_deref()).or_default().entry(&key.subject).or_insert((words, 0));
        // A refusal says more than a hidden page: something has asked for the very file.
        if words == "refused" {
            entry.0 = words;
        }
        entry.1 += count;
    }
    rules
}

fn advice(id: Option<&str>, rule: Option<&Rule>, subject: Option<&str>) -> String {
    let mut text = String::new();
    if id.is_none() {
        text.push_str("  try again; `-v` shows each request, and --log-format json its reason\n");
        return text;
    }
    let mut line = |label: &str, value: &str| {
        let _written = writeln!(text, "  {label} {}", printable(value));
    };
    if let Some(rule) = rule {
        if let Some(reason) = &rule.reason {
            line("why:", reason);
        }
        match (&rule.private_index, &rule.versions) {
            (Some(index), _) => line("to install them:", &format!("add --extra-index-url {index} (or --index for uv)")),
            (None, Some(versions)) => line("instead:", &format!("take another release, none of {versions}")),
            (None, None) => line("to install them:", "name your private index (--extra-index-url, or --index for uv)"),
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
    use super::*;
    use crate::telemetry::Surface;
    use crate::telemetry::decision::TallyKey;

    fn key(outcome: Outcome, subject: &str) -> TallyKey {
        TallyKey { rule: Some("acme".into()), outcome, surface: Surface::Page, subject: subject.into() }
    }

    #[test]
    fn a_quiet_line_when_nothing_happened() {
        assert_eq!(summary(&Tally::default(), &[]).lines().count(), 1);
    }

    #[test]
    fn it_names_what_by_whom_and_what_next() {
        let mut tally = Tally::default();
        tally.entries.insert(key(Outcome::Hidden, "acme-core"), 2);
        tally.entries.insert(key(Outcome::Refused, "acme_x-1.0-py3-none-any.whl"), 1);
        let rule = Rule {
            id: "acme".into(),
            reason: Some("Internal".into()),
            private_index: Some("https://pypi.acme.example/simple/".into()),
            ..Rule::default()
        };
        insta::assert_snapshot!(summary(&tally, &[rule]), @r"
        namewall: on the public index, rule acme hid or refused:
          hidden acme-core (2 times)
          refused acme_x-1.0-py3-none-any.whl
          why: Internal
          to install them: add --extra-index-url https://pypi.acme.example/simple/ (or --index for uv)
          to see more: namewall explain acme-core
        ");
    }

    #[test]
    fn of_a_project_with_other_releases_those_are_advised() {
        let rule =
            Rule { id: "bad".into(), versions: "<2".parse().ok(), reason: Some("\x1b[2J".into()), ..Rule::default() };
        assert_eq!(
            advice(Some("bad"), Some(&rule), None),
            "  why: \u{fffd}[2J\n  instead: take another release, none of <2\n"
        );
    }
}
