//! A judge and its rules for the tests of this room.

use super::Judge;
use crate::name::{NameRef, ProjectName, Subject};

/// Hides some names, and every name that begins with `hidden-`; counts how often it was asked.
#[derive(Debug, Default)]
pub(super) struct Hiding {
    names: Vec<ProjectName>,
    pub(super) asked: u64,
}

impl Hiding {
    pub(super) fn names(names: &[&str]) -> Self {
        Self { names: names.iter().map(|name| name.parse().unwrap()).collect(), asked: 0 }
    }

    pub(super) fn is_hidden(&self, name: NameRef<'_>) -> bool {
        name.as_str().starts_with("hidden-") || self.names.iter().any(|hidden| hidden.as_name() == name)
    }
}

impl Judge for Hiding {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        self.asked += 1;
        match subject {
            Subject::Project(name) => self.is_hidden(name),
            Subject::Release(_, version) => version.starts_with("666"),
            Subject::File(file) => file.candidates().projects.iter().any(|project| self.is_hidden(project.as_name())),
        }
    }
}
