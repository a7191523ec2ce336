//! The command of each tool that puts a finding right.

/// Whose file, environment or cache a finding is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`.
    Poetry,
    /// `pdm.lock`.
    Pdm,
    /// `Pipfile.lock`.
    Pipenv,
    /// `pylock.toml` (PEP 751).
    Pylock,
    /// A requirement file or a constraint file.
    Requirements,
    /// `pyproject.toml`.
    Pyproject,
    /// An environment, whoever installed there.
    Installed,
    /// pip's HTTP cache.
    PipHttpCache,
    /// The wheels that pip built.
    PipWheelCache,
    /// uv's cache.
    UvCache,
}

impl Tool {
    /// The word for it in JSON and SARIF.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Poetry => "poetry",
            Self::Pdm => "pdm",
            Self::Pipenv => "pipenv",
            Self::Pylock => "pylock",
            Self::Requirements => "requirements",
            Self::Pyproject => "pyproject",
            Self::Installed => "installed",
            Self::PipHttpCache => "pip-http-cache",
            Self::PipWheelCache => "pip-wheel-cache",
            Self::UvCache => "uv-cache",
        }
    }

    /// What puts `project` right. A lock is resolved again once namewall (or the config of the tool) keeps the public
    /// project away; `index` is where the private one is, `by` the tool that wrote it.
    pub(super) fn remedy(self, project: &str, index: Option<&str>, by: Option<&str>) -> String {
        let index = index.unwrap_or("YOUR-INDEX");
        match self {
            Self::Uv => format!("uv lock --upgrade-package {project}"),
            // `poetry lock` alone keeps what is locked.
            Self::Poetry => format!("poetry update --lock {project}"),
            Self::Pdm => format!("pdm update --no-sync {project}"),
            Self::Pipenv => format!("pipenv upgrade {project}"),
            Self::Pylock if by == Some("uv") => format!("uv lock --upgrade-package {project}, then uv export again"),
            Self::Pylock if by == Some("pdm") => format!("pdm update --no-sync {project}"),
            Self::Pylock => format!("pip lock --index-url {index} -r requirements.txt -o pylock.toml"),
            Self::Requirements => match by {
                Some("pip-compile") => format!("pip-compile --index-url {index} --upgrade-package {project}"),
                Some("uv pip compile") => {
                    format!("uv pip compile --default-index {index} --emit-index-url --upgrade-package {project}")
                }
                Some("uv export") => format!("uv lock --upgrade-package {project}, then uv export again"),
                _ => format!("put `--index-url {index}` into the file, then compile its hashes anew"),
            },
            Self::Pyproject => format!("write `{project}` without its URL"),
            Self::Installed if by == Some("uv") => {
                format!(
                    "uv pip install --reinstall-package {project} --refresh-package {project} --default-index {index} {project}"
                )
            }
            Self::Installed => {
                format!("pip install --force-reinstall --no-deps --no-cache-dir --index-url {index} {project}")
            }
            // `pip cache remove` knows the wheels that pip built, not what it fetched.
            Self::PipHttpCache => "pip cache purge".to_owned(),
            Self::PipWheelCache => format!("pip cache remove {project}"),
            Self::UvCache => format!("uv cache clean {project}"),
        }
    }
}
