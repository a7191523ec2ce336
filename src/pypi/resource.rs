//! What a URL asks for, and which names it bears: every route of PyPI in one table, and a rule for the routes of tomorrow.
//!
//! The path is percent-decoded exactly once and as a whole, as the origin server does (so `%2F` separates and
//! `%61cme` is `acme`), and what goes upstream is the canonical form of what was understood, never the client's bytes.

mod mention;
mod path;
mod routes;

use http::Method;

use self::mention::Mentions;
use self::path::Path;
use self::routes::{Route, Step};
pub use super::borne::Release;
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
    /// The releases that the URL names, likewise.
    pub releases: Vec<Release>,
    /// Path and query to send upstream, canonical.
    pub target: String,
    /// How PyPI says on this route that there is nothing.
    pub absent: Absent,
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
    /// A feed of many projects, or of one.
    Feed,
    /// A sitemap, or the list of the sitemaps.
    Sitemap,
    /// The largest projects, in JSON or for people.
    Stats,
    /// A page for people that lists projects: a search, a user's or an organization's profile, the home page.
    Listing,
    /// The XML-RPC endpoint.
    XmlRpc,
    /// An upload.
    Upload,
    /// A page for people, or a route that this program doesn't know.
    Web,
    /// A path where a name is due, and something stands that can't be a project's name: nothing is there.
    Nothing,
}

/// The body with which PyPI says that there is nothing (warehouse's `httpexception_view`, and its views' own words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// `404 Not Found`, as plain text: whatever lies below `/simple/`, and what no person looks at.
    Plain,
    /// `{"message": "Not Found"}`: the legacy JSON.
    Json,
    /// `{"message": "No provenance available for …"}`.
    Provenance,
    /// A page for people.
    Page,
    /// Not a 404 but a 403 with its reason: a file's absence ends an installation whatever the status, so words count.
    Refusal,
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
        let decoded = path::decode(raw_path)?;
        let path = Path::split(&decoded);
        let mut found = find(site, method, &path);
        // Whatever was lost in normalising the path may be what another server on the way sees.
        if path.normalised {
            found.mentions.segments(path::raw_segments(&decoded));
        }
        let mut target = path.canonical();
        if let Some(query) = query.filter(|_| found.kind.has_query(site)) {
            found.mentions.query(query);
            target.push('?');
            target.push_str(query);
        }
        let Mentions { projects, files, releases } = found.mentions;
        Ok(Self { kind: found.kind, projects, files, releases, target, absent: found.absent })
    }

    /// All that the URL names, to be judged.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        let projects = self.projects.iter().map(|name| Subject::Project(name.as_name()));
        projects.chain(self.files.iter().map(Subject::File)).chain(self.releases.iter().map(Release::subject))
    }
}

impl Kind {
    /// Whether the query says anything: elsewhere PyPI's edge drops it, and so does the canonical target. Other people's
    /// files may be behind signed URLs.
    const fn has_query(&self, site: SiteKind) -> bool {
        match self {
            Self::Web | Self::Feed | Self::Listing | Self::Stats | Self::XmlRpc | Self::Upload => true,
            Self::File | Self::Metadata => matches!(site, SiteKind::Mirror),
            _ => false,
        }
    }
}

/// What was found in a path so far.
struct Found {
    kind: Kind,
    absent: Absent,
    mentions: Mentions,
}

/// Looks the path up: first in the table, then by its looks.
fn find(site: SiteKind, method: &Method, path: &Path<'_>) -> Found {
    let (segments, trailing_slash) = (&*path.segments, path.trailing_slash);
    let below = match site {
        SiteKind::Mirror => routes::below_prefix(segments),
        SiteKind::Index | SiteKind::Files | SiteKind::Upload => None,
    };
    let segments = below.as_deref().unwrap_or(segments);
    let known = routes::ROUTES.iter().find(|route| route.fits(site, method, segments));
    let found = known.map_or_else(|| Found::unknown(segments), |route| Found::on(route, segments));
    match site {
        SiteKind::Files if found.kind == Kind::Web => found.or_file(segments),
        SiteKind::Mirror if found.kind == Kind::Web => found.or_file(segments).or_listing(segments, trailing_slash),
        _ => found,
    }
}

impl Found {
    /// What stands in the places of a known route.
    fn on(route: &Route, segments: &[&str]) -> Self {
        let mut found = Self { kind: Kind::Nothing, absent: route.absent, mentions: Mentions::default() };
        let mut sibling = false;
        for (step, segment) in route.steps.iter().zip(segments) {
            match step {
                Step::Is(_) | Step::Ends(_) | Step::Digest(_) | Step::Nobody => {}
                Step::Project => match ProjectName::parse(segment) {
                    Ok(project) => found.mentions.projects.push(project),
                    Err(_not_a_name) => return found,
                },
                Step::File => match FileName::parse(segment) {
                    Ok(file) => {
                        sibling = file.distribution() != file.as_str();
                        found.mentions.files.push(file);
                    }
                    Err(_not_a_file) => return found,
                },
                Step::Version => found.mentions.release(segment),
                Step::Any => found.mentions.text(segment),
            }
        }
        if let Some(rest) = segments.get(route.steps.len()..) {
            // Only what looks like a version: other pages about a project are not of a release.
            rest.iter().filter(|segment| is_version(segment)).for_each(|version| found.mentions.release(version));
            found.mentions.segments(rest.iter().copied());
        }
        found.kind = (route.kind)(found.mentions.projects.first());
        if sibling && found.kind == Kind::File {
            found.kind = Kind::Metadata;
        }
        found
    }

    /// A route that nobody told us of: every segment might be a name, and the last one a file's.
    fn unknown(segments: &[&str]) -> Self {
        let mut found = Self { kind: Kind::Web, absent: Absent::Page, mentions: Mentions::default() };
        found.mentions.segments(segments.iter().copied());
        found
    }

    /// On a host of files, a path that ends like a distribution is one, however deep it lies.
    fn or_file(mut self, segments: &[&str]) -> Self {
        let last = segments.last().and_then(|last| FileName::parse(last).ok()).filter(FileName::is_distribution);
        if let Some(file) = last {
            self.kind = if file.distribution() == file.as_str() { Kind::File } else { Kind::Metadata };
            self.absent = Absent::Refusal;
            self.mentions = Mentions::default();
            self.mentions.segments(segments.iter().copied().take(segments.len() - 1));
            self.mentions.files.push(file);
        }
        self
    }

    /// A folder on a mirror may list projects, or their files: web servers' indexes do, and devpi's and Artifactory's.
    fn or_listing(mut self, segments: &[&str], trailing_slash: bool) -> Self {
        let is_page = |last: &&str| trailing_slash || !last.contains('.') || last.ends_with(".html");
        if self.kind == Kind::Web && segments.last().is_none_or(is_page) {
            self.kind = Kind::Listing;
        }
        self
    }
}

/// Whether `segment` is a version, or something of the kind that an old index may have.
fn is_version(segment: &str) -> bool {
    let digits = segment.trim_start().trim_start_matches(['v', 'V']);
    digits.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
