//! Rules that hide what nearly everybody installs: very likely a pattern that is wider than its author thinks.

use std::collections::BTreeMap;

use time::Date;

use super::{Lint, LintKind};
use crate::config::assertion::Assertion;
use crate::name::{FileName, NameBuffer, NameRef, ProjectName, Subject};
use crate::policy::{Mode, Policy, Rule};

/// The five hundred most downloaded projects of PyPI, folded, one a line, the most downloaded first.
const WELL_KNOWN: &str = include_str!("../../../config/well-known.txt");

/// How many names a warning lists.
const SHOWN: usize = 5;

/// A warning for each pattern that hides well-known projects, unless it is asserted that they are to be protected, or
/// the rule says that it means everything.
pub(super) fn hidden(rules: &[Rule], assertions: &[Assertion], today: Date) -> Vec<Lint> {
    let suspects = rules.iter().filter(|rule| rule.mode == Mode::Enforce && !rule.everything);
    let Ok(policy) = Policy::compile(suspects.clone().cloned().collect(), today) else { return Vec::new() };
    let meant: Vec<ProjectName> = assertions
        .iter()
        .filter(|assertion| assertion.protected)
        .filter_map(|assertion| ProjectName::parse(&assertion.written).ok())
        .collect();
    let nameless = suspects.map(|rule| Rule { names: Vec::new(), ..rule.clone() });
    let by_files = Policy::compile(nameless.collect(), today).ok();
    let mut by_pattern: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut by_file: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for known in WELL_KNOWN.lines().filter(|known| !meant.iter().any(|name| name.as_str() == *known)) {
        let mut buffer = NameBuffer::default();
        let Ok(name) = NameRef::fold(known.as_bytes(), &mut buffer) else { continue };
        if let Some(found) = policy.judge(Subject::Project(name)).protected {
            by_pattern.entry((&found.rule.id, found.looks_like().unwrap_or(found.written))).or_default().push(known);
        }
        for file in files_of(known) {
            let found = by_files.as_ref().and_then(|policy| policy.judge(Subject::File(&file)).protected);
            if let Some(found) = found {
                by_file.entry((&found.rule.id, found.written)).or_default().push(file.as_str().to_owned());
            }
        }
    }
    let of_names = by_pattern.into_iter().filter_map(|((id, written), names)| lint(rules, id, written, &names));
    of_names
        .chain(by_file.into_iter().filter_map(|((id, written), files)| lint_of_files(rules, id, written, &files)))
        .collect()
}

/// What the files of a project are called that has both kinds.
fn files_of(project: &str) -> impl Iterator<Item = FileName> {
    let stem = project.replace('-', "_");
    let files = [format!("{stem}-1.0.tar.gz"), format!("{stem}-1.0-py3-none-any.whl")];
    files.into_iter().filter_map(|file| FileName::parse(file.as_bytes()).ok())
}

fn lint_of_files(rules: &[Rule], id: &str, written: &str, files: &[String]) -> Option<Lint> {
    let rule = rules.iter().find(|rule| rule.id == id)?;
    let pattern = rule.files.iter().find(|pattern| pattern.written() == written)?;
    let first = files.first()?;
    let message = format!("`{written}` of rule `{id}` hides files of well-known public projects, such as `{first}`");
    let help = "narrow the pattern: `files` are looked for on every project's page";
    let (place, marked) = (pattern.place().cloned(), Some(written.to_owned()));
    Some(Lint { place, marked, ..Lint::of_rule(LintKind::WellKnown, rule, message, help) })
}

fn lint(rules: &[Rule], id: &str, written: &str, names: &[&str]) -> Option<Lint> {
    let rule = rules.iter().find(|rule| rule.id == id)?;
    let pattern = rule.names.iter().find(|pattern| [pattern.written(), pattern.folded()].contains(&written))?;
    let listed: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let which = if names.len() == 1 { "a well-known public project" } else { "well-known public projects" };
    let alike = if rule.lookalikes && !names.contains(&pattern.folded()) { "what looks like it, " } else { "" };
    let message = format!("`{written}` of rule `{id}` hides {alike}{which}: {}{more}", listed.join(", "));
    let help =
        "narrow the pattern, or add them to `except`; if that is meant, say so in an `[[assert]]`: `protected = […]`";
    Some(Lint::of_pattern(LintKind::WellKnown, rule, pattern, message, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_folded() {
        assert_eq!(WELL_KNOWN.lines().count(), 500);
        for line in WELL_KNOWN.lines() {
            assert_eq!(ProjectName::parse(line).unwrap().as_str(), line);
        }
    }
}
