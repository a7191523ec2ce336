//! The versions that a distribution file could be of, by the form of its name and whose file it is.

use std::str::FromStr;

use pep440_rs::Version;

use super::candidates::{is_version, split_around, without_archive, without_platform, without_python};
use super::file::{FileName, strip_suffix};
use super::project::{NameBuffer, NameRef};

impl FileName {
    /// Every version that some client would read from it as a file of `owner`'s; `None` if that can't be told.
    pub(crate) fn versions_for(&self, owner: NameRef<'_>) -> Option<Vec<Version>> {
        let mut versions = Vec::new();
        for text in Readings::of(self.distribution())?.behind(owner) {
            match Version::from_str(text.trim()) {
                Ok(version) => versions.push(version),
                // A version for others, with numbers that are too large for us.
                Err(_too_large) if is_version(text) => return None,
                Err(_not_a_version) => {}
            }
        }
        Some(versions).filter(|versions| !versions.is_empty())
    }
}

/// The ways to read one file name: each a beginning of it in which a version stands behind a project's name.
struct Readings<'a> {
    stems: Vec<&'a str>,
    /// What separates the version from the name.
    separator: char,
    /// Whether the version ends at the next separator.
    in_fields: bool,
}

impl<'a> Readings<'a> {
    /// `None` if the file's extension is none of a distribution.
    fn of(file: &'a str) -> Option<Self> {
        let stripped = |extension: &str| strip_suffix(file, extension);
        if let Some(stem) = [".whl", ".egg", "-variants.json"].into_iter().find_map(stripped) {
            return Some(Self { stems: vec![stem], separator: '-', in_fields: true });
        }
        if let Some(stem) = stripped(".deb") {
            return Some(Self { stems: vec![stem], separator: '_', in_fields: true });
        }
        let mut stems = Vec::new();
        if let Some(stem) = stripped(".rpm") {
            let package = stem.rsplit_once('.').map_or(stem, |(package, _architecture)| package);
            stems.push(package);
            stems.extend(package.rsplit_once('-').map(|(release, _)| release));
        } else {
            let built = || [".exe", ".msi", ".dmg"].into_iter().find_map(stripped);
            let stem = built().or_else(|| without_archive(file))?;
            for stem in [stem, without_python(stem)] {
                stems.push(stem);
                stems.extend(without_platform(stem));
            }
        }
        stems.dedup();
        Some(Self { stems, separator: '-', in_fields: false })
    }

    /// What stands in the place of a version, behind each beginning that is the name `owner`.
    fn behind(&self, owner: NameRef<'_>) -> Vec<&'a str> {
        let mut buffer = NameBuffer::default();
        let mut is_owner = |name: &str| NameRef::fold(name.as_bytes(), &mut buffer).is_ok_and(|name| name == owner);
        let mut texts = Vec::new();
        for stem in &self.stems {
            for (at, _) in stem.match_indices(self.separator) {
                let (name, rest) = split_around(stem, at);
                if !is_owner(name) {
                    continue;
                }
                let text = if self.in_fields { rest.split(self.separator).next().unwrap_or(rest) } else { rest };
                texts.push(text);
                // Debian's revision.
                texts.extend(text.rsplit_once('-').filter(|_| self.in_fields).map(|(upstream, _)| upstream));
            }
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::ProjectName;

    fn versions(file: &str, owner: &str) -> Option<Vec<String>> {
        let versions = FileName::parse(file).unwrap().versions_for(ProjectName::parse(owner).unwrap().as_name())?;
        let mut shown: Vec<String> = versions.iter().map(ToString::to_string).collect();
        shown.sort();
        shown.dedup();
        Some(shown)
    }

    #[test]
    fn versions_of_files() {
        for (file, owner, expected) in [
            ("acme_core-1.0-py3-none-any.whl", "acme-core", Some(&["1.0"][..])),
            ("Acme.Core-1.0-2-py3-none-any.whl.metadata", "acme-core", Some(&["1.0"])),
            ("acme_core-1!2.0+local.7-py3-none-any.whl", "acme-core", Some(&["1!2.0+local.7"])),
            ("acme-core-1.0-py3-none-any.whl", "acme-core", Some(&["1.0"])),
            ("acme_core-2.0rc1-py2.7.egg", "acme-core", Some(&["2.0rc1"])),
            ("acme_core-2.0-variants.json", "acme-core", Some(&["2.0"])),
            ("acme-core-1.0.tar.gz", "acme-core", Some(&["1.0"])),
            ("acme-core-v1.0.ZIP.asc", "acme-core", Some(&["1.0"])),
            ("acme-1.0-1.tar.gz", "acme", Some(&["1.0.post1"])),
            ("acme-1.0-1.tar.gz", "acme-1-0", Some(&["1"])),
            ("acme-1.0-py3.8.tar.gz", "acme", Some(&["1.0"])),
            ("acme-1.0.linux-x86_64.tar.gz", "acme", Some(&["1.0"])),
            ("acme-1.0.win-amd64-py3.8.exe", "acme", Some(&["1.0"])),
            ("acme-1.0.macosx-10.9-x86_64.dmg", "acme", Some(&["1.0"])),
            ("acme-1.0-2.noarch.rpm", "acme", Some(&["1.0", "1.0.post2"])),
            ("acme_1.0-1_all.deb", "acme", Some(&["1.0", "1.0.post1"])),
            // Nobody can tell.
            ("acme-1.0.tar.gz", "other", None),
            ("acme-core-1.0-py3-none-any.whl", "acme", None),
            ("acme-1.0.conda", "acme", None),
            ("acme-latest.tar.gz", "acme", None),
            ("acme-99999999999999999999.0.tar.gz", "acme", None),
            ("acme-1.0_1-py3-none-any.whl", "acme", None),
        ] {
            let expected = expected.map(|all| all.iter().map(|version| (*version).to_owned()).collect());
            assert_eq!(versions(file, owner), expected, "{file} of {owner}");
        }
    }

    proptest! {
        #[test]
        fn whoever_could_own_a_file_by_its_version_has_that_version(
            name in "[ab]{1,3}([-_.][ab1]{1,3}){0,2}",
            version in "[1-9]([.][0-9]){0,2}(rc1|[.]post1|-1)?",
            end in "[.]tar[.]gz|[.]zip|[.]linux-x86_64[.]tar[.]gz",
        ) {
            let found = versions(&format!("{name}-{version}{end}"), &name).unwrap();
            prop_assert!(found.contains(&Version::from_str(&version).unwrap().to_string()), "{:?}", found);
        }
    }
}
