//! Says why an upload must not go on: it would publish what is protected, or it can't be read in one way only.

use std::fmt;

use crate::name::file::InvalidFileName;
use crate::name::{FileName, InvalidName, ProjectName};

/// What helps against a form that no publishing tool writes.
pub(crate) const ADVICE: &str = "publish with a current twine, uv, hatch or poetry";

/// The upload is well-formed and must not reach the index. The proxy answers 403 with [`Refusal::reason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It names something protected.
    #[error(
        "the upload's {0}, which is protected and must not be published on this index; check which repository the \
         publishing tool is set to, and send it to the private one"
    )]
    Protected(Protected),
    /// It declares itself private.
    #[error(
        "the upload has a `Private ::` classifier: its author wants it kept off public indexes; check which repository \
         the publishing tool is set to, or remove the classifier"
    )]
    Private,
}

/// The protected thing that an upload names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protected {
    /// A project, in a `name` field.
    Project(ProjectName),
    /// A file, in any part that has a file name.
    File(FileName),
}

/// The upload can't be trusted to mean the same to the index as to us. The proxy answers 400 with [`BadUpload::reason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadUpload {
    /// The request's `Content-Type`.
    #[error("the upload's Content-Type is not that of one form: {0}; {ADVICE}")]
    ContentType(&'static str),
    /// What stands between the parts, before or behind them.
    #[error("the upload's form is malformed in or after part {part}: {what}; {ADVICE}")]
    Framing {
        /// How many parts began before.
        part: usize,
        /// What was found, or what is missing.
        what: &'static str,
    },
    /// The headers of a part.
    #[error("the headers of the upload's part {part} can't be relied on: {what}; {ADVICE}")]
    Head {
        /// Which part, the first being 1.
        part: usize,
        /// What was found, or what is missing.
        what: &'static str,
    },
    /// A `name` field that names no project.
    #[error(
        "the `name` field in the upload's part {part} is no project's name: {why}; correct it in the package's metadata"
    )]
    Name {
        /// Which part, the first being 1.
        part: usize,
        /// What a name is.
        why: InvalidName,
    },
    /// A file name that no distribution can have.
    #[error("the file in the upload's part {part} has a name that no distribution can have: {why}; rename the file")]
    FileName {
        /// Which part, the first being 1.
        part: usize,
        /// What a file name is.
        why: InvalidFileName,
    },
    /// Larger than any real upload's.
    #[error("the upload's part {part} is over the limit: {what}; {ADVICE}")]
    Limit {
        /// Which part, the first being 1.
        part: usize,
        /// What is limited, and to how much.
        what: &'static str,
    },
    /// It doesn't say what it is an upload of.
    #[error("the upload has no `name` field: it can't be told what it would publish; {ADVICE}")]
    Nameless,
    /// The body ended before the form did.
    #[error("the upload ends in the middle, without its closing boundary; try again")]
    Truncated,
}

/// Why an upload must not go on, either way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It must not be published.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It can't be read.
    #[error(transparent)]
    Bad(#[from] BadUpload),
}

impl Refusal {
    /// The stable, machine-readable reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Protected(_) => "upload-protected",
            Self::Private => "upload-private",
        }
    }
}

impl fmt::Display for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(name) => write!(f, "project is `{name}`"),
            Self::File(name) => write!(f, "file is called `{}`", name.as_str()),
        }
    }
}

impl BadUpload {
    /// The stable, machine-readable reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ContentType(_) => "upload-content-type",
            Self::Framing { .. } => "upload-framing",
            Self::Head { .. } => "upload-part-header",
            Self::Name { .. } => "upload-name",
            Self::FileName { .. } => "upload-file-name",
            Self::Limit { .. } => "upload-limit",
            Self::Nameless => "upload-nameless",
            Self::Truncated => "upload-truncated",
        }
    }
}

impl Rejected {
    /// The stable, machine-readable reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Bad(bad) => bad.reason(),
        }
    }
}
