//! Finds the column of something whose line is known, by reading the file once more.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::policy::Place;

/// Where something stands, as editors count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Location {
    /// The file, as its user names it.
    pub(super) file: String,
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
}

/// The files that places are in.
#[derive(Debug, Default)]
pub(super) struct Files {
    texts: HashMap<Arc<Path>, Option<String>>,
}

impl Location {
    pub(super) fn new(place: &Place, column: usize) -> Self {
        Self { file: place.file.display().to_string(), line: place.line, column }
    }
}

impl Files {
    /// Where `marked` stands on the line of `place`; the line's first word if it isn't found there.
    pub(super) fn locate(&mut self, place: &Place, marked: Option<&str>) -> Location {
        let file = Arc::clone(&place.file);
        let text = self.texts.entry(file).or_insert_with_key(|file| std::fs::read_to_string(file).ok());
        let line = text.as_deref().and_then(|text| text.lines().nth(place.line.saturating_sub(1)));
        Location::new(place, line.map_or(1, |line| column(line, marked)))
    }
}

fn column(line: &str, marked: Option<&str>) -> usize {
    // As a whole string first: `acme` is a part of `acme-core`, too.
    let quoted = |quote: char| marked.and_then(|text| line.find(&format!("{quote}{text}{quote}")));
    let at = quoted('"').or_else(|| quoted('\'')).or_else(|| line.find(|letter: char| !letter.is_whitespace()));
    line.get(..at.unwrap_or_default()).unwrap_or_default().chars().count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_string_is_found() {
        let line = "  names = [\"acme-core\", 'acme', \"\u{fc}\", \"x\"]";
        for (marked, expected) in
            [(Some("acme-core"), 12), (Some("acme"), 25), (Some("x"), 38), (Some("core"), 3), (None, 3)]
        {
            assert_eq!(column(line, marked), expected, "{marked:?}");
        }
        assert_eq!(column("", None), 1);
    }
}
