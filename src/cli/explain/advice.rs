//! What somebody who was just refused runs next.

use super::findings::Findings;
use super::text::release_of;
use super::thing::{Refusal, Thing};
use crate::name::ProjectName;
use crate::policy::Match;
use crate::shown::quoted;

/// What to do next, in the order in which it is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// Commands that fetch the private copy; none if nobody said where it is.
    pub(super) commands: Vec<String>,
    /// A sentence, where no command helps or one isn't enough.
    pub(super) words: Option<String>,
}

/// What helps with `found`, which protects `thing`.
pub(super) fn of(thing: &Thing, findings: &Findings<'_>, found: &Match<'_>) -> Advice {
    let Some(project) = project_of(thing, findings) else {
        return Advice { commands: Vec::new(), words: Some(ask(found)) };
    };
    if thing.refusal != Refusal::Upload && found.looks_like().is_none() {
        let version = release_of(thing, findings).map(|release| release.version.clone());
        let version = version.or_else(|| version_of_file(thing, findings, &project));
        if let Some(other) = found.another_release(&project, version.as_deref()) {
            return another(thing, &project, &other, found);
        }
    }
    let Some(index) = &found.rule.private_index else {
        return Advice { commands: Vec::new(), words: Some(ask(found)) };
    };
    if thing.refusal == Refusal::Upload {
        let url = quoted(index);
        let words = format!("upload it to the private index, whose upload URL may differ from {url}");
        return Advice { commands: Vec::new(), words: Some(words) };
    }
    if let Some(meant) = found.looks_like() {
        // Whoever mistyped a name wants the right one, and whoever didn't wants somebody to except it.
        let index = quoted(index);
        let commands =
            vec![format!("pip install --index-url {index} {meant}"), format!("uv add --index {index} {meant}")];
        let words = format!("if {project} itself is meant, it takes an `except` in the rule");
        return Advice { commands, words: Some(words) };
    }
    let wanted = match thing.kind {
        "requirement" if !thing.command.is_empty() => quoted(&thing.command),
        _ => project.clone(),
    };
    let index = quoted(index);
    let mut commands =
        vec![format!("pip install --index-url {index} {wanted}"), format!("uv add --index {index} {wanted}")];
    let mut words = None;
    if thing.kind == "requirement" && thing.refusal == Refusal::File {
        words = Some(format!("a URL is installed from whatever the indexes are: require `{project}` without it"));
    } else if thing.refusal == Refusal::File {
        // A file's address is rarely typed: it was locked, from the public index.
        commands.extend(lock_again(&project));
        let of_lock = "if a lock file has the public file, lock again once the private index is set up (the last two)";
        words = Some(of_lock.to_owned());
    }
    Advice { commands, words }
}

/// What helps with a release that is hidden of a project that isn't.
fn another(thing: &Thing, project: &str, other: &str, found: &Match<'_>) -> Advice {
    let wanted = quoted(other);
    let mut commands = vec![format!("pip install {wanted}"), format!("uv add {wanted}")];
    let hidden = found.hidden_releases().map(ToString::to_string).unwrap_or_default();
    let mut words = format!("only the releases {hidden} are hidden: take another");
    if thing.refusal == Refusal::File && thing.kind == "requirement" {
        words.push_str(&format!(", and require `{other}` without the URL"));
    } else if thing.refusal == Refusal::File || !thing.releases.is_empty() {
        commands.extend(lock_again(project));
        words.push_str(", and if a lock file has this one, lock again (the last two)");
    }
    if let Some(owner) = &found.rule.owner {
        words.push_str(&format!("; if it must be this one, ask {owner}"));
    }
    Advice { commands, words: Some(words) }
}

fn lock_again(project: &str) -> [String; 2] {
    [format!("uv lock --upgrade-package {project}"), format!("poetry update --lock {project}")]
}

/// The version that the file which is protected has as a file of `project`'s.
fn version_of_file(thing: &Thing, findings: &Findings<'_>, project: &str) -> Option<String> {
    let file = thing.files.iter().find(|file| Some(file.as_str()) == findings.subject.as_deref())?;
    let project = ProjectName::parse(project).ok()?;
    Some(file.versions_for(project.as_name())?.first()?.to_string())
}

/// The project that is meant: the one that was hidden, or the owner of the file.
fn project_of(thing: &Thing, findings: &Findings<'_>) -> Option<String> {
    let subject = findings.subject.as_deref();
    if let Some(project) = thing.projects.iter().find(|project| Some(project.as_str()) == subject) {
        return Some(project.as_str().to_owned());
    }
    if let Some(release) = release_of(thing, findings) {
        return Some(release.project.as_str().to_owned());
    }
    if let Some((project, _)) = findings.owners.iter().find(|(_, protected)| *protected) {
        return Some(project.as_str().to_owned());
    }
    let file = thing.files.iter().find(|file| Some(file.as_str()) == subject)?;
    file.candidates().projects.first().map(|project| project.as_str().to_owned())
}

fn ask(found: &Match<'_>) -> String {
    let copy = "where the private copy is; the rule names no `private-index`";
    match (&found.rule.owner, found.place) {
        (Some(owner), _) => format!("ask {owner} {copy}"),
        (None, Some(place)) => format!("ask whoever keeps {} {copy}", place.file.display()),
        (None, None) => "nothing: the rule was given on the command line with `--protect`".to_owned(),
    }
}
