//! Distribution file names, and the projects that each could belong to.

use super::project::ProjectName;

/// The last segment of a file's URL, percent-decoded: printable, without a slash, at most 255 bytes. Kept as written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FileName(Box<str>);

/// Why some bytes are not a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFileName {
    /// There is nothing, or only dots.
    #[error("a file name is not empty and not `.` or `..`")]
    Empty,
}

/// The projects that a file could belong to, judging by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Every project that some client would take the file for; most likely first; no duplicates.
    pub projects: Vec<ProjectName>,
    /// Whether the form of the name leaves no choice (wheels, eggs, sdists with one possible split).
    pub certain: bool,
}

impl FileName {
    /// Takes the decoded last segment of a URL's path.
    ///
    /// # Errors
    /// [`InvalidFileName`] if no distribution can have it.
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, InvalidFileName> {
        let _ = raw;
        todo!()
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The projects that it could belong to.
    #[must_use]
    pub fn candidates(&self) -> Candidates {
        todo!()
    }
}

// Stand-in until the room is written.
impl FileName {
    /// The name without its siblings' suffixes.
    #[must_use]
    pub fn distribution(&self) -> &str {
        &self.0
    }
}
