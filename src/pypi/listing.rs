//! Decides whether a web page that lists projects shows a hidden one, and what a person gets in its place.
//!
//! Search results, users' and organisations' pages, the statistics and the front page. Such a page is passed on as it is
//! or not at all: what it looks like is no contract, so nothing is cut out of it. Whatever some parser might take for a
//! link counts, in comments and scripts too.

mod collect;
mod references;

use std::collections::{HashMap, HashSet};

use http::Method;
use url::Url;

use self::collect::{Collected, Found};
use super::html::tags;
use super::resource::{Kind, Resource};
use super::site::{Sites, host_and_path, site_of};
use super::{Judge, Malformed, render};
use crate::name::{ProjectName, Subject};

/// What a page lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// How many names it bears that must not be seen, each counted once. With 0, the page itself may be shown.
    pub removed: u64,
    /// The projects that may be seen, in the order of the page, each once.
    pub kept: Vec<ProjectName>,
}

/// Reads a page that was found at `url`, and judges the names that its links bear, and its headings, rows and cells.
/// Of links to other hosts than `sites` nothing is known.
///
/// # Errors
/// [`Malformed`] if it can't be trusted; nothing of it may be shown then.
pub fn read(bytes: &[u8], url: &Url, sites: &Sites, judge: &mut dyn Judge) -> Result<Listing, Malformed> {
    let page = Collected::of(tags::decode(bytes)?)?;
    let bases: Vec<Url> = page.bases.iter().filter_map(|base| url.join(base).ok()).collect();
    let mut verdicts = Verdicts { judge, names: HashMap::new() };
    let (mut kept, mut followed) = (Vec::new(), HashSet::new());
    for found in &page.found {
        match found {
            Found::Text { text, is_entry } => {
                let Ok(name) = ProjectName::parse(text) else { continue };
                if !verdicts.hides(Subject::Project(name.as_name())) && *is_entry {
                    kept.push(name);
                }
            }
            // An attribute's value is found in the page's text, too, and a page links to the same place often.
            Found::Reference { written, is_link } if !followed.insert((written, is_link)) => {}
            // Parsers disagree on which `<base>` counts, and on whether this one does.
            Found::Reference { written, is_link } => {
                for target in std::iter::once(url).chain(&bases).filter_map(|base| base.join(written).ok()) {
                    kept.extend(verdicts.follow(&target, sites).filter(|_| *is_link));
                }
            }
        }
    }
    let mut seen = HashSet::new();
    kept.retain(|name| seen.insert(name.clone()));
    Ok(Listing { removed: verdicts.hidden(), kept })
}

impl Listing {
    /// A page for a person, in place of the one that was read: that names are hidden, and the links to those that aren't.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        render::listing(self.removed, self.kept.iter().map(ProjectName::as_name))
    }
}

/// What has been judged so far: a page names the same project in its link, in its heading and in the link's picture.
struct Verdicts<'a> {
    judge: &'a mut dyn Judge,
    /// By the name, files' apart from projects'; and what can't be understood, which is hidden.
    names: HashMap<(bool, String), bool>,
}

impl Verdicts<'_> {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        let key = match subject {
            Subject::Project(name) => (false, name.as_str().to_owned()),
            Subject::File(file) => (true, file.as_str().to_owned()),
            // No name has a space in it.
            Subject::Release(name, version) => (false, format!("{name} {version}")),
        };
        *self.names.entry(key).or_insert_with(|| self.judge.hides(subject))
    }

    /// The project whose page `target` is, if nothing that it names is hidden.
    fn follow(&mut self, target: &Url, sites: &Sites) -> Option<ProjectName> {
        let (host, path) = host_and_path(target).filter(|_| matches!(target.scheme(), "http" | "https"))?;
        let site = site_of(sites, &host)?;
        let Ok(resource) = Resource::of(site.kind, &Method::GET, &path) else {
            self.names.insert((true, path), true);
            return None;
        };
        // Each is asked for: all of them are counted.
        let hidden = resource.subjects().filter(|subject| self.hides(*subject)).count();
        if hidden == 0 { page_of(&resource) } else { None }
    }

    fn hidden(&self) -> u64 {
        self.names.values().filter(|hidden| **hidden).count() as u64
    }
}

/// The project that a resource is about; links to other places name none.
fn page_of(resource: &Resource) -> Option<ProjectName> {
    match &resource.kind {
        Kind::Page(name) | Kind::LegacyJson(name) => Some(name.clone()),
        Kind::Web => {
            let (route, rest) = resource.target.strip_prefix('/')?.split_once('/')?;
            let name = rest.split(['/', '?']).next()?;
            matches!(route, "project" | "p" | "pypi").then(|| ProjectName::parse(name).ok()).flatten()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
