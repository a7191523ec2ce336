//! Collects whatever a piece of a URL could name, where no route says what stands there.

use percent_encoding::percent_decode_str;

use crate::name::{FileName, ProjectName};
use crate::pypi::borne::Release;

/// Query keys whose values are searches: `/search/?q=…`, `/pypi?:action=search&term=…`. Each word may be a name.
const SEARCH_KEYS: [&str; 4] = ["name", "q", "term", "project"];

/// Query keys of PyPI's own. Any other may be a name itself.
const OWN_KEYS: [&str; 16] = [
    ":action", "c", "format", "name", "next", "o", "page", "project", "q", "serial", "sort", "term", "token",
    "username", "version", "",
];

/// The names in a URL.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    pub(super) projects: Vec<ProjectName>,
    pub(super) files: Vec<FileName>,
    pub(super) releases: Vec<Release>,
}

impl Mentions {
    /// The release of the last project that was named, if `version` is one.
    pub(super) fn release(&mut self, version: &str) {
        let releases = self.projects.last().cloned().map(|project| Release { project, version: version.to_owned() });
        self.releases.extend(releases);
    }

    /// Whatever each of `segments` could name.
    pub(super) fn segments<'s>(&mut self, segments: impl IntoIterator<Item = &'s str>) {
        segments.into_iter().for_each(|segment| self.text(segment));
    }

    /// Whatever `text` could name, also to a server that decodes once more or folds what isn't ASCII.
    pub(super) fn text(&mut self, text: &str) {
        self.plain(text);
        if text.contains('%') {
            self.plain(&percent_decode_str(text).decode_utf8_lossy());
        }
        if !text.is_ascii() {
            self.plain(&folded(text));
        }
    }

    fn plain(&mut self, text: &str) {
        // Some routers cut `;parameters` off a segment.
        for part in text.split(';') {
            self.projects.extend(ProjectName::parse(part.trim()));
            if part.contains('.') {
                self.files.extend(FileName::parse(part));
            }
        }
    }

    /// Whatever a query could name: each key that isn't PyPI's own, each value, each segment of a value that is a path, and each word of a search.
    pub(super) fn query(&mut self, query: &str) {
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            // The route names the action, and nothing else does.
            if key == ":action" {
                continue;
            }
            if !OWN_KEYS.contains(&key.as_ref()) {
                self.segments(key.split(['/', '[', ']']));
            }
            self.segments(value.split(['/', '?', '&', '=', '#']));
            if SEARCH_KEYS.contains(&key.as_ref()) {
                let separates = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
                value.split(separates).for_each(|word| self.text(word.trim_matches(['-', '_', '.'])));
            }
        }
    }
}

/// As a database folds case: U+212A is a `k`, U+0130 an `i` (with a dot that is cut off).
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).filter(|c| *c != '\u{307}').collect()
}
