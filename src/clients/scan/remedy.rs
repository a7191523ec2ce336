//! The command of each tool that puts a finding right.

use crate::shown::quoted;

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

    /// What puts the project right. A lock is resolved again once namewall (or the config of the tool) keeps the public
    /// project away.
    pub(super) fn remedy(self, case: &Case<'_>) -> String {
        let again = self.again(case);
        if !case.direct {
            return again;
        }
        // A URL is installed whatever the indexes are, and locked again as often as it is required.
        let required = case.required();
        let locked_from = match self {
            Self::Uv | Self::Poetry | Self::Pdm => "in pyproject.toml",
            Self::Pipenv => "in the Pipfile",
            Self::Pylock => "where this was locked from",
            Self::Requirements if case.by.is_some() => "where this was compiled from",
            Self::Requirements if case.other.is_some() => return format!("remove the URL: write `{required}`"),
            Self::Requirements => {
                let index = case.index();
                return format!(
                    "remove the URL: write `{required}==` and your version, and install with --index-url {index}"
                );
            }
            _ => return again,
        };
        format!("write `{required}` in place of the URL {locked_from}, then {again}")
    }

    fn again(self, case: &Case<'_>) -> String {
        let Case { project, by, file, .. } = *case;
        let wanted = quoted(case.required());
        let from = |option: &str| match case.other {
            // It is PyPI's own project, and only some releases of it are hidden.
            Some(_) => String::new(),
            None => format!(" {option} {}", quoted(case.index())),
        };
        match self {
            Self::Uv => format!("uv lock --upgrade-package {project}"),
            // `poetry lock` alone keeps what is locked.
            Self::Poetry => format!("poetry update --lock {project}"),
            Self::Pdm => format!("pdm update --no-sync {project}"),
            Self::Pipenv => format!("pipenv upgrade {project}"),
            Self::Pylock if by == Some("uv") => {
                let file = quoted(file);
                format!("uv lock --upgrade-package {project}, then uv export --format pylock.toml -o {file}")
            }
            Self::Pylock if by == Some("pdm") => format!("pdm update --no-sync {project}"),
            Self::Pylock => format!("pip lock{} -r requirements.txt -o {}", from("--index-url"), quoted(file)),
            Self::Requirements => match by {
                Some("pip-compile") => format!("pip-compile{} --upgrade-package {wanted}", from("--index-url")),
                Some("uv pip compile") => {
                    let emit = if case.other.is_some() { "" } else { " --emit-index-url" };
                    format!("uv pip compile{}{emit} --upgrade-package {wanted}", from("--default-index"))
                }
                Some("uv export") => format!("uv lock --upgrade-package {project}, then uv export again"),
                _ if case.other.is_some() => format!("write `{}`, then compile its hashes anew", case.required()),
                _ => format!("put `--index-url {}` into the file, then compile its hashes anew", case.index()),
            },
            Self::Pyproject => format!("write `{}` without its URL", case.required()),
            Self::Installed if by == Some("uv") => {
                let again = format!("--reinstall-package {project} --refresh-package {project}");
                format!("uv pip install {again}{} {wanted}", from("--default-index"))
            }
            Self::Installed if case.other.is_some() => format!("pip install --upgrade {wanted}"),
            Self::Installed => {
                let again = "--force-reinstall --no-deps --no-cache-dir";
                format!("pip install {again}{} {wanted}", from("--index-url"))
            }
            // `pip cache remove` knows the wheels that pip built, not what it fetched.
            Self::PipHttpCache => "pip cache purge".to_owned(),
            Self::PipWheelCache => format!("pip cache remove {project}"),
            Self::UvCache => format!("uv cache clean {project}"),
        }
    }
}

/// What a remedy depends on.
#[derive(Debug)]
pub(super) struct Case<'a> {
    /// What is to be put right.
    pub(super) project: &'a str,
    /// What takes another release, where that helps: then only some are hidden.
    pub(super) other: Option<String>,
    /// Where the private one is.
    pub(super) index: Option<&'a str>,
    /// The tool that wrote it.
    pub(super) by: Option<&'a str>,
    /// The name of the file in which it was found.
    pub(super) file: &'a str,
    /// Whether it is required by a URL.
    pub(super) direct: bool,
}

impl Case<'_> {
    fn index(&self) -> &str {
        self.index.unwrap_or("YOUR-INDEX")
    }

    /// What is to be required instead.
    fn required(&self) -> &str {
        self.other.as_deref().unwrap_or(self.project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps() {
        let (index, url) = (Some("https://pypi.acme.example/simple/"), true);
        let acme = |file, by, direct| Case { project: "acme-core", other: None, index, by, file, direct };
        let other = |direct| Case {
            project: "urllib3",
            other: Some("urllib3>=2".to_owned()),
            index: None,
            ..acme("requirements.txt", None, direct)
        };
        for (tool, case, remedy) in [
            (
                Tool::Requirements,
                acme("requirements.txt", None, url),
                "remove the URL: write `acme-core==` and your version, and install with \
                 --index-url https://pypi.acme.example/simple/",
            ),
            (
                Tool::Uv,
                acme("uv.lock", None, url),
                "write `acme-core` in place of the URL in pyproject.toml, then uv lock --upgrade-package acme-core",
            ),
            (
                Tool::Pylock,
                acme("pylock.dev.toml", None, false),
                "pip lock --index-url https://pypi.acme.example/simple/ -r requirements.txt -o pylock.dev.toml",
            ),
            (Tool::Requirements, other(false), "write `urllib3>=2`, then compile its hashes anew"),
            (Tool::Requirements, other(url), "remove the URL: write `urllib3>=2`"),
            (Tool::Installed, other(false), "pip install --upgrade 'urllib3>=2'"),
        ] {
            assert_eq!(tool.remedy(&case), remedy);
        }
    }
}
