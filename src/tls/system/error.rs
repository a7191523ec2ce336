//! Why the system's trust store can't be looked at or changed, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::tls::CaError;

/// What is wrong with the store, or with what should be in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// None that we know.
    #[error(
        "found no trust store of the system's (looked for {looked_for}): install the package `ca-certificates`; on a system with another one, hand out `namewall ca export` by its own means"
    )]
    NoStore {
        /// The tools.
        looked_for: String,
    },
    /// The store's folder is there, its tool is not.
    #[error("`{folder}` is there, but `{tool}` is not: install the package `{package}`")]
    NoTool {
        /// The folder.
        folder: PathBuf,
        /// The tool.
        tool: &'static str,
        /// What it is in.
        package: &'static str,
    },
    /// Only root may change it.
    #[error("no permission to change {}", path.display())]
    Permission {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file of the store can't be read or written.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The tool failed.
    #[error("`{command}` failed: {said}")]
    Tool {
        /// How it was called.
        command: String,
        /// What it said.
        said: String,
    },
    /// The tool ended well, and yet.
    #[error(
        "the tool of {store} ran without an error, but the store does not hold `{subject}` now; has somebody distrusted it there?"
    )]
    NotTaken {
        /// The store.
        store: String,
        /// The certificate's.
        subject: String,
    },
    /// As above, for a removal.
    #[error(
        "the tool of {store} ran without an error, but the store still holds `{subject}`: was it put there another way, too?"
    )]
    NotGone {
        /// The store.
        store: String,
        /// The certificate's.
        subject: String,
    },
    /// The organisation's root is what clients trust, and ours to install it is not.
    #[error(
        "{} was issued by `{issuer}`: that root is what clients have to trust, and your organisation is who installs it",
        path.display()
    )]
    Organisations {
        /// The certificate's file.
        path: PathBuf,
        /// Who issued it.
        issuer: String,
    },
    /// The certificate is none that should be in a store.
    #[error(transparent)]
    Ca(#[from] CaError),
}

impl StoreError {
    /// What the system said of `path`.
    pub(super) fn of(path: &Path, reason: io::Error) -> Self {
        if reason.kind() == io::ErrorKind::PermissionDenied || reason.kind() == io::ErrorKind::ReadOnlyFilesystem {
            return Self::Permission { path: path.to_owned() };
        }
        Self::File { path: path.to_owned(), reason }
    }
}
