//! The names that one thing on a page bears, a link or an entry, each once.

use super::Judge;
use crate::name::{FileName, ProjectName, Subject};

/// The names.
#[derive(Debug, Default)]
pub(super) struct Borne {
    files: Vec<FileName>,
    projects: Vec<ProjectName>,
    releases: Vec<Release>,
}

impl Borne {
    pub(super) fn add_files(&mut self, files: impl IntoIterator<Item = FileName>) {
        add(&mut self.files, files);
    }

    pub(super) fn add_projects(&mut self, projects: impl IntoIterator<Item = ProjectName>) {
        add(&mut self.projects, projects);
    }

    pub(super) fn add_releases(&mut self, releases: impl IntoIterator<Item = Release>) {
        add(&mut self.releases, releases);
    }

    /// Whether one of them is hidden. Asks for each name once, and stops at the first that is.
    pub(super) fn any_hidden(&self, judge: &mut dyn Judge) -> bool {
        let projects = self.projects.iter().map(|name| Subject::Project(name.as_name()));
        let releases = self.releases.iter().map(Release::subject);
        self.files.iter().map(Subject::File).chain(projects).chain(releases).any(|subject| judge.hides(subject))
    }
}

/// One release that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose it is.
    pub project: ProjectName,
    /// Its version, as it stands there.
    pub version: String,
}

impl Release {
    /// It, to be judged.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject::Release(self.project.as_name(), &self.version)
    }
}

fn add<T: PartialEq>(known: &mut Vec<T>, found: impl IntoIterator<Item = T>) {
    for name in found {
        if !known.contains(&name) {
            known.push(name);
        }
    }
}
