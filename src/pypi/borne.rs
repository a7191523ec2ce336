//! The names that one thing on a page bears, a link or an entry, each once.

use super::Judge;
use crate::name::{FileName, ProjectName, Subject};

/// The names.
#[derive(Debug, Default)]
pub(super) struct Borne {
    files: Vec<FileName>,
    projects: Vec<ProjectName>,
}

impl Borne {
    pub(super) fn add_files(&mut self, files: impl IntoIterator<Item = FileName>) {
        add(&mut self.files, files);
    }

    pub(super) fn add_projects(&mut self, projects: impl IntoIterator<Item = ProjectName>) {
        add(&mut self.projects, projects);
    }

    /// Whether one of them is hidden. Asks for each name once, and stops at the first that is.
    pub(super) fn any_hidden(&self, judge: &mut dyn Judge) -> bool {
        let projects = self.projects.iter().map(|name| Subject::Project(name.as_name()));
        self.files.iter().map(Subject::File).chain(projects).any(|subject| judge.hides(subject))
    }
}

fn add<T: PartialEq>(known: &mut Vec<T>, found: impl IntoIterator<Item = T>) {
    for name in found {
        if !known.contains(&name) {
            known.push(name);
        }
    }
}
