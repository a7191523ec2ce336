//! Understands what the user means: a project, a file, a URL or a requirement, and every name that is in it.

use std::fmt::Display;

use http::Method;
use pep440_rs::VersionSpecifiers;

use super::requirement::{Requirement, is_path, without_options};
use crate::config::Settings;
use crate::name::{FileName, HostName, ProjectName};
use crate::pypi::mirrors::known_mirror;
use crate::pypi::resource::{Kind, Release, Resource};
use crate::pypi::site::site_of;
use crate::shown;

/// The kind of a URL that the proxy has nothing to do with.
pub(super) const ELSEWHERE: &str = "url of a host that is not intercepted";
/// The kind of what lies on this machine.
pub(super) const LOCAL: &str = "not from an index";

/// What a thing turned out to be, and all that it names.
#[derive(Debug)]
pub(super) struct Thing {
    /// As the user wrote it, without what must not be shown.
    pub(super) written: String,
    /// What it is.
    pub(super) kind: &'static str,
    /// The projects that it names.
    pub(super) projects: Vec<ProjectName>,
    /// The files that it names.
    pub(super) files: Vec<FileName>,
    /// The releases that it names, for rules that hide no more.
    pub(super) releases: Vec<Release>,
    /// The versions that a requirement takes.
    pub(super) versions: Option<VersionSpecifiers>,
    /// What of a requirement stands in a command.
    pub(super) command: String,
    /// How the proxy refuses it.
    pub(super) refusal: Refusal,
    /// The mirror of PyPI that a URL leads to, although nobody looks into it.
    pub(super) mirror: Option<HostName>,
}

/// How the proxy refuses something that is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The project's page is a 404.
    Page,
    /// A file is a 403, and gone from its page.
    File,
    /// An upload is a 403.
    Upload,
    /// What else the URL asks for is refused.
    Other,
}

/// A folder that is installed as it stands on this machine.
pub(super) fn folder(path: &str) -> Thing {
    Thing::new(LOCAL, shown::printable(path), Refusal::Other)
}

/// Understands `text`, or says why not.
pub(super) fn read(text: &str, settings: &Settings) -> Result<Thing, String> {
    let text = without_options(text);
    let written = shown::printable(&shown::without_secrets_in(text));
    if is_url(text) {
        return read_url(text, settings).map(|target| target.thing("url", text, written));
    }
    // A file name, or a path to one: people paste what they see.
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    if !text.contains("://")
        && let Ok(file) = FileName::parse(last)
        && file.is_distribution()
    {
        return Ok(Thing { files: vec![file], ..Thing::new("file", written, Refusal::File) });
    }
    if let Ok(project) = ProjectName::parse(text) {
        return Ok(Thing { projects: vec![project], ..Thing::new("project", written, Refusal::Page) });
    }
    if is_path(text) {
        return Ok(folder(text));
    }
    let requirement = Requirement::read(text).map_err(|why| {
        let why = shown::printable(&shown::without_secrets_in(&why));
        format!("`{written}` is no project name, file name, URL or requirement: {why}")
    })?;
    if let Some(reference) = requirement.reference {
        // What it is called says nothing of where it comes from.
        return read_url(reference, settings).map(|target| target.thing("requirement", reference, written));
    }
    let Requirement { project, command, versions, pinned, .. } = requirement;
    let releases = pinned.map(|version| Release { project: project.clone(), version }).into_iter().collect();
    let (projects, command) = (vec![project], command.to_owned());
    Ok(Thing { projects, releases, versions, command, ..Thing::new("requirement", written, Refusal::Page) })
}

fn is_url(text: &str) -> bool {
    // Version control's URLs, too: `git+https://…`.
    let is_scheme = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'-' | b'.');
    text.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(is_scheme))
}

/// Where a URL leads.
enum Target {
    Here(Box<Resource>),
    Elsewhere(Option<HostName>),
    /// To this machine.
    Local,
}

fn read_url(text: &str, settings: &Settings) -> Result<Target, String> {
    let usage = |why: &dyn Display| format!("`{}` is no URL of an index: {why}", shown::without_secrets_in(text));
    // A marker may stand behind it.
    let url = match url::Url::parse(text.split_whitespace().next().unwrap_or_default()) {
        Ok(url) => url,
        Err(_relative) if !text.contains("://") => return Ok(Target::Local),
        Err(why) => return Err(usage(&why)),
    };
    let Some(host) = url.host_str().filter(|host| !host.is_empty() && !url.scheme().ends_with("file")) else {
        return Ok(Target::Local);
    };
    let host: HostName = host.parse().map_err(|why| usage(&why))?;
    let Some(site) = site_of(&settings.sites, &host) else {
        let mirror = known_mirror(&host).is_some();
        return Ok(Target::Elsewhere(mirror.then_some(host)));
    };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let resource = Resource::of(site.kind, &Method::GET, &format!("{}{query}", url.path()));
    resource.map(|resource| Target::Here(Box::new(resource))).map_err(|why| usage(&why))
}

impl Target {
    /// The thing of that `kind` that leads here by `url`, which alone counts.
    fn thing(self, kind: &'static str, url: &str, written: String) -> Thing {
        match self {
            Self::Here(resource) => {
                let Resource { kind: asked, projects, files, releases, .. } = *resource;
                let refusal = Refusal::of(&asked);
                // Our own hosts' queries are what is asked for, and no secret.
                let written = if kind == "url" && !url.contains('@') { shown::printable(url) } else { written };
                Thing { projects, files, releases, ..Thing::new(kind, written, refusal) }
            }
            Self::Elsewhere(mirror) => Thing { mirror, ..Thing::new(ELSEWHERE, written, Refusal::Other) },
            Self::Local => Thing::new(LOCAL, written, Refusal::Other),
        }
    }
}

impl Thing {
    const fn new(kind: &'static str, written: String, refusal: Refusal) -> Self {
        Self {
            written,
            kind,
            projects: Vec::new(),
            files: Vec::new(),
            releases: Vec::new(),
            versions: None,
            command: String::new(),
            refusal,
            mirror: None,
        }
    }
}

impl Refusal {
    const fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Page(_) | Kind::LegacyJson(_) => Self::Page,
            Kind::File | Kind::Metadata => Self::File,
            Kind::Upload => Self::Upload,
            _ => Self::Other,
        }
    }
}
