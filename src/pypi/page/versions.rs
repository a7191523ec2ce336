//! Which of a page's `versions` are still true after files were removed (PEP 700).

use std::collections::HashSet;
use std::str::FromStr;

use pep440_rs::Version;

use super::entry::Entry;
use crate::name::{ProjectName, without_archive};
use crate::pypi::Malformed;
use crate::pypi::json::Value;

/// `versions` must be an array of strings.
pub(super) fn check(versions: Value<'_>) -> Result<(), Malformed> {
    let elements = versions.elements()?.ok_or(Malformed::Shape("`versions` is not an array"))?;
    for element in elements {
        element.text().ok_or(Malformed::Shape("a version is not a string"))?.decode()?;
    }
    Ok(())
}

/// The versions that still have a file. If a kept file's version can't be told, it may be any that isn't known to be
/// of removed files alone.
pub(super) fn remaining<'a>(
    versions: Value<'a>,
    project: Option<&ProjectName>,
    kept: &[Entry<'_>],
    removed: &[Entry<'_>],
) -> Vec<Value<'a>> {
    let (kept, removed) = (Versions::of(kept, project), Versions::of(removed, project));
    let stays = |element: &Value<'_>| match parse(*element) {
        Some(version) => kept.known.contains(&version) || (kept.any_unclear && !removed.known.contains(&version)),
        None => kept.any_unclear,
    };
    versions.elements().ok().flatten().unwrap_or_default().into_iter().filter(stays).collect()
}

/// The versions of some files.
#[derive(Default)]
struct Versions {
    known: HashSet<Version>,
    /// Whether the version of some file can't be told.
    any_unclear: bool,
}

impl Versions {
    fn of(entries: &[Entry<'_>], project: Option<&ProjectName>) -> Self {
        let mut versions = Self::default();
        let mut last = None;
        for filename in entries.iter().map(Entry::filename) {
            // One wheel after the other is of the same version: it needn't be read again.
            let text = of_wheel(filename);
            if text.is_some() && text == last {
                continue;
            }
            last = text;
            let found = of_file(filename, project);
            versions.any_unclear |= found.is_empty();
            versions.known.extend(found);
        }
        versions
    }
}

fn parse(element: Value<'_>) -> Option<Version> {
    Version::from_str(&element.text()?.decode().ok()?).ok()
}

/// Every version that the file could be of, given its project. None if its form is unknown.
fn of_file(filename: &str, project: Option<&ProjectName>) -> Vec<Version> {
    if let Some(version) = of_wheel(filename) {
        return Version::from_str(&version.to_ascii_lowercase()).into_iter().collect();
    }
    let lower = filename.to_ascii_lowercase();
    let Some(stem) = without_archive(&lower) else { return Vec::new() };
    // As pip splits: any dash before which the project's name stands.
    let splits = stem.match_indices('-').filter_map(|(at, _)| Some((stem.get(..at)?, stem.get(at + 1..)?)));
    splits
        .filter(|(name, _)| ProjectName::parse(name).is_ok_and(|name| project.is_none_or(|project| name == *project)))
        .filter_map(|(_, version)| Version::from_str(version).ok())
        .collect()
}

/// What stands in the place of the version in the name of a wheel or an egg; nothing, if nothing does.
fn of_wheel(filename: &str) -> Option<&str> {
    let (stem, extension) = filename.split_at_checked(filename.len().checked_sub(4)?)?;
    let is_wheel = [".whl", ".egg"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    is_wheel.then(|| stem.split('-').nth(1).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_files() {
        let project = ProjectName::parse("acme-core").unwrap();
        for (filename, version) in [
            ("acme_core-1.0-py3-none-any.whl", Some("1")),
            ("acme_core-1.0-2-py3-none-any.whl", Some("1.0.0")),
            ("acme_core-1.0rc1-py2.7.egg", Some("1.0.RC1")),
            ("acme-core-1.0.tar.gz", Some("1.0")),
            ("Acme.Core-1.0.ZIP", Some("1.0")),
            ("acme-core-1.0.tbz2", Some("1.0")),
            ("acme-core-1.0-1.tar.gz", Some("1.0.post1")),
            ("acme-core-1!2.0+local.7.tar.bz2", Some("1!2+local.7")),
            ("other-1.0.tar.gz", None),
            ("acme-core-x.tar.gz", None),
            ("acme-core-1.0.exe", None),
            ("acme_core.whl", None),
        ] {
            let expected: Vec<Version> = version.into_iter().map(|version| version.parse().unwrap()).collect();
            assert_eq!(of_file(filename, Some(&project)), expected, "{filename}");
        }
    }
}
