//! One pattern on project names or on file names: parsed, folded, and refused when it can't be what was meant.

use super::rule::Place;

/// A pattern on normalized project names. Matches the whole name.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    folded: String,
    place: Option<Place>,
}

/// A pattern on raw file names. Matches the whole name, as written (case counts).
#[derive(Clone, Debug)]
pub struct FilePattern {
    written: String,
    place: Option<Place>,
}

/// Why a pattern is refused; the message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Nothing is written.
    #[error("an empty pattern matches nothing")]
    Empty,
}

impl Pattern {
    /// Parses `written`: a bare word, a word with `*` and `?`, or `re:` and an expression.
    ///
    /// # Errors
    /// [`PatternError`] if it isn't a pattern, or one that no folded name could ever match.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        let _ = written;
        todo!()
    }

    /// The same pattern, knowing where it was written.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Where it was written; `None` on the command line.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// As its author wrote it.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// As it is compared: folded as project names are.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether every valid project name matches.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        todo!()
    }
}

impl FilePattern {
    /// Parses `written`: a file name, one with `*` and `?`, or `re:` and an expression.
    ///
    /// # Errors
    /// [`PatternError`] if it isn't a pattern.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        let _ = written;
        todo!()
    }

    /// The same pattern, knowing where it was written.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Where it was written; `None` on the command line.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// As its author wrote it.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether every file name matches.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        todo!()
    }
}
