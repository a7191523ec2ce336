//! One pattern on file names: compared as written, since file names are not folded.

use super::expression;
use super::language::Language;
use super::pattern::{EXPRESSION, Form, Kind, trimmed};
use super::pattern_error::PatternError;
use super::rule::Place;
use crate::name::file::{MAX_FILE_NAME, is_file_byte};

/// A pattern on raw file names. Matches the whole name, as written (case counts).
#[derive(Clone, Debug)]
pub struct FilePattern {
    written: String,
    form: Form,
    everything: bool,
    place: Option<Place>,
}

impl FilePattern {
    /// Parses `written`: a file name, one with `*` and `?`, or `re:` and an expression.
    ///
    /// # Errors
    /// [`PatternError`] if it isn't a pattern, or one that no file name could ever match.
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

    /// As its author wrote it, and as it is compared.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether every file name matches.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        self.everything
    }

    /// How it is looked for.
    pub(super) fn kind(&self) -> Kind<'_> {
        self.form.kind(&self.written)
    }

    /// What a [`Match`](super::Match) shows: as written, as compared, and where.
    pub(super) fn shown(&self) -> (&str, &str, Option<&Place>) {
        (&self.written, &self.written, self.place.as_ref())
    }

    fn expression(written: &str, source: &str) -> Result<Self, PatternError> {
        let coverage = expression::examine(source, Language::Files).map_err(|fault| fault.at(written))?;
        if !coverage.some {
            return Err(PatternError::NoFile { written: written.to_owned() });
        }
        let form = Form::Expression(source.into());
        Ok(Self { written: written.to_owned(), form, everything: coverage.all, place: None })
    }

    fn words(written: &str) -> Result<Self, PatternError> {
        if let Some(found) = written.chars().find(|&letter| !u8::try_from(letter).is_ok_and(is_file_byte)) {
            return Err(PatternError::FileCharacter { written: written.to_owned(), found });
        }
        let literals = written.bytes().filter(|&byte| byte != b'*').count();
        if literals > MAX_FILE_NAME || matches!(written, "." | "..") {
            return Err(PatternError::NoFile { written: written.to_owned() });
        }
        let everything = written.contains('*') && matches!(written.replace('*', "").as_str(), "" | "?");
        Ok(Self { written: written.to_owned(), form: Form::of_glob(written), everything, place: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (written, kind) in [
            ("acme-1.0.zip", Kind::Exact("acme-1.0.zip")),
            ("Acme_*", Kind::Prefix("Acme_")),
            ("*.egg", Kind::Expression("(?s:.*)\\.egg")),
            ("acme[1].zip", Kind::Exact("acme[1].zip")),
            ("re:acme_.*[.]whl", Kind::Expression("acme_.*[.]whl")),
        ] {
            assert_eq!(FilePattern::parse(written).unwrap().kind(), kind, "{written}");
        }
    }

    #[test]
    fn patterns_that_match_everything() {
        for (written, everything) in [
            ("*", true),
            ("?*", true),
            ("**", true),
            ("re:.*", true),
            ("??*", false),
            ("*.egg", false),
            ("re:[a-z].*", false),
        ] {
            assert_eq!(FilePattern::parse(written).unwrap().matches_everything(), everything, "{written}");
        }
    }

    #[test]
    fn patterns_that_no_file_matches_are_refused() {
        for written in ["", "re:", " acme.zip", "dist/acme.zip", "acm\u{e9}.zip", ".", "re:dist/.*", "re:(", "re:\\n"] {
            assert!(FilePattern::parse(written).is_err(), "{written}");
        }
        assert_eq!(
            FilePattern::parse("dist/*.zip").unwrap_err().to_string(),
            "`dist/*.zip` has a `/` in it, which no file name has: match the last part of the URL alone"
        );
    }
}
