//! Why a pattern is refused, and what to write instead.

use std::fmt::{self, Write};

use crate::name::file::MAX_FILE_NAME;
use crate::name::project::MAX_NAME;

/// Why a pattern is refused; the message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Nothing is written.
    #[error("an empty pattern matches nothing: write a name, or `acme-*` for all that begins so")]
    Empty,
    /// White space before or behind it.
    #[error("`{}` has white space around it: write `{}`", Written(.written), Written(.meant))]
    Whitespace {
        /// As written.
        written: String,
        /// Without the white space.
        meant: String,
    },
    /// Longer than any name.
    #[error("a project name has at most {MAX_NAME} characters, so this pattern could never match")]
    TooLong,
    /// A character that no project name has.
    #[error("`{}` has {} in it, which no project name has{remedy}", Written(.written), Letter(*.found))]
    Character {
        /// As written.
        written: String,
        /// The first such character.
        found: char,
        /// What to write instead.
        remedy: Remedy,
    },
    /// A separator at an end, where no name has one.
    #[error("`{written}` {} with a separator, which no project name does{remedy}", if *.leading { "begins" } else { "ends" })]
    Edge {
        /// As written.
        written: String,
        /// Whether it begins so, or only ends so.
        leading: bool,
        /// What to write instead.
        remedy: Remedy,
    },
    /// No normalized name could match the expression.
    #[error(
        "`{}` can never match: names are compared in lower case, with one `-` for each run of `-`, `_` and `.`{}",
        Written(.written), Instead(.meant.as_deref())
    )]
    NeverMatches {
        /// As written.
        written: String,
        /// The folded expression, if that could match.
        meant: Option<String>,
    },
    /// The expression is none.
    #[error("`{}` is not an expression: {complaint}", Written(.written))]
    Syntax {
        /// As written.
        written: String,
        /// The parser's complaint, in one line.
        complaint: String,
    },
    /// The expression would need too much memory.
    #[error("`{}` is too large an expression: its counted repetitions multiply, write it with `*` or `+`", Written(.written))]
    TooLarge {
        /// As written.
        written: String,
    },
    /// A character that no file name has.
    #[error("`{}` has {} in it, which no file name has: match the last part of the URL alone", Written(.written), Letter(*.found))]
    FileCharacter {
        /// As written.
        written: String,
        /// The first such character.
        found: char,
    },
    /// No file name could match.
    #[error("`{}` can never match: a file name is printable ASCII without slashes, at most {MAX_FILE_NAME} characters long", Written(.written))]
    NoFile {
        /// As written.
        written: String,
    },
}

/// What to write instead of a pattern that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// This pattern.
    Pattern(String),
    /// The first pattern, or the second for all names that begin, or end, so.
    Either(String, String),
    /// A rule for writing patterns, since what was meant can't be told.
    Advice(&'static str),
}

/// A pattern in a message of one line, whatever is in it.
pub(super) struct Written<'a>(pub(super) &'a str);

struct Letter(char);

struct Instead<'a>(Option<&'a str>);

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(meant) => write!(f, ": write `{}`", Written(meant)),
            Self::Either(word, wildcard) => write!(f, ": write `{word}`, or `{wildcard}` with anything in that place"),
            Self::Advice(advice) => write!(f, ": {advice}"),
        }
    }
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            letter if letter.is_control() => write!(f, "{}", letter.escape_default()),
            letter => f.write_char(letter),
        })
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a space"),
            letter if letter.is_control() => write!(f, "the control character U+{:04X}", u32::from(letter)),
            letter => write!(f, "a `{letter}`"),
        }
    }
}

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |meant| write!(f, ": write `{}`", Written(meant)))
    }
}
