//! The table of PyPI's routes (warehouse's `routes.py`, the file host's and the upload host's), and of its copies'.

use http::Method;

use super::{Absent, Kind};
use crate::name::ProjectName;
use crate::pypi::site::SiteKind;

/// One route: what stands in its path, and what is done with it.
#[derive(Debug)]
pub(super) struct Route {
    /// What the segments of the path are. Whatever follows them is judged by its looks, if `open` says that it may.
    pub(super) steps: &'static [Step],
    open: bool,
    methods: Methods,
    /// Whether it is one only where PyPI's application answers: on other hosts its words may be somebody's.
    own: bool,
    /// What it asks for, given the first project that it names.
    pub(super) kind: fn(Option<&ProjectName>) -> Kind,
    /// How PyPI says there that there is nothing.
    pub(super) absent: Absent,
}

/// What one segment of a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This word.
    Is(&'static str),
    /// A word that ends so.
    Ends(&'static str),
    /// So many hexadecimal digits: a piece of a file's digest.
    Digest(usize),
    /// A project's name; anything that can't be one is nothing.
    Project,
    /// A file's name, likewise.
    File,
    /// The version of a release of the project before it.
    Version,
    /// What names nobody: a Python tag, the first letter of a name.
    Nobody,
    /// Anything; judged by its looks.
    Any,
}

/// By which methods it is asked for. Nearly every view answers whatever asks, so that a rule by method would be a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Methods {
    All,
    /// All but those that only read: PyPI's router asks for POST, and no spelling of it may slip by.
    Writing,
}

use Step::{Any, Digest, Ends, File, Is, Nobody, Project, Version};

/// Every route that is known, the first that fits counts. What is not here passes unless some part of it bears a
/// protected name.
pub(super) const ROUTES: &[Route] = &[
    // The simple API (PEP 503, PEP 691).
    route(&[Is("simple")], root, Absent::Plain),
    route(&[Is("simple"), Project], page, Absent::Plain),
    // The legacy JSON API. Poetry, twine and pipenv use it.
    route(&[Is("pypi"), Project, Is("json")], legacy_json, Absent::Json),
    route(&[Is("pypi"), Project, Version, Is("json")], legacy_json, Absent::Json),
    // XML-RPC, and the actions that were posted to the same place.
    route(&[Is("pypi")], xml_rpc, Absent::Plain).writing(),
    route(&[Is("RPC2")], xml_rpc, Absent::Plain).writing(),
    // The upload endpoint.
    route(&[Is("legacy")], upload, Absent::Refusal).writing(),
    // Attestations (PEP 740).
    route(&[Is("integrity"), Project, Version, File, Is("provenance")], provenance, Absent::Provenance),
    // Feeds.
    route(&[Is("rss"), Is("project"), Project, Is("releases.xml")], feed, Absent::Page),
    route(&[Is("rss"), Is("updates.xml")], feed, Absent::Page),
    route(&[Is("rss"), Is("packages.xml")], feed, Absent::Page),
    // For search engines.
    route(&[Is("sitemap.xml")], sitemap, Absent::Page),
    route(&[Ends(".sitemap.xml")], sitemap, Absent::Page),
    // Pages for people that list projects.
    route(&[], listing, Absent::Page).own(),
    route(&[Is("search")], listing, Absent::Page),
    route(&[Is("user"), Any], listing, Absent::Page),
    route(&[Is("u"), Any], listing, Absent::Page),
    route(&[Is("org"), Any], listing, Absent::Page),
    route(&[Is("stats")], stats, Absent::Page),
    // Pages for people about one project; inspector's are of this form too.
    route(&[Is("project"), Project], web, Absent::Page).open(),
    route(&[Is("p"), Project], web, Absent::Page).open(),
    route(&[Is("pypi"), Project], web, Absent::Page).open(),
    route(&[Is("manage"), Is("project"), Project], web, Absent::Page).open(),
    route(&[Is("_includes"), Is("edit-project-button"), Project], web, Absent::Page),
    route(&[Is("_includes"), Is("authed"), Nobody, Project], web, Absent::Page),
    route(&[Is("danger-api"), Is("projects"), Project], web, Absent::Page).open(),
    // Words of PyPI's own that somebody's project may be called as well: what follows them is judged, they are not.
    route(&[Is("pypi")], web, Absent::Page).own(),
    route(&[Is("legacy")], web, Absent::Page).own(),
    route(&[Is("RPC2")], web, Absent::Page).own(),
    route(&[Is("help")], web, Absent::Page).open().own(),
    route(&[Is("classifiers")], web, Absent::Page).open().own(),
    route(&[Is("security")], web, Absent::Page).open().own(),
    route(&[Is("sponsors")], web, Absent::Page).open().own(),
    route(&[Is("sitemap")], web, Absent::Page).open().own(),
    route(&[Is("policy")], web, Absent::Page).open().own(),
    route(&[Is("static")], web, Absent::Page).open().own(),
    route(&[Is("locale")], web, Absent::Page).open().own(),
    route(&[Is("account")], web, Absent::Page).open().own(),
    route(&[Is("accounts")], web, Absent::Page).open().own(),
    route(&[Is("manage")], web, Absent::Page).open().own(),
    route(&[Is("admin")], web, Absent::Page).open().own(),
    route(&[Is("billing")], web, Absent::Page).open().own(),
    route(&[Is("mock")], web, Absent::Page).open().own(),
    route(&[Is("danger-api")], web, Absent::Page).open().own(),
    route(&[Is("_includes")], web, Absent::Page).open().own(),
    route(&[Is("_")], web, Absent::Page).open().own(),
    route(&[Is("_health")], web, Absent::Page).own(),
    route(&[Is("_force-status"), Nobody], web, Absent::Page).own(),
    route(&[Is(".well-known")], web, Absent::Page).open().own(),
    route(&[Is("robots.txt")], web, Absent::Page).own(),
    route(&[Is("opensearch.xml")], web, Absent::Page).own(),
    route(&[Is("favicon.ico")], web, Absent::Page).own(),
    // Files, and what used to lead to them: by digest, and by Python version, first letter and project.
    route(&[Is("packages"), Digest(2), Digest(2), Digest(60), File], file, Absent::Refusal),
    route(&[Is("packages"), Nobody, Nobody, Project, File], file, Absent::Refusal),
];

const fn route(steps: &'static [Step], kind: fn(Option<&ProjectName>) -> Kind, absent: Absent) -> Route {
    Route { steps, open: false, methods: Methods::All, own: false, kind, absent }
}

impl Route {
    const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    const fn own(mut self) -> Self {
        self.own = true;
        self
    }

    const fn writing(mut self) -> Self {
        self.methods = Methods::Writing;
        self
    }

    pub(super) fn fits(&self, site: SiteKind, method: &Method, segments: &[&str]) -> bool {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let length_fits = segments.len() == self.steps.len() || (self.open && segments.len() > self.steps.len());
        length_fits
            && (self.methods == Methods::All || !reads)
            && (!self.own || matches!(site, SiteKind::Index | SiteKind::Upload))
            && self.steps.iter().zip(segments).all(|(step, segment)| step.fits(segment))
    }
}

impl Step {
    fn fits(self, segment: &str) -> bool {
        match self {
            Self::Is(word) => segment == word,
            Self::Ends(tail) => segment.ends_with(tail),
            Self::Digest(length) => segment.len() == length && segment.bytes().all(|b| b.is_ascii_hexdigit()),
            Self::Project | Self::File | Self::Version | Self::Nobody | Self::Any => true,
        }
    }
}

/// The part of a mirror's path that PyPI's would be, in PyPI's words: from its `simple` (devpi writes `+simple`) or its
/// `packages` on, without the file names that a web server gives to a folder's page (bandersnatch writes them).
/// `None` if there is none.
pub(super) fn below_prefix<'a>(segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let without_page = match segments {
        [folder @ .., "index.html" | "index.htm" | "index.json" | "index.v1_json" | "index.v1_html"] => folder,
        _ => segments,
    };
    let simple = |(at, word): (usize, &&'a str)| {
        (matches!(*word, "simple" | "+simple") && without_page.len() - at <= 2).then_some(at)
    };
    if let Some(at) = without_page.iter().enumerate().find_map(simple) {
        return Some([&["simple"], without_page.get(at + 1..).unwrap_or_default()].concat());
    }
    if let Some(at) = segments.iter().position(|word| *word == "packages") {
        return segments.get(at..).map(<[_]>::to_vec);
    }
    // `/json/NAME`, as bandersnatch keeps the legacy JSON.
    if let [.., "json", project] = segments {
        return Some(vec!["pypi", project, "json"]);
    }
    // `/pypi/NAME/json`, `/pypi/NAME/VERSION/json`, below any folder that may be called so as well.
    let legacy = |at: &usize| segments.get(*at) == Some(&"pypi") && segments.last() == Some(&"json");
    let start = [3, 4].into_iter().filter_map(|length| segments.len().checked_sub(length)).find(legacy);
    start.and_then(|at| segments.get(at..)).map(<[_]>::to_vec)
}

fn root(_: Option<&ProjectName>) -> Kind {
    Kind::Root
}

fn page(project: Option<&ProjectName>) -> Kind {
    project.cloned().map_or(Kind::Nothing, Kind::Page)
}

fn legacy_json(project: Option<&ProjectName>) -> Kind {
    project.cloned().map_or(Kind::Nothing, Kind::LegacyJson)
}

const fn xml_rpc(_: Option<&ProjectName>) -> Kind {
    Kind::XmlRpc
}

const fn upload(_: Option<&ProjectName>) -> Kind {
    Kind::Upload
}

const fn provenance(_: Option<&ProjectName>) -> Kind {
    Kind::Provenance
}

const fn feed(_: Option<&ProjectName>) -> Kind {
    Kind::Feed
}

const fn sitemap(_: Option<&ProjectName>) -> Kind {
    Kind::Sitemap
}

const fn listing(_: Option<&ProjectName>) -> Kind {
    Kind::Listing
}

const fn stats(_: Option<&ProjectName>) -> Kind {
    Kind::Stats
}

const fn web(_: Option<&ProjectName>) -> Kind {
    Kind::Web
}

const fn file(_: Option<&ProjectName>) -> Kind {
    Kind::File
}
