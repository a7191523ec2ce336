//! The clients that can play.

use std::fmt;

/// A client that can play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// The virtual environment's own pip.
    #[default]
    Pip,
    /// The uv that is on the `PATH`.
    Uv,
    /// The Poetry that is on the `PATH`.
    Poetry,
}

impl Client {
    /// Its command.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Uv => "uv",
            Self::Poetry => "poetry",
        }
    }

    /// The command that brings it.
    #[must_use]
    pub const fn install(self) -> &'static str {
        match self {
            Self::Pip => "python3 -m ensurepip",
            Self::Uv => "pipx install uv",
            Self::Poetry => "pipx install poetry",
        }
    }

    /// What people mostly run of it.
    pub(super) const fn usual(self) -> &'static str {
        match self {
            Self::Pip => "pip install ...",
            Self::Uv => "uv sync",
            Self::Poetry => "poetry install",
        }
    }

    /// Why the stranger's package is taken, when nothing keeps it away.
    pub(super) const fn weakness(self) -> &'static str {
        match self {
            Self::Pip => "pip takes the highest version, whichever index has it",
            Self::Uv => "uv takes what the first --index has, if it knows the name",
            Self::Poetry => "Poetry asks a supplemental source only for what PyPI doesn't have",
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
