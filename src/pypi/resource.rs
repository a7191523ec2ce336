//! What a URL asks for, and which names it bears: every route of PyPI, and a rule for the routes of tomorrow.
//!
//! The path is percent-decoded exactly once and as a whole, as the origin server does (so `%2F` separates and
//! `%61cme` is `acme`), and what goes upstream is the canonical form of what was understood, never the client's bytes.

use std::borrow::Cow;

use http::Method;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::site::SiteKind;
use crate::name::{FileName, ProjectName, Subject};

/// A request target, understood.
#[derive(Clone, Debug)]
pub struct Resource {
    /// What is to be done with the answer.
    pub kind: Kind,
    /// The projects that the URL names. If one of them is protected, so is the resource.
    pub projects: Vec<ProjectName>,
    /// The distribution files that the URL names, likewise.
    pub files: Vec<FileName>,
    /// Path and query to send upstream, canonical.
    pub target: String,
}

/// What a URL asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The list of all projects.
    Root,
    /// A project's simple page.
    Page(ProjectName),
    /// A project's legacy JSON.
    LegacyJson(ProjectName),
    /// A distribution file.
    File,
    /// A file's `.metadata`, `.asc` or `.provenance` sibling.
    Metadata,
    /// A provenance object (PEP 740).
    Provenance,
    /// A feed.
    Feed,
    /// The XML-RPC endpoint.
    XmlRpc,
    /// An upload.
    Upload,
    /// A page for people, or a route that this program doesn't know.
    Web,
    /// A path where a name is due, and something stands that can't be a project's name: nothing is there.
    Nothing,
}

/// Why a request target is not even looked up; answered 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTarget {
    /// A control character, encoded or not. PyPI's router matches before a final newline, so none may pass.
    #[error("the path holds a control character")]
    Control,
    /// Percent-decoding gives no UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// Longer than any path of PyPI's.
    #[error("the path is longer than {MAX_TARGET} bytes")]
    TooLong,
}

/// The longest request target that is looked at, in bytes.
pub const MAX_TARGET: usize = 8 * 1024;

/// What stands unencoded in a canonical path segment: RFC 3986 `pchar` (section 3.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Query keys whose values can name a project: `/pypi?:action=display&name=…`, `/search/?q=…`, `:action=search&term=…`.
const NAMING_KEYS: [&str; 4] = ["name", "q", "term", "project"];

impl Resource {
    /// Reads a request target in origin-form (path and query).
    ///
    /// # Errors
    /// [`BadTarget`] if no client of an index would ask so.
    pub fn of(site: SiteKind, method: &Method, path_and_query: &str) -> Result<Self, BadTarget> {
        if path_and_query.len() > MAX_TARGET {
            return Err(BadTarget::TooLong);
        }
        // A fragment has no business on the wire; PyPI's edge cuts it.
        let target = path_and_query.split_once('#').map_or(path_and_query, |(target, _)| target);
        let (raw_path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let path = Path::decode(raw_path)?;
        let segments: Vec<&str> = path.segments.iter().map(AsRef::as_ref).collect();
        let mut found = match site {
            SiteKind::Upload if *method == Method::POST && segments == ["legacy"] => Found::new(Kind::Upload),
            SiteKind::Index | SiteKind::Upload => route(&segments, method),
            SiteKind::Files => route(&segments, method).or_file(&segments),
            SiteKind::Mirror => route(below_prefix(&segments), method),
        };
        // Whatever was lost in normalising the path may be what another server on the way sees.
        if path.normalised {
            found.mention_all(&path.raw_segments);
        }
        let keep_query = matches!(found.kind, Kind::Web | Kind::Feed | Kind::XmlRpc | Kind::Upload);
        if let Some(query) = query.filter(|_| keep_query) {
            found.mention_query(query);
        }
        let mut target = path.canonical();
        if let Some(query) = query.filter(|_| keep_query) {
            target.push('?');
            target.push_str(query);
        }
        Ok(Self { kind: found.kind, projects: found.projects, files: found.files, target })
    }

    /// All that the URL names, to be judged.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        let projects = self.projects.iter().map(|name| Subject::Project(name.as_name()));
        projects.chain(self.files.iter().map(Subject::File))
    }
}

/// The routes of PyPI (warehouse's `routes.py`), and of the hosts that answer like it.
fn route(segments: &[&str], method: &Method) -> Found {
    // PyPI's router asks for POST; whatever isn't a question is treated as one, so that no spelling of it slips by.
    let asks = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match *segments {
        ["simple"] => Found::new(Kind::Root),
        ["simple", name] => Found::named(name, Kind::Page),
        ["pypi", name, "json"] => Found::named(name, Kind::LegacyJson),
        ["pypi", name, _version, "json"] => Found::named(name, Kind::LegacyJson),
        ["pypi"] | ["RPC2"] if !asks => Found::new(Kind::XmlRpc),
        ["integrity", name, _release, file, "provenance"] => {
            Found::named(name, |_| Kind::Provenance).with_file(file, None)
        }
        ["rss", "project", name, "releases.xml"] => Found::named(name, |_| Kind::Feed),
        ["rss", "updates.xml" | "packages.xml"] => Found::new(Kind::Feed),
        ["project" | "p" | "pypi", name, ref rest @ ..] => {
            let mut found = Found::named(name, |_| Kind::Web);
            found.mention_all(rest);
            found
        }
        ["packages", first, second, digest, file] if is_hashed(first, second, digest) => {
            Found::new(Kind::File).with_file(file, Some(Kind::Metadata))
        }
        ["packages", _python, _letter, project, file] => {
            Found::named(project, |_| Kind::File).with_file(file, Some(Kind::Metadata))
        }
        _ => Found::unknown(segments),
    }
}

/// The part of a mirror's path that PyPI's would be: from its last `simple`, or from its first `packages`, on.
fn below_prefix<'a, 'b>(segments: &'a [&'b str]) -> &'a [&'b str] {
    let simple = segments.iter().rposition(|s| *s == "simple").filter(|at| segments.len() - at <= 2);
    let packages = || segments.iter().position(|s| *s == "packages");
    let legacy = || segments.iter().position(|s| *s == "pypi").filter(|_| segments.last() == Some(&"json"));
    let start = simple.or_else(packages).or_else(legacy).unwrap_or(0);
    segments.get(start..).unwrap_or(segments)
}

/// `/packages/{2 hex}/{2 hex}/{60 hex}/…`: blake2b-256 of the file.
fn is_hashed(first: &str, second: &str, rest: &str) -> bool {
    [(first, 2), (second, 2), (rest, 60)]
        .iter()
        .all(|(part, length)| part.len() == *length && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// What was found in a path so far.
struct Found {
    kind: Kind,
    projects: Vec<ProjectName>,
    files: Vec<FileName>,
}

impl Found {
    const fn new(kind: Kind) -> Self {
        Self { kind, projects: Vec::new(), files: Vec::new() }
    }

    /// A route with a project's name in it.
    fn named(name: &str, kind: impl FnOnce(ProjectName) -> Kind) -> Self {
        match ProjectName::parse(name) {
            Ok(project) => Self { kind: kind(project.clone()), projects: vec![project], files: Vec::new() },
            Err(_not_a_name) => Self::new(Kind::Nothing),
        }
    }

    /// A route that nobody told us of: every segment might be a name, and the last one a file's.
    fn unknown(segments: &[&str]) -> Self {
        let mut found = Self::new(Kind::Web);
        found.mention_all(segments);
        found
    }

    /// Adds the file that the route names; `sibling` is its kind when it is a sibling of a distribution.
    fn with_file(mut self, file: &str, sibling: Option<Kind>) -> Self {
        match FileName::parse(file) {
            Ok(file) => {
                if let Some(sibling) = sibling.filter(|_| file.distribution() != file.as_str()) {
                    self.kind = sibling;
                }
                self.files.push(file);
            }
            Err(_not_a_file) => self.kind = Kind::Nothing,
        }
        self
    }

    /// On a host of files, a path that ends like a distribution is one, however deep it lies.
    fn or_file(self, segments: &[&str]) -> Self {
        let last = segments.last().and_then(|last| FileName::parse(last).ok()).filter(FileName::is_distribution);
        match last {
            Some(file) if self.kind == Kind::Web => {
                let mut found = Self::new(Kind::File).with_file(file.as_str(), Some(Kind::Metadata));
                found.mention_all(segments.split_last().map_or(&[], |(_, folders)| folders));
                found
            }
            _ => self,
        }
    }

    fn mention_all(&mut self, segments: &[impl AsRef<str>]) {
        for segment in segments.iter().map(AsRef::as_ref) {
            self.mention(segment);
        }
    }

    /// Whatever `text` could name.
    fn mention(&mut self, text: &str) {
        // Some routers cut `;parameters` off a segment.
        for part in text.split(';') {
            self.projects.extend(ProjectName::parse(part.trim()));
            if part.contains('.') {
                self.files.extend(FileName::parse(part));
            }
        }
    }

    fn mention_query(&mut self, query: &str) {
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if NAMING_KEYS.contains(&key.as_ref()) {
                self.mention(value.trim());
                // A search is made of words, in whatever punctuation, and each may be the name.
                let separates = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
                value.split(separates).for_each(|word| self.mention(word.trim_matches(['-', '_', '.'])));
            }
        }
    }
}

/// A path, decoded once.
struct Path<'a> {
    /// Without empty and dot segments.
    segments: Vec<Cow<'a, str>>,
    /// As decoded, when normalising has changed something.
    raw_segments: Vec<String>,
    normalised: bool,
    trailing_slash: bool,
}

impl<'a> Path<'a> {
    fn decode(raw: &'a str) -> Result<Self, BadTarget> {
        let decoded: Cow<'a, str> = percent_decode_str(raw).decode_utf8().map_err(|_utf8| BadTarget::NotUtf8)?;
        if decoded.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(BadTarget::Control);
        }
        let mut path = Path {
            segments: Vec::new(),
            raw_segments: Vec::new(),
            normalised: false,
            trailing_slash: decoded.ends_with(['/', '\\']),
        };
        let body = decoded.trim_start_matches('/');
        for segment in body.split(['/', '\\']) {
            match segment {
                "" => {}
                "." => path.normalised = true,
                ".." => {
                    path.normalised = true;
                    path.segments.pop();
                }
                other => path.segments.push(Cow::Owned(other.to_owned())),
            }
        }
        path.normalised |= body.contains('\\') || decoded.contains("//");
        if path.normalised {
            path.raw_segments = body.split(['/', '\\']).map(str::to_owned).collect();
        }
        Ok(path)
    }

    fn canonical(&self) -> String {
        let mut text = String::with_capacity(128);
        for segment in &self.segments {
            text.push('/');
            text.extend(utf8_percent_encode(segment, SEGMENT));
        }
        if self.trailing_slash || text.is_empty() {
            text.push('/');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(target: &str) -> Resource {
        Resource::of(SiteKind::Index, &Method::GET, target).unwrap()
    }

    fn names(resource: &Resource) -> Vec<&str> {
        resource.projects.iter().map(ProjectName::as_str).collect()
    }

    fn project(name: &str) -> ProjectName {
        ProjectName::parse(name).unwrap()
    }

    #[test]
    fn every_disguise_of_a_page_is_that_page() {
        for target in [
            "/simple/acme/",
            "/simple/ACME/",
            "/simple/acme",
            "/simple/%61cme/",
            "/%73imple/acme/",
            "/simple%2Facme%2F",
            "/simple/acme/?format=application/vnd.pypi.simple.v1+json",
            "/simple//acme/",
            "/./simple/x/../acme/",
            "/simple\\acme\\",
            "//simple/acme/#fragment",
        ] {
            let resource = index(target);
            assert_eq!(resource.kind, Kind::Page(project("acme")), "{target}");
            assert!(names(&resource).contains(&"acme"), "{target}");
        }
        assert_eq!(index("/simple/Acme._-Core/").kind, Kind::Page(project("acme-core")));
    }

    #[test]
    fn what_goes_upstream_is_canonical() {
        assert_eq!(index("/%73imple/%61cme/?x=1").target, "/simple/acme/");
        assert_eq!(index("/simple%2Facme").target, "/simple/acme");
        assert_eq!(index("/").target, "/");
        assert_eq!(index("/search/?q=http&o=").target, "/search/?q=http&o=");
        assert_eq!(index("/packages/aa/bb/cc/x-1.0%2Blocal%20.whl").target, "/packages/aa/bb/cc/x-1.0+local%20.whl");
    }

    #[test]
    fn control_characters_and_wrong_bytes_are_refused() {
        let of = |target| Resource::of(SiteKind::Index, &Method::GET, target).map(|_| ());
        assert_eq!(of("/simple/acme/%0A"), Err(BadTarget::Control));
        assert_eq!(of("/pypi/acme/json%0a"), Err(BadTarget::Control));
        assert_eq!(of("/simple/acme%00/"), Err(BadTarget::Control));
        assert_eq!(of("/simple/%ff/"), Err(BadTarget::NotUtf8));
        assert_eq!(of(&"/a".repeat(MAX_TARGET)), Err(BadTarget::TooLong));
    }

    #[test]
    fn names_that_are_none_are_nothing() {
        for target in ["/simple/%E2%84%AAeras/", "/simple/-acme/", "/simple/ac%20me/", "/simple/%2561cme/"] {
            assert_eq!(index(target).kind, Kind::Nothing, "{target}");
        }
    }

    #[test]
    fn routes_that_name_a_project() {
        let page = Kind::LegacyJson(project("acme"));
        for (target, kind) in [
            ("/pypi/acme/json", page.clone()),
            ("/pypi/acme/json/", page.clone()),
            ("/pypi/acme/1.0/json", page),
            ("/pypi/acme/", Kind::Web),
            ("/p/acme/1.0/", Kind::Web),
            ("/project/acme/", Kind::Web),
            ("/integrity/acme/1.0/acme-1.0.tar.gz/provenance", Kind::Provenance),
            ("/rss/project/acme/releases.xml", Kind::Feed),
            ("/pypi?:action=display&name=acme", Kind::Web),
            ("/search/?q=acme", Kind::Web),
            ("/search/?q=tools+acme", Kind::Web),
            ("/search/?q=%22acme%22", Kind::Web),
            ("/search/?q=acme*,foo", Kind::Web),
            ("/a/route/of/tomorrow/acme/x", Kind::Web),
        ] {
            let resource = index(target);
            assert_eq!(resource.kind, kind, "{target}");
            assert!(names(&resource).contains(&"acme"), "{target}");
        }
    }

    #[test]
    fn files_and_their_siblings() {
        let digest = "0".repeat(60);
        let file = |name: &str| {
            Resource::of(SiteKind::Files, &Method::GET, &format!("/packages/aa/bb/{digest}/{name}")).unwrap()
        };
        assert_eq!(file("acme-1.0.tar.gz").kind, Kind::File);
        assert_eq!(file("%61cme-1.0-py3-none-any.whl").files[0].as_str(), "acme-1.0-py3-none-any.whl");
        assert_eq!(file("acme-1.0-py3-none-any.whl.metadata").kind, Kind::Metadata);
        let legacy = "/packages/source/A/Acme/acme-1.0.tar.gz";
        let legacy = Resource::of(SiteKind::Files, &Method::GET, legacy).unwrap();
        assert_eq!((names(&legacy), &legacy.kind), (vec!["acme"], &Kind::File));
        let odd = Resource::of(SiteKind::Files, &Method::GET, "/packages/aa/bb/acme-1.0-py3-none-any.whl").unwrap();
        assert_eq!((odd.kind, odd.files.len()), (Kind::File, 1));
        // Conveyor would join this to acme's JSON.
        let dots = Resource::of(SiteKind::Files, &Method::GET, "/packages/source/x/x%2F..%2Facme/acme-1.0.tar.gz");
        assert!(names(&dots.unwrap()).contains(&"acme"));
    }

    #[test]
    fn words_of_the_routes_are_no_names() {
        assert!(index("/simple/six/").projects.iter().all(|name| name.as_str() != "simple"));
        assert_eq!(names(&index("/pypi/six/json")), ["six"]);
    }

    #[test]
    fn uploads_and_calls_are_told_from_pages() {
        let upload = |method, target| Resource::of(SiteKind::Upload, &method, target).unwrap();
        assert_eq!(upload(Method::POST, "/legacy/").kind, Kind::Upload);
        assert_eq!(names(&upload(Method::POST, "/pypi/acme/json")), ["acme"]);
        let odd = Method::from_bytes(b"post").unwrap();
        for method in [Method::POST, Method::PUT, odd] {
            assert_eq!(upload(method.clone(), "/pypi").kind, Kind::XmlRpc, "{method}");
            assert_eq!(Resource::of(SiteKind::Index, &method, "/RPC2").unwrap().kind, Kind::XmlRpc, "{method}");
        }
    }

    #[test]
    fn mirrors_have_prefixes() {
        let mirror = |target| Resource::of(SiteKind::Mirror, &Method::GET, target).unwrap();
        assert_eq!(mirror("/pypi/web/simple/acme/").kind, Kind::Page(project("acme")));
        assert_eq!(mirror("/repository/pypi/simple/").kind, Kind::Root);
        let digest = "a".repeat(60);
        let file = mirror(&format!("/pypi/web/packages/aa/bb/{digest}/acme-1.0.zip"));
        assert_eq!((file.kind, file.files.len()), (Kind::File, 1));
    }
}
