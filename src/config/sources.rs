//! All files of one config laid end to end, so that an offset says which file it is in, and where.

use std::ops::Range;
use std::path::Path;

use super::source::{Marked, Source};
use crate::policy::Place;

/// The config file first, then whatever else has a say, in the order in which it is read.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    first: Source,
    others: Vec<(usize, Source)>,
}

impl Sources {
    /// The config file alone.
    pub(super) const fn new(config: Source) -> Self {
        Self { first: config, others: Vec::new() }
    }

    /// Appends `source`; gives the offset at which it starts.
    pub(super) fn push(&mut self, source: Source) -> usize {
        let (start, last) = self.others.last().map_or((0, &self.first), |(start, last)| (*start, last));
        // One more than its length, for a mistake may stand at the very end of a file.
        let start = start + last.text.len() + 1;
        self.others.push((start, source));
        start
    }

    /// The config file.
    pub(super) const fn config(&self) -> &Source {
        &self.first
    }

    /// Each with the offset at which it starts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Source)> {
        let others = self.others.iter().map(|(start, source)| (*start, source));
        std::iter::once((0, &self.first)).chain(others)
    }

    /// The one that `offset` is in, and the offset at which it starts.
    pub(super) fn at(&self, offset: usize) -> (usize, &Source) {
        let others = self.others.get(..self.others.partition_point(|(start, _)| *start <= offset));
        others.and_then(<[_]>::last).map_or((0, &self.first), |(start, source)| (*start, source))
    }

    /// The file and line of `offset`.
    pub(super) fn place(&self, offset: usize) -> Place {
        let (start, source) = self.at(offset);
        source.place(offset.saturating_sub(start))
    }

    /// The line on which `span` begins, and as much of `span` as is on it.
    pub(super) fn mark(&self, span: &Range<usize>) -> Marked {
        let (start, source) = self.at(span.start);
        source.mark(&(span.start.saturating_sub(start)..span.end.saturating_sub(start)))
    }

    /// Where a relative path that is written at `offset` starts from.
    pub(super) fn folder(&self, offset: usize) -> &Path {
        &self.at(offset).1.folder
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::source::Role;

    #[test]
    fn an_offset_is_in_the_file_that_it_was_laid_in() {
        let mut sources = Sources::new(Source::of_text("ab\n"));
        let other =
            |name: &str, text: &str| Source::new(Path::new(name), Role::Rules, None, PathBuf::new(), text.to_owned());
        assert_eq!(sources.push(other("empty", "")), 4);
        assert_eq!(sources.push(other("c", "c\nd")), 5);
        let places: Vec<_> = (0..=9).map(|offset| sources.place(offset).to_string()).collect();
        let first = ["namewall.toml:1"; 3].into_iter().chain(["namewall.toml:2", "empty:1"]);
        let expected: Vec<_> = first.chain(["c:1", "c:1", "c:2", "c:2", "c:2"]).collect();
        assert_eq!(places, expected);
        assert_eq!(sources.mark(&(7..8)), Marked { line: 2, column: 1, width: 1, text: "d".to_owned() });
        assert_eq!(sources.iter().map(|(start, _)| start).collect::<Vec<_>>(), [0, 4, 5]);
    }
}
