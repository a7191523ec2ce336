//! The findings as somebody reads them who was just refused: what happened, by which rule, why, and what now.

use super::advice;
use super::findings::Findings;
use super::thing::{ELSEWHERE, LOCAL, Refusal, Thing};
use crate::cli::output::{Console, Style};
use crate::name::FileName;
use crate::policy::{Match, Mode};
use crate::pypi::resource::Release;
use crate::shown::printable;

/// The paragraph on one thing.
pub(super) fn of(thing: &Thing, findings: &Findings<'_>, console: Console) -> String {
    let name = console.paint(Style::Bold, &thing.written);
    let verdict = &findings.verdict;
    let mut lines = Vec::new();
    let head = if let Some(found) = &verdict.protected {
        lines.push(("what happens", what_happens(thing, findings)));
        lines.extend(owners(findings));
        lines.extend(details(found));
        lines.extend(now(thing, findings, found));
        let sure = if verdict.certain { "" } else { " unless the public index says that it is another project's" };
        format!("{}{sure}", console.paint(Style::Red, "protected"))
    } else {
        let allowed = console.paint(Style::Green, "allowed");
        if let Some(found) = &verdict.audited {
            lines.extend(details(found));
            format!("{allowed}, but an audit rule would hide it")
        } else if let Some(found) = findings.hiding.first() {
            lines.extend(details(found));
            format!("{allowed}, but {}", of_hiding(found))
        } else if matches!(thing.kind, ELSEWHERE | LOCAL) {
            lines.extend(thing.mirror.iter().map(|host| ("but", of_mirror(host.as_str()))));
            format!("{allowed} ({})", thing.kind)
        } else {
            allowed
        }
    };
    lines.extend(besides(findings));
    let lines: String = lines.iter().map(|(label, value)| format!("  {label:<13}{}\n", printable(value))).collect();
    format!("{name}: {head}\n{lines}")
}

/// What the clients see.
pub(super) fn what_happens(thing: &Thing, findings: &Findings<'_>) -> String {
    let subject = findings.subject.as_deref().unwrap_or(&thing.written);
    // Of a hidden release the project's page stays, without its files.
    let of_release = matches!(thing.refusal, Refusal::Page) && release_of(thing, findings).is_some();
    match thing.refusal {
        _ if findings.none_left => format!(
            "every release that `{}` takes is hidden: none is on the page of {subject}, and their files are refused (403)",
            thing.written
        ),
        Refusal::Page if of_release => {
            format!("{subject} isn't on its project's page, and its files are refused (403)")
        }
        Refusal::Page => format!(
            "the public index is answered for as if it had no {subject} (404); clients say that they found no matching \
             distribution"
        ),
        Refusal::File => {
            let file = thing.files.first().map_or(subject, FileName::as_str);
            format!("the download of {file} is refused (403), and its project's page doesn't list it")
        }
        Refusal::Upload => format!("the upload of {subject} to the public index is refused (403) before it begins"),
        Refusal::Other => format!("{subject} is left out of what the public index says, or the request is refused"),
    }
}

/// What a rule does to a project that isn't protected.
fn of_hiding(found: &Match<'_>) -> String {
    let (id, versions) = (&found.rule.id, found.rule.versions.as_ref().map(ToString::to_string).unwrap_or_default());
    let reason = found.rule.reason.as_ref().map(|reason| format!(" ({})", printable(reason))).unwrap_or_default();
    match found.rule.mode {
        Mode::Enforce => format!("rule {id} hides releases {versions}{reason}"),
        Mode::Audit => format!("audit rule {id} would hide releases {versions}{reason}"),
    }
}

/// The release that was found protected, if it is one.
pub(super) fn release_of<'t>(thing: &'t Thing, findings: &Findings<'_>) -> Option<&'t Release> {
    let subject = findings.subject.as_deref()?;
    thing.releases.iter().find(|release| format!("{} {}", release.project, release.version) == subject)
}

/// What decides when the file's name doesn't.
fn owners(findings: &Findings<'_>) -> Vec<(&'static str, String)> {
    if findings.owners.is_empty() {
        return Vec::new();
    }
    let words = |protected: bool| if protected { "protected" } else { "allowed" };
    let each: Vec<String> =
        findings.owners.iter().map(|(project, protected)| format!("{project} ({})", words(*protected))).collect();
    let decides = "the owner that the public index names with the file; without it the file is refused";
    vec![("could be of", each.join(", ")), ("what decides", decides.to_owned())]
}

fn details(found: &Match<'_>) -> Vec<(&'static str, String)> {
    let mut pattern = if found.written == found.folded || found.looks_like().is_some() {
        found.written.to_owned()
    } else {
        format!("{} (compared as {})", found.written, found.folded)
    };
    pattern.extend(found.rule.versions.iter().map(|versions| format!(", releases {versions} only")));
    let mut lines = vec![("rule", found.rule.id.clone()), ("pattern", pattern), ("written at", place(found))];
    if !found.rule.audience.is_everybody() {
        lines.push(("in force for", found.rule.audience.to_string()));
    }
    let said =
        [("reason", &found.rule.reason), ("owner", &found.rule.owner), ("install from", &found.rule.private_index)];
    lines.extend(said.into_iter().filter_map(|(label, value)| Some((label, value.clone()?))));
    lines
}

fn place(found: &Match<'_>) -> String {
    found.place.map_or_else(|| "the command line".to_owned(), ToString::to_string)
}

fn now(thing: &Thing, findings: &Findings<'_>, found: &Match<'_>) -> Vec<(&'static str, String)> {
    let advice = advice::of(thing, findings, found);
    let labels = ["run next", "or"].into_iter().chain(std::iter::repeat(""));
    let mut lines: Vec<_> = labels.zip(advice.commands).collect();
    lines.extend(advice.words.map(|words| (if lines.is_empty() { "next" } else { "note" }, words)));
    lines
}

/// What would be otherwise if it weren't for an exception or a date.
fn besides(findings: &Findings<'_>) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let (Some(_), Some(audited)) = (&findings.verdict.protected, &findings.verdict.audited) {
        let (rule, written) = (&audited.rule.id, audited.written);
        lines.push(("also", format!("the audit rule {rule} matches, by {written} ({})", place(audited))));
    }
    // The first is told of above, unless another rule is.
    let told = usize::from(findings.verdict.audited.is_none() || findings.none_left);
    lines.extend(
        findings.hiding.iter().skip(told).map(|found| ("also", format!("{}, {}", of_hiding(found), place(found)))),
    );
    if let Some(excepted) = &findings.excepted {
        let (rule, written) = (&excepted.found.rule.id, excepted.found.written);
        let at = excepted.place.map(|place| format!(" ({place})")).unwrap_or_default();
        lines.push((
            "excepted",
            format!("rule {rule} matches it by {written}, and excepts it by {}{at}", excepted.exception),
        ));
    }
    if let Some(found) = &findings.expired {
        let (rule, written) = (&found.rule.id, found.written);
        let last = found.rule.expires.map(|last| format!(" on {last}")).unwrap_or_default();
        lines.push((
            "expired",
            format!("rule {rule} would hide it by {written} ({}), but it expired{last}", place(found)),
        ));
    }
    if let Some(found) = &findings.for_others {
        let (rule, written, audience) = (&found.rule.id, found.written, &found.rule.audience);
        lines.push((
            "for others",
            format!("rule {rule} would hide it by {written} ({}), but it is in force for {audience}", place(found)),
        ));
    }
    lines
}

fn of_mirror(host: &str) -> String {
    format!("{host} is a public mirror of PyPI, and nothing is hidden there: `namewall check -v` says how it would be")
}
