//! What somebody who was just refused runs next.

use super::findings::Findings;
use super::text::release_of;
use super::thing::{Refusal, Thing};
use crate::policy::Match;

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
        "requirement" if thing.refusal == Refusal::Page => quoted(without_marker(&thing.written)),
        _ => project.clone(),
    };
    let index = quoted(index);
    let mut commands =
        vec![format!("pip install --index-url {index} {wanted}"), format!("uv add --index {index} {wanted}")];
    let mut words = None;
    if thing.refusal == Refusal::File {
        // A file's address is rarely typed: it was locked, from the public index.
        commands.push(format!("uv lock --upgrade-package {project}"));
        commands.push(format!("poetry update --lock {project}"));
        let of_lock = "if a lock file has the public file, lock again once the private index is set up (the last two)";
        words = Some(of_lock.to_owned());
    }
    Advice { commands, words }
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

/// The requirement without its marker: a shell command is for this machine.
fn without_marker(requirement: &str) -> &str {
    requirement.split(';').next().unwrap_or(requirement).trim()
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b'@' | b',')
    };
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_sees_one_word() {
        assert_eq!(quoted("https://pypi.acme.example/simple/"), "https://pypi.acme.example/simple/");
        assert_eq!(quoted("acme[x]>=1.0"), "'acme[x]>=1.0'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert_eq!(without_marker("acme>1 ; python_version > '3'"), "acme>1");
    }
}
