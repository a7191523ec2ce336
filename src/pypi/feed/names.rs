//! Decides which names an entry of a feed or a sitemap bears, and hides it for any of them.

use http::Method;

use super::super::Judge;
use super::super::borne::Borne;
use super::super::link::is_ambiguous;
use super::super::resource::{Kind, Resource};
use super::super::site::SiteKind;
use crate::name::ProjectName;

/// What an entry names.
#[derive(Debug, Default)]
pub(super) struct Names {
    borne: Borne,
    has_link: bool,
    unreadable: bool,
}

impl Names {
    /// `acme 1.0`, `acme added to PyPI`. In a project's own feed it is a version, and bears no name.
    pub(super) fn of_title(&mut self, title: &str) {
        let first = title.split_whitespace().next().unwrap_or_default();
        self.borne.add_projects(ProjectName::parse(first));
    }

    /// What the entry is about, whatever the host.
    pub(super) fn of_link(&mut self, url: &str) {
        self.has_link = true;
        self.of_url(url);
    }

    /// A link, or any text that its author finds unique.
    pub(super) fn of_guid(&mut self, guid: &str) {
        if is_url(guid) { self.of_link(guid) } else { self.of_path(&format!("/{guid}")) }
    }

    /// Anything else: it bears names if it is a URL.
    pub(super) fn of_other(&mut self, text: &str) {
        if is_url(text) {
            self.of_url(text);
        }
    }

    fn of_url(&mut self, url: &str) {
        match path(url) {
            Some(path) => self.of_path(path),
            None => self.unreadable = true,
        }
    }

    fn of_path(&mut self, path: &str) {
        match Resource::of(SiteKind::Index, &Method::GET, path) {
            Ok(resource) if resource.kind != Kind::Nothing => {
                self.borne.add_projects(resource.projects);
                self.borne.add_files(resource.files);
                self.borne.add_releases(resource.releases);
            }
            _ => self.unreadable = true,
        }
    }

    /// Whether the entry must go.
    pub(super) fn is_hidden(&self, judge: &mut dyn Judge) -> bool {
        !self.has_link || self.unreadable || self.borne.any_hidden(judge)
    }
}

/// What is behind scheme and authority; `None` if that can't be told, or if clients would not agree on it.
fn path(url: &str) -> Option<&str> {
    if is_ambiguous(url) {
        return None;
    }
    let Some(rest) = after_scheme(url).or_else(|| url.strip_prefix("//")) else {
        return url.starts_with('/').then_some(url);
    };
    // `https:///project/acme/` has no authority, or one that is called `project`.
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if end == 0 { None } else { rest.get(end..) }
}

fn is_url(text: &str) -> bool {
    text.starts_with('/') || after_scheme(text).is_some()
}

fn after_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(rest)
}
