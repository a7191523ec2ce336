//! Decides whether an entry is a finding: a protected name, and from the public index.

use std::path::Path;

use http::Method;
use url::Url;

use super::entry::{Entry, Otherwise};
use super::finding::{Finding, Level, Report};
use super::remedy::{Case, Tool};
use crate::name::{FileName, HostName, ProjectName, Subject};
use crate::policy::{Match, Policy};
use crate::pypi::resource::Resource;
use crate::pypi::site::{Sites, site_of};
use crate::shown::without_secrets;

/// The rules, and the hosts of the public index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge<'p> {
    pub(super) policy: &'p Policy,
    pub(super) sites: &'p Sites,
}

/// What is protected in an entry.
struct Protected<'p> {
    project: ProjectName,
    file: Option<String>,
    found: Match<'p>,
}

impl Judge<'_> {
    /// Puts what `entry` is guilty of into `report`.
    pub(super) fn judge(&self, entry: &Entry, tool: Tool, path: &Path, report: &mut Report) {
        let public: Vec<&String> = entry.urls.iter().filter(|url| self.resource(url).is_some()).collect();
        let Some(protected) = self.protected(entry, &public) else { return };
        let (level, from) = match (public.first(), &entry.otherwise) {
            (Some(url), _) => (Level::Error, without_secrets(url.trim())),
            (None, Otherwise::Unknown(why)) => (Level::Warning, (*why).to_owned()),
            (None, Otherwise::Elsewhere) => {
                report.elsewhere += 1;
                return;
            }
        };
        let rule = protected.found.rule;
        let version = entry.version.clone().or_else(|| self.version_in(&public, &protected.project));
        let remedy = tool.remedy(&Case {
            project: protected.project.as_str(),
            other: protected.found.another_release(protected.project.as_str(), version.as_deref()),
            index: rule.private_index.as_deref(),
            by: entry.by.as_deref(),
            file: path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
            direct: entry.direct,
        });
        report.findings.push(Finding {
            level,
            tool,
            path: path.to_owned(),
            line: entry.line,
            project: protected.project,
            version: entry.version.clone(),
            file: protected.file,
            from,
            rule: rule.id.clone(),
            pattern: protected.found.written.to_owned(),
            reason: rule.reason.clone(),
            remedy,
        });
    }

    /// Whether `url` is on a host of the public index.
    pub(super) fn is_public(&self, url: &str) -> bool {
        self.resource(url).is_some()
    }

    /// Whether `project` is the name of a protected project.
    pub(super) fn is_protected(&self, project: &str) -> bool {
        ProjectName::parse(project).is_ok_and(|it| self.policy.judge(Subject::Project(it.as_name())).is_protected())
    }

    /// The first host of the public index that stands in a URL somewhere in `bytes`.
    pub(super) fn public_url_in(&self, bytes: &[u8]) -> Option<String> {
        const SCHEME: &[u8] = b"https://";
        memchr::memmem::find_iter(bytes, SCHEME).find_map(|at| {
            let rest = bytes.get(at + SCHEME.len()..)?;
            let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'-'))?;
            let host: HostName = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
            site_of(self.sites, &host).map(|site| format!("https://{}/", site.host))
        })
    }

    /// The first thing in `entry` that a rule protects: its project, then its files.
    fn protected(&self, entry: &Entry, public: &[&String]) -> Option<Protected<'_>> {
        let owner = ProjectName::parse(entry.project.trim()).ok();
        if let Some(project) = &owner {
            let release = entry.version.as_deref().map(|version| Subject::Release(project.as_name(), version));
            let mut subjects = std::iter::once(Subject::Project(project.as_name())).chain(release);
            if let Some(found) = subjects.find_map(|subject| self.policy.judge(subject).protected) {
                return Some(Protected { project: project.clone(), file: None, found });
            }
        }
        let resources: Vec<Resource> = public.iter().filter_map(|url| self.resource(url)).collect();
        let mentioned = resources.iter().flat_map(|resource| &resource.projects);
        for project in mentioned {
            if let Some(found) = self.policy.judge(Subject::Project(project.as_name())).protected {
                return Some(Protected { project: project.clone(), file: None, found });
            }
        }
        let written = entry.files.iter().filter_map(|file| FileName::parse(file).ok());
        let mut files = written.chain(resources.iter().flat_map(|resource| resource.files.iter().cloned()));
        files.find_map(|file| self.protected_file(&file, owner.as_ref()))
    }

    fn protected_file(&self, file: &FileName, owner: Option<&ProjectName>) -> Option<Protected<'_>> {
        let alone = self.policy.judge(Subject::File(file));
        let found = match owner {
            // `acme-1.0-1.tar.gz` reads in two ways; whoever wrote the entry knows whose it is.
            Some(owner) if !alone.certain => self.policy.judge_owned(file, owner.as_name(), None).protected,
            _ => alone.protected,
        }?;
        let candidates = file.candidates().projects;
        let is_protected = |name: &&ProjectName| self.policy.judge(Subject::Project(name.as_name())).is_protected();
        let project = candidates.iter().find(is_protected).or(owner).or_else(|| candidates.first())?.clone();
        Some(Protected { project, file: Some(file.as_str().to_owned()), found })
    }

    /// The version that a file of `project`'s among those URLs has.
    fn version_in(&self, urls: &[&String], project: &ProjectName) -> Option<String> {
        let mut files = urls.iter().filter_map(|url| self.resource(url)).flat_map(|resource| resource.files);
        files.find_map(|file| Some(file.versions_for(project.as_name())?.first()?.to_string()))
    }

    fn resource(&self, url: &str) -> Option<Resource> {
        let url = Url::parse(url.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let host: HostName = url.host_str()?.parse().ok()?;
        let site = site_of(self.sites, &host)?;
        // A path that nobody would ask for is on a public host all the same.
        let resource = Resource::of(site.kind, &Method::GET, url.path());
        resource.or_else(|_bad| Resource::of(site.kind, &Method::GET, "/")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, policy, sites};
    use super::*;

    fn entry(project: &str, urls: &[&str]) -> Entry {
        Entry { project: project.into(), urls: urls.iter().map(|&url| url.to_owned()).collect(), ..Entry::default() }
    }

    #[test]
    fn the_public_index_decides() {
        let public = "https://user:secret@pypi.org/simple?x=1";
        assert_eq!(found(&[entry("Acme_Core", &[public])]), ["error acme-core from https://pypi.org/simple"]);
        assert!(found(&[entry("six", &[public])]).is_empty());
        assert!(found(&[entry("acme-core", &["https://pypi.acme.example/simple"])]).is_empty());
        let unknown = Entry { otherwise: Otherwise::Unknown("origin unknown"), ..entry("acme-core", &[]) };
        assert_eq!(found(&[unknown]), ["warning acme-core from origin unknown"]);
    }

    #[test]
    fn a_file_on_the_public_host_beats_what_the_index_is_called() {
        let file = "https://files.pythonhosted.org/packages/aa/bb/cc/acme_core-9-py3-none-any.whl";
        let urls = ["https://pypi.acme.example/simple", file];
        assert_eq!(found(&[entry("acme-core", &urls)]), [format!("error acme-core from {file}")]);
        assert_eq!(found(&[entry("six", &[file])]), [format!("error acme-core from {file}")]);
    }

    #[test]
    fn names_from_elsewhere_are_counted() {
        let (policy, sites) = (policy(), sites());
        let judge = Judge { policy: &policy, sites: &sites };
        let mut report = Report::default();
        let entry = entry("acme-core", &["https://pypi.acme.example/simple"]);
        judge.judge(&entry, Tool::Uv, Path::new("uv.lock"), &mut report);
        assert_eq!((report.findings.len(), report.elsewhere), (0, 1));
    }
}
