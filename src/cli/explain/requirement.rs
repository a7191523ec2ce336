//! Reads a requirement (PEP 508), and what stands in a line of a requirements file.

use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use crate::clients::scan::without_comment;
use crate::name::ProjectName;

/// What a requirement says.
#[derive(Debug)]
pub(super) struct Requirement<'t> {
    pub(super) project: ProjectName,
    /// Name, extras and versions, without the marker: a shell command is for this machine.
    pub(super) command: &'t str,
    /// The versions that it takes; none if it doesn't say, or what it says is no specifier.
    pub(super) versions: Option<VersionSpecifiers>,
    /// The version that it pins, as it stands there.
    pub(super) pinned: Option<String>,
    /// The URL or the path that it names instead.
    pub(super) reference: Option<&'t str>,
}

/// What stands in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    /// Something to be explained.
    Thing(&'t str),
    /// A folder that is installed as it stands there.
    Folder(&'t str),
}

/// What stands in a line of a list or of a requirements file; nothing for a comment or an option.
pub(super) fn in_line(line: &str) -> Option<Line<'_>> {
    let line = without_options(line);
    let editable = ["-e", "--editable"].into_iter().find_map(|option| {
        let value = line.strip_prefix(option)?;
        value.starts_with([' ', '\t', '=']).then(|| value.trim_start_matches('=').trim())
    });
    match editable {
        Some(value) if value.contains("://") => Some(Line::Thing(value)),
        Some(value) => Some(Line::Folder(value)),
        None if line.is_empty() || line.starts_with('-') => None,
        None => Some(Line::Thing(line)),
    }
}

/// `text` without what follows a requirement in a file: options, a comment, a continuation.
pub(super) fn without_options(text: &str) -> &str {
    let text = without_comment(text.trim().trim_start_matches('\u{feff}'));
    let option = [" --", "\t--"].into_iter().filter_map(|option| text.find(option)).min();
    let text = option.and_then(|at| text.get(..at)).unwrap_or(text);
    text.trim_end_matches(['\\', ' ', '\t']).trim_start()
}

/// Whether `text` is a path, as pip tells them from names.
pub(super) fn is_path(text: &str) -> bool {
    let behind = text.trim_start_matches(is_name_character);
    let separators = ["/", "\\", ":/", ":\\"];
    let is_separated = separators.iter().any(|separator| behind.starts_with(separator));
    text.starts_with(['.', '~']) || is_separated && text.contains(|c: char| c.is_alphanumeric())
}

impl<'t> Requirement<'t> {
    /// Reads one, or says why it is none.
    pub(super) fn read(text: &'t str) -> Result<Self, String> {
        let (name, rest) = text.split_at(text.find(|c: char| !is_name_character(c)).unwrap_or(text.len()));
        let project = ProjectName::parse(name).map_err(|why| why.to_string())?;
        let rest = rest.trim_start();
        if !rest.starts_with(['[', '(', '<', '>', '=', '!', '~', ';', '@']) {
            return Err(format!("`{}` can't follow a name", rest.trim_end()));
        }
        let rest = match rest.strip_prefix('[') {
            Some(extras) => extras.split_once(']').ok_or("`[` has no `]`")?.1.trim_start(),
            None => rest,
        };
        if let Some(reference) = rest.strip_prefix('@') {
            let reference = reference.split_whitespace().next().ok_or("nothing stands behind its `@`")?;
            return Ok(Self { project, command: name, versions: None, pinned: None, reference: Some(reference) });
        }
        let command = text.split(';').next().unwrap_or(text).trim();
        let versions = rest.split(';').next().unwrap_or(rest).trim();
        let versions = versions.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(versions);
        let pinned = pinned(versions);
        Ok(Self { project, command, versions: VersionSpecifiers::from_str(versions).ok(), pinned, reference: None })
    }
}

/// The version that a requirement pins, if it pins one and no more.
fn pinned(versions: &str) -> Option<String> {
    let (_, version) = versions.split_once("==")?;
    let version = version.trim_start_matches('=').split([',', ' ']).find(|part| !part.is_empty())?;
    (!version.contains('*')).then(|| version.to_owned())
}

const fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_requirements_files() {
        use Line::{Folder, Thing};
        for (line, expected) in [
            ("acme", Some(Thing("acme"))),
            ("  acme==1.0 ; python_version > '3'  # why", Some(Thing("acme==1.0 ; python_version > '3'"))),
            ("acme==1.0 \\", Some(Thing("acme==1.0"))),
            ("acme==1.0 --hash=sha256:00", Some(Thing("acme==1.0"))),
            ("    --hash=sha256:00 \\", None),
            ("# acme", None),
            ("", None),
            ("-r other.txt", None),
            ("--index-url https://pypi.org/simple", None),
            ("-e git+https://github.com/a/b#egg=acme", Some(Thing("git+https://github.com/a/b#egg=acme"))),
            ("-e .", Some(Folder("."))),
            ("--editable=acme[x]", Some(Folder("acme[x]"))),
            ("https://pypi.org/simple/acme/#fragment", Some(Thing("https://pypi.org/simple/acme/#fragment"))),
            ("acme\r", Some(Thing("acme"))),
        ] {
            assert_eq!(in_line(line), expected, "{line}");
        }
    }

    #[test]
    fn paths() {
        for path in [".", "..", ".[test]", "./acme", "../acme", "/acme", "~/acme", "local/acme", "C:\\acme", "a\\b"] {
            assert!(is_path(path), "{path}");
        }
        for other in ["acme", "acme ; x == 'a/b'", "acme @ file:///x", "acme[x]>=1", "acme~=1.0", "acme:core", "///"] {
            assert!(!is_path(other), "{other}");
        }
    }

    #[test]
    fn what_a_shell_is_given() {
        for (text, command, reference) in [
            ("acme>1 ; python_version > '3'", "acme>1", None),
            ("Acme[x] (==1.0)", "Acme[x] (==1.0)", None),
            ("acme[x]@https://h/a ; y", "acme", Some("https://h/a")),
        ] {
            let read = Requirement::read(text).unwrap();
            assert_eq!((read.command, read.reference), (command, reference), "{text}");
        }
        assert_eq!(Requirement::read("acme[x] ( == 1.0 )").unwrap().pinned.as_deref(), Some("1.0"));
        assert!(Requirement::read("acme (>1,<2)").unwrap().versions.is_some());
        assert!(Requirement::read("acme core").unwrap_err().contains("can't follow"));
    }
}
