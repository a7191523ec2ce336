//! Decides which names a link to a file bears, and hides it for any of them.
//!
//! Clients disagree on where a file's name stands (pip reads the URL's last segment or an `#egg=` in it, uv and poetry
//! read `filename`), so all of them are judged. What isn't understood counts as hidden.

use std::borrow::Cow;

use percent_encoding::{percent_decode, percent_decode_str};

use super::Judge;
use super::borne::{Borne, Release};
use crate::name::{FileName, NameBuffer, NameRef, ProjectName, Subject};

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

/// Room for what a link bears, reused from link to link.
#[derive(Debug, Default)]
pub(super) struct Room {
    file: Option<FileName>,
    project: NameBuffer,
}

/// What a link bears if nothing in it needs a closer look, as nearly none of PyPI's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plain<'a> {
    filename: &'a str,
    /// The project and the version that its provenance names.
    release: Option<(&'a str, &'a str)>,
}

impl<'a> Link<'a> {
    /// Whether it must go. Asks for each distinct name once, and stops at the first that is hidden.
    pub(super) fn is_hidden(&self, judge: &mut dyn Judge, room: &mut Room) -> bool {
        match self.plain() {
            Some(plain) => plain.is_hidden(judge, room),
            None => self.names().is_none_or(|names| names.any_hidden(judge)),
        }
    }

    /// What [`Link::names`] would find, without making it, for links that are as usual; `None` for all others.
    fn plain(&self) -> Option<Plain<'a>> {
        let filename = plain_segments(self.url)?.next()?;
        if filename.is_empty() || self.filename.is_some_and(|written| written != filename) {
            return None;
        }
        let Some(provenance) = self.provenance else { return Some(Plain { filename, release: None }) };
        let mut segments = plain_segments(provenance)?;
        let ends = segments.next()? == "provenance" && segments.next()? == filename;
        let (version, project) = (segments.next()?, segments.next()?);
        let known = ends && segments.next()? == "integrity" && !version.is_empty();
        known.then_some(Plain { filename, release: Some((project, version)) })
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

impl Plain<'_> {
    fn is_hidden(self, judge: &mut dyn Judge, room: &mut Room) -> bool {
        let Room { file, project: buffer } = room;
        let Some(file) = file_in(file, self.filename) else { return true };
        let Some((project, version)) = self.release else { return judge.hides(Subject::File(file)) };
        let Ok(project) = NameRef::fold(project.as_bytes(), buffer) else { return true };
        judge.hides(Subject::File(file))
            || judge.hides(Subject::Project(project))
            || judge.hides(Subject::Release(project, version))
    }
}

fn file_in<'r>(room: &'r mut Option<FileName>, raw: &str) -> Option<&'r FileName> {
    match room {
        Some(file) => file.replace(raw).ok()?,
        None => *room = Some(FileName::parse(raw).ok()?),
    }
    room.as_ref()
}

/// The segments of a URL's path, the last one first, as they are decoded; `None` if there is anything in the URL that
/// needs a closer look: what clients read in different ways, escapes, an `@`, or an `=` that isn't that of a hash.
#[inline]
fn plain_segments(url: &str) -> Option<impl Iterator<Item = &str>> {
    // Without a way out, so that many bytes are looked at at once.
    let odd = |byte: u8| byte <= b' ' || byte == 0x7f || byte == b'%' || byte == b'@' || byte == b'\\';
    let is_odd = url.bytes().fold(false, |found, byte| found | odd(byte));
    if is_odd || (!url.starts_with("https://") && has_lone_scheme(url)) {
        return None;
    }
    let (path, after) = split_path(url);
    let is_hash = |after: &str| after.strip_prefix("#sha256=").is_some_and(|hash| !hash.contains('='));
    (after.is_empty() || is_hash(after)).then(|| path.rsplit('/'))
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

/// The decoded last segment of a URL's path, as text; nothing if there is none.
pub(super) fn file_name(url: &str) -> Cow<'_, str> {
    match plain_segments(url).and_then(|mut segments| segments.next()) {
        Some(segment) if !segment.is_empty() => Cow::Borrowed(segment),
        _ => Cow::Owned(String::from_utf8_lossy(&last_segment(url).unwrap_or_default()).into_owned()),
    }
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
    use proptest::prelude::*;

    use super::*;
    use crate::pypi::testing::Hiding;

    fn hidden(filename: Option<&str>, url: &str, provenance: Option<&str>) -> bool {
        Link { filename, url, provenance }.is_hidden(&mut Hiding::names(&["acme"]), &mut Room::default())
    }

    /// Writes down what it is asked; hides the `stop`-th.
    struct Asked {
        subjects: Vec<String>,
        stop: usize,
    }

    impl Judge for Asked {
        fn hides(&mut self, subject: Subject<'_>) -> bool {
            self.subjects.push(format!("{subject:?}"));
            self.subjects.len() == self.stop
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_plain_link_bears_the_names_that_are_found_by_a_closer_look(
            name in FILE,
            other in FILE,
            same in (any::<bool>(), any::<bool>()),
            before in BEFORE,
            after in "(|#sha256=[0-9a-f]{2}|#sha256=0&egg=acme|#egg=a|[?]x=1|/|#x|@x/b-1.zip)",
            provenance in ("(|\\.provenance|/provenance|/provenance\\?x)", "(a|A_b|%61|-|)", "(1[.]0|%31|)"),
            provided in any::<bool>(),
            stop in 0..4_usize,
        ) {
            let last = if same.0 { &name } else { &other };
            let url = format!("{before}{last}{after}");
            let of = if same.1 { &name } else { &other };
            let (end, project, version) = provenance;
            let provenance = format!("https://i/integrity/{project}/{version}/{of}{end}");
            let filename = Some(name.as_str()).filter(|name| !name.is_empty());
            let link = Link { filename, url: &url, provenance: provided.then_some(&provenance) };
            let judge = || Asked { subjects: Vec::new(), stop };
            let (mut usual, mut closer) = (judge(), judge());
            let by_names = link.names().is_none_or(|names| names.any_hidden(&mut closer));
            prop_assert_eq!(link.is_hidden(&mut usual, &mut Room::default()), by_names);
            prop_assert_eq!(usual.subjects, closer.subjects);
        }
    }

    const FILE: &str =
        "(a-1[.]zip|A_b-1[.]0-py3-none-any[.]whl|a%2db-1[.]zip|a-\\\\1[.]zip|a b|[.]{0,2}|provenance|[a-b.-]{0,4})";
    const BEFORE: &str = "(https://h/x/|https://h@x/|https:|http://h/|//h/|[.][.]/|/|a:|)";

    #[test]
    fn the_usual_links_are_plain() {
        let release = Some(("a", "1.0"));
        let provenance = Some("https://i/integrity/a/1.0/a-1.0.zip/provenance");
        for (url, provenance, release) in [
            ("https://f/packages/aa/bb/cc/a-1.0.zip", None, None),
            ("https://f/packages/aa/bb/cc/a-1.0.zip#sha256=00ff", provenance, release),
            ("../../a-1.0.zip", provenance, release),
        ] {
            let link = Link { filename: Some("a-1.0.zip"), url, provenance };
            assert_eq!(link.plain(), Some(Plain { filename: "a-1.0.zip", release }));
        }
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
        assert!(!link.is_hidden(&mut judge, &mut Room::default()));
        assert_eq!(judge.asked, 1);
    }
}
