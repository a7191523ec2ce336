//! Decides which names a link to a file bears, and hides it for any of them.
//!
//! Clients disagree on where a file's name stands (pip reads the URL's last segment or an `#egg=` in it, uv and poetry
//! read `filename`), so all of them are judged. What isn't understood counts as hidden.

use std::borrow::Cow;

use percent_encoding::{percent_decode, percent_decode_str};

use super::Judge;
use super::borne::{Borne, Release};
use crate::name::{FileName, ProjectName};

/// One file as a page lists it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    /// The `filename` key of JSON; in HTML there is only the URL.
    pub(super) filename: Option<&'a str>,
    /// Absolute, or relative to the page.
    pub(super) url: &'a str,
    /// Where its attestations are.
    pub(super) provenance: Option<&'a str>,
}

impl Link<'_> {
    /// Whether it must go. Asks for each distinct name once, and stops at the first that is hidden.
    pub(super) fn is_hidden(&self, judge: &mut dyn Judge) -> bool {
        self.names().is_none_or(|names| names.any_hidden(judge))
    }

    /// All names that it bears; `None` if one of them is no name.
    fn names(&self) -> Option<Borne> {
        let mut names = Borne::default();
        if let Some(filename) = self.filename {
            names.add_files([file(filename.as_bytes())?]);
        }
        let segment = last_segment(self.url)?;
        if self.filename.is_none_or(|filename| *filename.as_bytes() != *segment) {
            names.add_files([file(&segment)?]);
        }
        names.add_files(before_at(self.url));
        for egg in eggs(self.url) {
            add_egg(&egg, &mut names)?;
        }
        if let Some(provenance) = self.provenance {
            add_provenance(provenance, &mut names)?;
        }
        Some(names)
    }
}

/// A second look at what [`FileName`] promises: nothing that some client would split once more.
fn file(raw: &[u8]) -> Option<FileName> {
    if raw.iter().any(|byte| matches!(byte, b'/' | b'\\') || byte.is_ascii_control()) {
        return None;
    }
    FileName::parse(raw).ok()
}

/// The decoded last segment of a URL's path: what pip takes for the file name.
///
/// `None` if clients would not agree on the path, also because `https:acme-1.0.zip` is relative to a page of the same
/// scheme, as if that didn't stand there.
pub(super) fn last_segment(url: &str) -> Option<Cow<'_, [u8]>> {
    if has_lone_scheme(url) || is_ambiguous(url) {
        return None;
    }
    let path = split_path(url).0.trim_end_matches('/');
    let segment = path.rsplit('/').next().unwrap_or_default();
    Some(percent_decode_str(segment).into())
}

/// Whether clients would not agree on where it leads: the WHATWG parser (uv) takes `\` for `/`, and both it and Python's
/// `urlsplit` drop tabs and line ends wherever they stand.
pub(super) fn is_ambiguous(url: &str) -> bool {
    url.bytes().any(|byte| byte == b'\\' || byte <= b' ' || byte == 0x7f)
}

/// Whether the URL begins with a scheme, or what could be one, that no host follows.
fn has_lone_scheme(url: &str) -> bool {
    let at = url.find([':', '/', '?', '#']);
    at.and_then(|at| url.get(at..)).is_some_and(|rest| rest.starts_with(':') && !rest.starts_with("://"))
}

/// The URL up to its query or fragment, and these.
fn split_path(url: &str) -> (&str, &str) {
    let end = memchr::memchr2(b'?', b'#', url.as_bytes());
    end.and_then(|end| url.split_at_checked(end)).unwrap_or((url, ""))
}

/// unearth (pdm) cuts a URL's path at its last `@`, as if a revision followed, and takes what is the last segment then:
/// `https://h/acme-1.0.zip@x/other-1.0.zip` is `acme-1.0.zip` for it.
fn before_at(url: &str) -> Option<FileName> {
    let whole = split_path(url).0;
    let path = match whole.split_once("//") {
        Some((_scheme, rest)) => rest.split_once('/')?.1,
        None => whole,
    };
    let decoded: Cow<'_, [u8]> = percent_decode_str(path.rsplit_once('@')?.0).into();
    file(decoded.rsplit(|&byte| byte == b'/').next()?)
}

/// The values of all `egg=`: pip finds the first behind a `#` or `&` anywhere in the URL.
fn eggs(url: &str) -> Vec<String> {
    let parts = split_path(url).1.split(['?', '#', '&', ';']);
    let decode = |raw: &str| percent_decode(raw.as_bytes()).decode_utf8_lossy().into_owned();
    parts
        .filter_map(|part| part.split_once('='))
        .filter(|(key, _)| decode(key).eq_ignore_ascii_case("egg"))
        .map(|(_, value)| decode(value))
        .collect()
}

/// `name`, `name-version` or either with `[extras]`: pip reads it in place of the file name, and splits it as an
/// sdist's.
fn add_egg(egg: &str, names: &mut Borne) -> Option<()> {
    let plain = egg.split('[').next().unwrap_or_default();
    names.add_files([file(plain.as_bytes())?, file(format!("{plain}.tar.gz").as_bytes())?]);
    names.add_projects(ProjectName::parse(plain));
    Some(())
}

/// PyPI's provenance is at `…/integrity/{project}/{version}/{file name}/provenance`, other indexes' beside the file.
fn add_provenance(url: &str, names: &mut Borne) -> Option<()> {
    let last = last_segment(url)?;
    let segments: Vec<&str> = split_path(url).0.trim_end_matches('/').rsplit('/').take(5).collect();
    match segments.as_slice() {
        [_, of_file, of_version, of_project, integrity] if *last == *b"provenance" && is_integrity(integrity) => {
            let decode = |segment| Cow::<[u8]>::from(percent_decode_str(segment));
            let project = ProjectName::parse(decode(of_project)).ok()?;
            let version = String::from_utf8_lossy(&decode(of_version)).into_owned();
            names.add_projects([project.clone()]);
            names.add_releases([Release { project, version }]);
            names.add_files([file(&decode(of_file))?]);
        }
        _ => names.add_files([file(&last)?]),
    }
    Some(())
}

fn is_integrity(segment: &str) -> bool {
    percent_decode_str(segment).eq(b"integrity".iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pypi::testing::Hiding;

    fn hidden(filename: Option<&str>, url: &str, provenance: Option<&str>) -> bool {
        Link { filename, url, provenance }.is_hidden(&mut Hiding::names(&["acme"]))
    }

    #[test]
    fn the_url_bears_a_name() {
        for url in [
            "https://files.example/packages/aa/bb/cc/acme-1.0-py3-none-any.whl",
            "https://files.example/packages/aa/bb/cc/%61cme-1.0-py3-none-any.whl#sha256=00",
            "https://files.example/ACME-1.0.tar.gz?x=/other-1.0.tar.gz",
            "acme-1.0.tar.gz",
            "../../acme-1.0.tar.gz/",
            "acme-1.0.tar.gz//#sha256=00/other-1.0.tar.gz",
            "//files.example/acme-1.0.tar.gz",
            "https://files.example/acme-1.0.tar.gz@x/other-1.0.tar.gz",
            "../x%2Facme-1.0.tar.gz@other-1.0.tar.gz",
        ] {
            assert!(hidden(Some("other-1.0.tar.gz"), url, None), "{url}");
            assert!(hidden(None, url, None), "{url}");
        }
        for url in [
            "https://acme.example/other-1.0.tar.gz",
            "https://h/acme/other-1.0.tar.gz",
            "x-1.0.tar.gz#sha256=acme",
            "https://acme:acme@h/other-1.0.tar.gz",
            "https://h/@acme/other-1.0.tar.gz",
        ] {
            assert!(!hidden(None, url, None), "{url}");
        }
    }

    #[test]
    fn what_is_not_understood_is_hidden() {
        for url in [
            "",
            "/",
            "..",
            "https://h/x/..",
            "https://h/acme-1.0.tar.gz/x/%2e%2e",
            "https://h/x%2Facme-1.0.tar.gz",
            "https://h/acme-1.0.tar.gz%2F",
            "https://h/x\\acme-1.0.tar.gz",
            "https://h/x%5Cacme-1.0.tar.gz",
            "https://h/ac\tme-1.0.tar.gz",
            "https://h/acme-1.0.tar.gz\n",
            "https://h/acme-1.0.tar.gz%0A",
            " acme-1.0.tar.gz",
            "https:acme-1.0.tar.gz",
            "HTTP:acme-1.0.tar.gz#sha256=00",
            "https:/acme-1.0.tar.gz",
            "1x:acme-1.0.tar.gz",
        ] {
            assert!(hidden(Some("other-1.0.tar.gz"), url, None), "{url:?}");
        }
        for filename in ["", ".", "a/b-1.0.tar.gz", "other-1.0.tar.gz\n"] {
            assert!(hidden(Some(filename), "other-1.0.tar.gz", None), "{filename:?}");
        }
    }

    #[test]
    fn eggs_bear_names() {
        for url in [
            "other-1.0.tar.gz#egg=acme-9.9",
            "other-1.0.tar.gz#sha256=00&egg=acme-9.9",
            "other-1.0.tar.gz#egg=other-1.0&egg=acme",
            "other-1.0.tar.gz?egg=acme-9.9",
            "other-1.0.tar.gz#e%67g=%61cme-9.9",
            "other-1.0.tar.gz#egg=Acme[extra]",
            "other-1.0.tar.gz#egg=acme-9.9.zip",
            "other-1.0.tar.gz#egg=",
        ] {
            assert!(hidden(Some("other-1.0.tar.gz"), url, None), "{url}");
        }
        assert!(!hidden(None, "other-1.0.tar.gz#egg=other-1.0&subdirectory=acme", None));
    }

    #[test]
    fn provenance_bears_names() {
        let visible = Some("other-1.0.tar.gz");
        for provenance in [
            "https://i/integrity/acme/1.0/other-1.0.tar.gz/provenance",
            "https://i/integrity/other/1.0/acme-1.0.tar.gz/provenance",
            "https://i/integrity/%61cme/1.0/other-1.0.tar.gz/provenance?x",
            "https://f/acme-1.0.tar.gz.provenance",
            "",
        ] {
            assert!(hidden(visible, "other-1.0.tar.gz", Some(provenance)), "{provenance}");
        }
        for provenance in ["https://i/integrity/other/1.0/other-1.0.tar.gz/provenance", "other-1.0.tar.gz.provenance"] {
            assert!(!hidden(visible, "other-1.0.tar.gz", Some(provenance)), "{provenance}");
        }
    }

    #[test]
    fn each_name_is_asked_for_once() {
        let mut judge = Hiding::names(&["acme"]);
        let link = Link { filename: Some("other-1.0.tar.gz"), url: "https://h/other-1.0.tar.gz", provenance: None };
        assert!(!link.is_hidden(&mut judge));
        assert_eq!(judge.asked, 1);
    }
}
