//! The projects that a distribution file could belong to, by the form of its name.
//!
//! Wheels and eggs say it plainly. An sdist does not: `acme-1.0-1.tar.gz` is `acme` 1.0.post1 for pip and uv, and
//! `acme-1.0` 1 for PyPI itself. Whoever hides `acme` must know of both, so every split that some client would make
//! counts. The work is bounded by the length of a file name, however many dashes it has.

use std::str::FromStr;

use pep440_rs::Version;

use super::file::{FileName, strip_suffix};
use super::project::ProjectName;

/// What source distributions end in: pip's and uv's lists, and the older ones that PyPI still has.
const ARCHIVES: [&str; 15] = [
    ".tar.gz",
    ".zip",
    ".tar.bz2",
    ".tar.xz",
    ".tar.z",
    ".tar.lz",
    ".tar.lzma",
    ".tar.zst",
    ".tar",
    ".tgz",
    ".tbz",
    ".tbz2",
    ".txz",
    ".tlz",
    ".tzst",
];

/// What begins the platform in the names that distutils' `bdist_*` commands gave, behind a dot (`sysconfig.get_platform`).
const PLATFORMS: [&str; 18] = [
    ".win32",
    ".win-",
    ".linux",
    ".macosx",
    ".darwin",
    ".cygwin",
    ".mingw",
    ".msys",
    ".freebsd",
    ".openbsd",
    ".netbsd",
    ".dragonfly",
    ".solaris",
    ".sunos",
    ".aix",
    ".hp-ux",
    ".irix",
    ".osf1",
];

/// The projects that a file could belong to, judging by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Every project that some client would take the file for; most likely first; no duplicates.
    pub projects: Vec<ProjectName>,
    /// Whether the form of the name leaves no choice (wheels, eggs, sdists with one possible split).
    pub certain: bool,
}

impl FileName {
    /// The projects that it could belong to.
    #[must_use]
    pub fn candidates(&self) -> Candidates {
        let mut projects = Vec::new();
        let certain = self.each_beginning(|name| ProjectName::parse(name).map(|name| projects.push(name)).is_ok());
        Candidates { projects, certain }
    }

    /// Whether it ends as some kind of distribution does (its siblings' suffixes aside).
    #[must_use]
    pub fn is_distribution(&self) -> bool {
        Splits::default().of_distribution(self.distribution())
    }

    /// Shows each beginning that could be a project's name to `is_name`, most likely first, which answers whether it is
    /// one: no two of them are ways to write the same. Answers whether the form of the file's name leaves no choice.
    pub(crate) fn each_beginning(&self, mut is_name: impl FnMut(&str) -> bool) -> bool {
        let mut splits = Splits::default();
        let known = splits.of_distribution(self.distribution());
        let found = splits.all().filter(|prefix| is_name(prefix)).count();
        if known && found > 0 {
            return found == 1;
        }
        // Nobody installs such a file by its name, but a tool may fetch it by its URL, and a later format may look like
        // this: better one project too many (the file's owner is asked for then) than one too few.
        let mut guesses = Splits::default();
        guesses.guess(self.distribution());
        guesses.all().for_each(|prefix| {
            is_name(prefix);
        });
        false
    }
}

/// Beginnings of one file name that could be a project's name, all different.
///
/// That they differ is enough for the names to differ: what one has beyond another holds a letter or a digit, or it
/// ends in a separator and is no name.
#[derive(Default)]
struct Splits<'a> {
    /// Most files have this one alone, and need no list.
    first: Option<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> Splits<'a> {
    /// Splits `file` as its extension asks; `false` if the extension is none of a distribution.
    fn of_distribution(&mut self, file: &'a str) -> bool {
        let stripped = |extension: &str| strip_suffix(file, extension);
        if let Some(stem) = [".whl", ".egg", "-variants.json"].into_iter().find_map(stripped) {
            // The name's own dashes are underscores here. What follows may have any number of dashes: build tags, and
            // variant labels (PEP 817, PEP 825).
            self.extend(stem.split_once('-').map(|(name, _version)| name));
            self.extend(dashed_name(stem));
        } else if let Some(stem) = stripped(".exe").or_else(|| stripped(".msi")) {
            self.built(without_python(stem));
        } else if let Some(stem) = stripped(".rpm") {
            self.rpm(stem);
        } else if let Some(stem) = stripped(".deb") {
            self.deb(stem);
        } else if let Some(stem) = stripped(".dmg").or_else(|| without_archive(file)) {
            self.built(stem);
        } else {
            return false;
        }
        true
    }

    /// `{name}-{version}`, with `.{platform}` behind it when it is a `bdist_dumb`, an installer or a disk image.
    fn built(&mut self, stem: &'a str) {
        let Some(release) = without_platform(stem) else { return self.source(stem) };
        self.source(release);
        // `acme.linux-1.0` reads both ways.
        self.extend(version_splits(stem));
    }

    /// `{name}-{version}`: every dash with a version behind it, as pip and uv look for the name they want, and the last
    /// dash, where PyPI and packaging look.
    fn source(&mut self, stem: &'a str) {
        self.extend(version_splits(stem));
        self.extend(stem.rsplit_once('-').map(|(name, _version)| name));
    }

    /// `{name}-{version}-{release}.{architecture}`.
    fn rpm(&mut self, stem: &'a str) {
        let package = stem.rsplit_once('.').map_or(stem, |(package, _architecture)| package);
        match package.rsplit_once('-') {
            Some((release, _)) if release.contains('-') => self.source(release),
            _ => self.source(package),
        }
    }

    /// `{name}_{version}-{revision}_{architecture}`. Debian's own names have no underscore; Python's do.
    fn deb(&mut self, stem: &'a str) {
        for (at, _) in stem.match_indices('_') {
            let (name, rest) = split_around(stem, at);
            let version = rest.split('_').next().unwrap_or(rest);
            self.extend((self.first.is_none() || is_version(version)).then_some(name));
        }
    }

    /// Whatever stands before a dash, before the first dot or before the extension.
    fn guess(&mut self, file: &'a str) {
        self.extend(file.match_indices('-').map(|(at, _)| split_around(file, at).0));
        self.extend(file.split_once('.').map(|(stem, _)| stem));
        self.extend(Some(file.rsplit_once('.').map_or(file, |(stem, _)| stem)));
    }

    fn extend(&mut self, prefixes: impl IntoIterator<Item = &'a str>) {
        for prefix in prefixes {
            if self.first.is_none() {
                self.first = Some(prefix);
            } else if !self.all().any(|known| known == prefix) {
                self.others.push(prefix);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &'a str> {
        self.first.into_iter().chain(self.others.iter().copied())
    }
}

/// `file` without the end of a source distribution; `None` if it has none.
pub(crate) fn without_archive(file: &str) -> Option<&str> {
    ARCHIVES.iter().find_map(|extension| strip_suffix(file, extension))
}

/// What poetry takes for the name of a wheel that has its own dashes in it, which no standard allows: all before the
/// version of `{version}(-{build})?-{python}-{abi}-{platform}`, or else before the first digit behind a dash
/// (`poetry.utils.patterns`, `LinkSource.VERSION_REGEX`).
fn dashed_name(stem: &str) -> impl Iterator<Item = &str> {
    let is_number = |text: &str| text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let parts = memchr::memchr_iter(b'-', stem.as_bytes()).count();
    let (mut before_tags, mut before_digit) = (None, None);
    for (number, at) in memchr::memchr_iter(b'-', stem.as_bytes()).enumerate() {
        let (name, rest) = split_around(stem, at);
        if !is_number(rest) {
            continue;
        }
        before_digit = before_digit.or(Some(name));
        let build = || rest.split_once('-').is_some_and(|(_version, rest)| is_number(rest));
        // Of how many parts `rest` is.
        if match parts - number {
            4 => true,
            5 => build(),
            _ => false,
        } {
            before_tags = Some(name);
            break;
        }
    }
    before_tags.into_iter().chain(before_digit)
}

/// What stands before each dash that a version follows. pip takes a `-py3.8` off any version, also off an sdist's
/// (`LinkEvaluator._py_version_re`).
fn version_splits(stem: &str) -> impl Iterator<Item = &str> {
    stem.match_indices('-')
        .map(|(at, _)| split_around(stem, at))
        .filter(|(_, rest)| is_version(rest) || is_version(without_python(rest)))
        .map(|(name, _)| name)
}

/// What stands before and after the one ASCII byte at `at`.
pub(super) fn split_around(text: &str, at: usize) -> (&str, &str) {
    (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}

/// Whether `text` is a version by PEP 440, the implicit post release `1.0-1` included.
pub(super) fn is_version(text: &str) -> bool {
    // Cheap, and true of nearly every dash that is asked for.
    let digits = text.trim_start().trim_start_matches(['v', 'V']);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && (is_plain_release(digits) || Version::from_str(&shorten_numbers(digits)).is_ok())
}

/// Whether `text` is `1`, `1.2`, `1.2.3`…, as nearly all versions are.
fn is_plain_release(text: &str) -> bool {
    text.split('.').all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `text` with every run of digits cut after the eighteenth: PEP 440 sets no limit, and pip has none, but pep440_rs
/// refuses what is no `u64`, and so a name with twenty digits in its version would have got past.
fn shorten_numbers(text: &str) -> std::borrow::Cow<'_, str> {
    const LONGEST: usize = 18;
    if text.len() <= LONGEST {
        return text.into();
    }
    let mut run = 0;
    let kept = text.chars().filter(|letter| {
        run = if letter.is_ascii_digit() { run + 1 } else { 0 };
        run <= LONGEST
    });
    kept.collect::<String>().into()
}

/// `stem` without the `-py3.8` at its end.
pub(super) fn without_python(stem: &str) -> &str {
    let is_tag = |tag: &str| {
        let version = tag.get(..2).filter(|py| py.eq_ignore_ascii_case("py")).and_then(|_| tag.get(2..));
        version.is_some_and(|version| {
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    };
    stem.rsplit_once('-').filter(|(_, tag)| is_tag(tag)).map_or(stem, |(release, _)| release)
}

/// `stem` without the `.linux-x86_64` at its end, if there is such a thing.
pub(super) fn without_platform(stem: &str) -> Option<&str> {
    let platform_at = |at: usize| {
        let tail = stem.get(at..).unwrap_or_default();
        PLATFORMS.iter().any(|word| tail.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word)))
    };
    let (at, _) = stem.rmatch_indices('.').find(|&(at, _)| platform_at(at))?;
    stem.get(..at)
}

#[cfg(test)]
#[path = "candidates_tests.rs"]
mod tests;
