//! One pattern on project names: parsed, folded as names are, and refused when it can't be what was meant.

pub use super::file_pattern::FilePattern;
pub use super::pattern_error::PatternError;

use std::sync::Arc;

use super::expression::{self, Fault};
use super::language::Language;
use super::remedy;
use super::rule::Place;
use crate::name::project::MAX_NAME;

/// What an expression begins with.
pub(super) const EXPRESSION: &str = "re:";

/// A pattern on normalized project names. Matches the whole name.
///
/// Cheap to clone, and compact: rules of a hundred thousand names are read, kept and compiled.
#[derive(Clone, Debug)]
pub struct Pattern {
    words: Arc<Words>,
    place: Option<Place>,
}

/// What a pattern says, wherever it stands.
#[derive(Debug)]
struct Words {
    written: Box<str>,
    /// `None` if it is folded as it is written.
    folded: Option<Box<str>>,
    form: Form,
    everything: bool,
}

/// How a pattern is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The whole text.
    Exact,
    /// Everything that begins with the text before the `*`.
    Prefix,
    /// An expression, not yet anchored.
    Expression(Box<str>),
}

/// What a [`Matcher`](super::matcher::Matcher) needs to know of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// This text and no other.
    Exact(&'a str),
    /// Every text that begins so.
    Prefix(&'a str),
    /// Every text that the expression matches from end to end.
    Expression(&'a str),
}

impl Pattern {
    /// Parses `written`: a bare word, a word with `*` and `?`, or `re:` and an expression.
    ///
    /// # Errors
    /// [`PatternError`] if it isn't a pattern, or one that no folded name could ever match.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        trimmed(written)?;
        match written.strip_prefix(EXPRESSION) {
            Some(source) => Self::expression(written, source),
            None => Self::words(written),
        }
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
        &self.words.written
    }

    /// As it is compared: folded as project names are. An expression is compared as written.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.words.folded.as_deref().unwrap_or(&self.words.written)
    }

    /// Whether every valid project name matches.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        self.words.everything
    }

    /// How it is looked for.
    pub(super) fn kind(&self) -> Kind<'_> {
        self.words.form.kind(self.folded())
    }

    /// What a [`Match`](super::Match) shows: as written, as compared, and where.
    pub(super) fn shown(&self) -> (&str, &str, Option<&Place>) {
        (self.written(), self.folded(), self.place.as_ref())
    }

    fn expression(written: &str, source: &str) -> Result<Self, PatternError> {
        let coverage = expression::examine(source, Language::Projects).map_err(|fault| fault.at(written))?;
        if !coverage.some {
            return Err(PatternError::NeverMatches {
                written: written.to_owned(),
                meant: remedy::folded_expression(source),
            });
        }
        let form = Form::Expression(source.into());
        Ok(Self::new(written, None, form, coverage.all))
    }

    fn words(written: &str) -> Result<Self, PatternError> {
        let folded = fold(written)?;
        let literals = folded.bytes().filter(|&byte| byte != b'*').count();
        if literals > MAX_NAME {
            return Err(PatternError::TooLong);
        }
        // No dash stands alone at an end, so only wildcards can begin a name that has no letter in its pattern.
        let everything = folded.contains('*') && matches!(folded.replace('*', "").as_str(), "" | "?");
        let form = Form::of_glob(&folded);
        Ok(Self::new(written, Some(folded).filter(|folded| folded != written), form, everything))
    }

    fn new(written: &str, folded: Option<String>, form: Form, everything: bool) -> Self {
        let folded = folded.map(String::into_boxed_str);
        Self { words: Arc::new(Words { written: written.into(), folded, form, everything }), place: None }
    }
}

impl Form {
    /// The cheapest way to look for `glob`.
    pub(super) fn of_glob(glob: &str) -> Self {
        match glob.find(['*', '?']) {
            None => Self::Exact,
            Some(at) if at + 1 == glob.len() && glob.ends_with('*') => Self::Prefix,
            Some(_) => Self::Expression(expression::from_glob(glob).into()),
        }
    }

    /// The form and its text.
    pub(super) fn kind<'a>(&'a self, text: &'a str) -> Kind<'a> {
        match self {
            Self::Exact => Kind::Exact(text),
            Self::Prefix => Kind::Prefix(text.strip_suffix('*').unwrap_or(text)),
            Self::Expression(source) => Kind::Expression(source),
        }
    }
}

impl Fault {
    /// The same, of the pattern `written`.
    pub(super) fn at(self, written: &str) -> PatternError {
        let written = written.to_owned();
        match self {
            Self::Syntax(complaint) => PatternError::Syntax { written, complaint },
            Self::TooLarge => PatternError::TooLarge { written },
        }
    }
}

/// Refuses what is empty, or has white space around it.
pub(super) fn trimmed(written: &str) -> Result<(), PatternError> {
    let trimmed = written.trim();
    if trimmed.is_empty() || trimmed == EXPRESSION {
        return Err(PatternError::Empty);
    }
    if trimmed.len() < written.len() {
        return Err(PatternError::Whitespace { written: written.to_owned(), meant: trimmed.to_owned() });
    }
    Ok(())
}

/// Folds a word or a glob as PEP 503 folds names; a run of `*` says no more than one does.
fn fold(written: &str) -> Result<String, PatternError> {
    let mut folded = String::with_capacity(written.len());
    for letter in written.chars() {
        match letter {
            'a'..='z' | '0'..='9' | '?' => folded.push(letter),
            'A'..='Z' => folded.push(letter.to_ascii_lowercase()),
            '-' | '_' | '.' if folded.ends_with('-') => {}
            '-' | '_' | '.' => folded.push('-'),
            '*' if folded.ends_with('*') => {}
            '*' => folded.push('*'),
            found => return Err(remedy::foreign_character(written, found)),
        }
    }
    if folded.starts_with('-') || folded.ends_with('-') {
        return Err(remedy::dash_at_an_end(written, &folded));
    }
    Ok(folded)
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
