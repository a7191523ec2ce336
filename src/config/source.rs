//! The text of one config file: where it came from, and which line and column a byte of it is on.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::policy::Place;

/// A config file's text, with the name under which its mistakes are shown.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file as its user names it.
    pub(super) shown: Arc<Path>,
    /// Where it really is; `None` for the built-in default.
    pub(super) path: Option<PathBuf>,
    /// The folder that relative paths in it start from.
    pub(super) folder: PathBuf,
    /// What it says.
    pub(super) text: String,
    /// Where its lines begin.
    pub(super) lines: Lines,
}

/// Where the lines of a text begin, found when it is first asked: each of a hundred thousand patterns asks for its line.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(OnceLock<Vec<usize>>);

/// One line of a [`Source`], and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    /// The line's number, from 1.
    pub(super) line: usize,
    /// The first marked character's number, from 1.
    pub(super) column: usize,
    /// How many characters are marked, at least 1.
    pub(super) width: usize,
    /// The whole line.
    pub(super) text: String,
}

impl Source {
    /// The line on which `offset` lies, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let behind_newlines = || self.text.match_indices('\n').map(|(at, _)| at + 1).collect();
        self.lines.0.get_or_init(behind_newlines).partition_point(|start| *start <= offset) + 1
    }

    /// The same, as a rule remembers it.
    pub(super) fn place(&self, offset: usize) -> Place {
        Place { file: Arc::clone(&self.shown), line: self.line(offset) }
    }

    /// The line on which `span` begins, and as much of `span` as is on it.
    pub(super) fn mark(&self, span: &Range<usize>) -> Marked {
        let before = self.before(span.start);
        let start_of_line = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = self.text.get(start_of_line..).unwrap_or_default();
        let text = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let front = before.len() - start_of_line;
        let tail = text.get(front..).unwrap_or_default();
        let marked = tail.get(..span.len()).unwrap_or(tail);
        Marked {
            line: self.line(span.start),
            column: text.get(..front).unwrap_or(text).chars().count() + 1,
            width: marked.chars().count().max(1),
            text: text.to_owned(),
        }
    }

    /// The text before `offset`, which is moved back to a character's border and into the text.
    fn before(&self, offset: usize) -> &str {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        self.text.get(..offset).unwrap_or_default()
    }
}

#[cfg(test)]
impl Source {
    /// A config that is called `namewall.toml` in messages, and that no file holds.
    pub(super) fn of_text(text: &str) -> Self {
        let shown = Path::new("namewall.toml");
        Self { shown: shown.into(), path: None, folder: PathBuf::new(), text: text.to_owned(), lines: Lines::default() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_characters_from_1() {
        let source = Source::of_text("a = 1\r\nb\u{fc}\u{df} = \"x\"\n");
        let mark = |span: Range<usize>| {
            let marked = source.mark(&span);
            (marked.line, marked.column, marked.width, marked.text)
        };
        assert_eq!(mark(0..1), (1, 1, 1, "a = 1".to_owned()));
        assert_eq!(mark(7..12), (2, 1, 3, "b\u{fc}\u{df} = \"x\"".to_owned()));
        assert_eq!(mark(15..18), (2, 7, 3, "b\u{fc}\u{df} = \"x\"".to_owned()));
        // A span over several lines is marked to the end of its first; one behind the end has a caret of its own.
        assert_eq!(mark(4..18), (1, 5, 1, "a = 1".to_owned()));
        assert_eq!(mark(19..19), (3, 1, 1, String::new()));
    }

    proptest! {
        #[test]
        fn any_span_is_marked_without_a_panic(text in "[a\u{fc}\n\r\t\"]{0,40}", start in 0..50usize, len in 0..50usize) {
            let marked = Source::of_text(&text).mark(&(start..start + len));
            prop_assert!(marked.line >= 1 && marked.column >= 1 && marked.width >= 1);
            prop_assert!(marked.column + marked.width <= marked.text.chars().count() + 2);
        }
    }
}
