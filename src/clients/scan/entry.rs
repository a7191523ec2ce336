//! One package as a lock file, an environment or a cache holds it.

/// What a format's reader finds, before anybody judges it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// The project as written.
    pub(super) project: String,
    /// Its version as written.
    pub(super) version: Option<String>,
    /// The line it stands on, from 1; none where a line says nothing.
    pub(super) line: Option<usize>,
    /// Everything that it is said to come from: URLs of indexes and of files.
    pub(super) urls: Vec<String>,
    /// Whether it is required by one of those URLs, so that no index has a say.
    pub(super) direct: bool,
    /// Names of its files, where no URL has them.
    pub(super) files: Vec<String>,
    /// The tool that wrote it, where the place of it doesn't tell.
    pub(super) by: Option<String>,
    /// What stands for its origin when no URL is on an intercepted host.
    pub(super) otherwise: Otherwise,
}

/// The origin of an entry none of whose URLs is on an intercepted host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// Another index, a repository, a folder: it isn't the public index's.
    #[default]
    Elsewhere,
    /// Nobody knows; the public index is possible. The words say why.
    Unknown(&'static str),
}

impl Otherwise {
    /// For a lock that names no index where it could.
    pub(super) const NO_INDEX: Self = Self::Unknown("a lock that names no index");
}
