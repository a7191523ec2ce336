//! Understands what the user means: a project, a file, a URL or a requirement, and every name that is in it.

use std::fmt::Display;

use http::Method;

use crate::config::Settings;
use crate::name::{FileName, HostName, ProjectName};
use crate::pypi::mirrors::known_mirror;
use crate::pypi::resource::{Kind, Release, Resource};
use crate::pypi::site::site_of;

/// The kind of a URL that the proxy has nothing to do with.
pub(super) const ELSEWHERE: &str = "url of a host that is not intercepted";

/// What a thing turned out to be, and all that it names.
#[derive(Debug)]
pub(super) struct Thing {
    /// As the user wrote it.
    pub(super) written: String,
    /// What it is.
    pub(super) kind: &'static str,
    /// The projects that it names.
    pub(super) projects: Vec<ProjectName>,
    /// The files that it names.
    pub(super) files: Vec<FileName>,
    /// The releases that it names, for rules that hide no more.
    pub(super) releases: Vec<Release>,
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

/// What stands in a line of a list or of a requirements file; nothing for a comment or an option.
pub(super) fn in_line(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches('\u{feff}');
    // A `#` in a URL begins a fragment; a comment has white space before it.
    let line = line.split_once(" #").map_or(line, |(line, _comment)| line);
    let line = line.split_once(" --").map_or(line, |(line, _options)| line);
    let line = line.trim_end_matches('\\').trim_end();
    let line = ["-e ", "--editable "].into_iter().find_map(|option| line.strip_prefix(option)).unwrap_or(line).trim();
    (!line.is_empty() && !line.starts_with(['#', '-'])).then_some(line)
}

/// Understands `text`, or says why not.
pub(super) fn read(text: &str, settings: &Settings) -> Result<Thing, String> {
    let thing = |kind, projects, files, refusal| Thing {
        written: text.to_owned(),
        kind,
        projects,
        files,
        releases: Vec::new(),
        refusal,
        mirror: None,
    };
    if is_url(text) {
        return Ok(match read_url(text, settings)? {
            Target::Here(resource) => {
                let refusal = Refusal::of(&resource.kind);
                Thing { releases: resource.releases, ..thing("url", resource.projects, resource.files, refusal) }
            }
            Target::Elsewhere(mirror) => Thing { mirror, ..thing(ELSEWHERE, vec![], vec![], Refusal::Other) },
        });
    }
    // A file name, or a path to one: people paste what they see.
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    if !text.contains("://")
        && let Ok(file) = FileName::parse(last)
        && file.is_distribution()
    {
        return Ok(thing("file", vec![], vec![file], Refusal::File));
    }
    if let Ok(project) = ProjectName::parse(text) {
        return Ok(thing("project", vec![project], vec![], Refusal::Page));
    }
    // A requirement (PEP 508): the name, then extras, a version, a marker or a URL. The URL names something too.
    let (name, rest) = text.split_at(text.find(|c: char| !is_name_character(c)).unwrap_or(text.len()));
    let usage = |why: &dyn Display| format!("`{text}` is no project name, file name, URL or requirement: {why}");
    let project = ProjectName::parse(name).map_err(|why| usage(&why))?;
    if !rest.trim_start().starts_with(['[', '(', '<', '>', '=', '!', '~', ';', '@']) {
        return Err(usage(&format_args!("`{}` can't follow a name", rest.trim())));
    }
    let url = rest.split_once('@').map(|(_, url)| url.split_whitespace().next().unwrap_or_default());
    let mut requirement = thing("requirement", vec![project.clone()], vec![], Refusal::Page);
    requirement.releases.extend(pinned(rest).map(|version| Release { project, version }));
    if let Some(url) = url.filter(|url| url.contains("://"))
        && let Target::Here(resource) = read_url(url, settings)?
    {
        requirement.projects.extend(resource.projects);
        requirement.files.extend(resource.files);
        requirement.refusal = Refusal::File;
    }
    Ok(requirement)
}

fn is_url(text: &str) -> bool {
    // Version control's URLs, too: `git+https://…`.
    let is_scheme = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'-' | b'.');
    text.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(is_scheme))
}

/// The version that a requirement pins, if it pins one and no more.
fn pinned(rest: &str) -> Option<String> {
    let (_, version) = rest.split_once("==")?;
    let version = version.trim_start_matches('=').split([',', ';', ')', ' ']).find(|part| !part.is_empty())?;
    (!version.contains('*')).then(|| version.to_owned())
}

const fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Where a URL leads.
enum Target {
    Here(Box<Resource>),
    Elsewhere(Option<HostName>),
}

fn read_url(text: &str, settings: &Settings) -> Result<Target, String> {
    let usage = |why: &dyn Display| format!("`{text}` is no URL of an index: {why}");
    let url = url::Url::parse(text).map_err(|why| usage(&why))?;
    let host: HostName = url.host_str().unwrap_or_default().parse().map_err(|why| usage(&why))?;
    let Some(site) = site_of(&settings.sites, &host) else {
        let mirror = known_mirror(&host).is_some();
        return Ok(Target::Elsewhere(mirror.then_some(host)));
    };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let resource = Resource::of(site.kind, &Method::GET, &format!("{}{query}", url.path()));
    resource.map(|resource| Target::Here(Box::new(resource))).map_err(|why| usage(&why))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_requirements_files() {
        for (line, expected) in [
            ("acme", Some("acme")),
            ("  acme==1.0 ; python_version > '3'  # why", Some("acme==1.0 ; python_version > '3'")),
            ("acme==1.0 \\", Some("acme==1.0")),
            ("acme==1.0 --hash=sha256:00", Some("acme==1.0")),
            ("    --hash=sha256:00 \\", None),
            ("# acme", None),
            ("", None),
            ("-r other.txt", None),
            ("--index-url https://pypi.org/simple", None),
            ("-e git+https://github.com/a/b#egg=acme", Some("git+https://github.com/a/b#egg=acme")),
            ("https://pypi.org/simple/acme/#fragment", Some("https://pypi.org/simple/acme/#fragment")),
            ("acme\r", Some("acme")),
        ] {
            assert_eq!(in_line(line), expected, "{line}");
        }
    }
}
