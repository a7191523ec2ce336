//! Decides by name, and by content where the name says nothing, what a file or a folder is.

use std::path::Path;

use super::remedy::Tool;

/// What a file is by its name.
pub(super) fn file(path: &Path) -> Option<Tool> {
    let name = path.file_name()?.to_str()?;
    Some(match name {
        "uv.lock" => Tool::Uv,
        "poetry.lock" => Tool::Poetry,
        "pdm.lock" => Tool::Pdm,
        "Pipfile.lock" => Tool::Pipenv,
        "pyproject.toml" => Tool::Pyproject,
        // `uv lock --script`
        _ if name.ends_with(".py.lock") => Tool::Uv,
        _ if is_pylock(name) => Tool::Pylock,
        _ if is_requirements(path, name) => Tool::Requirements,
        _ => return None,
    })
}

/// What a file is that the user names, whatever it is called.
pub(super) fn content(text: &str) -> Tool {
    let begins = |begin: &str| text.lines().any(|line| line.trim_start().starts_with(begin));
    match () {
        () if text.trim_start().starts_with('{') => Tool::Pipenv,
        () if begins("[[packages]]") || begins("lock-version") && begins("created-by") => Tool::Pylock,
        () if begins("[[package]]") && begins("requires-python") => Tool::Uv,
        () if begins("[[package]]") && begins("lock_version") => Tool::Pdm,
        () if begins("[[package]]") => Tool::Poetry,
        () if begins("[project]") || begins("[build-system]") || begins("[tool.") => Tool::Pyproject,
        () => Tool::Requirements,
    }
}

/// Folders that hold nothing of ours, and much of it.
pub(super) fn is_skipped(name: &str) -> bool {
    matches!(name, ".git" | ".hg" | ".svn" | "node_modules" | "__pycache__")
}

/// What is installed somewhere. An egg-info elsewhere is what a build left beside its source.
pub(super) fn is_installed(path: &Path) -> bool {
    let in_site = || {
        let parent = path.parent().and_then(Path::file_name);
        parent.is_some_and(|parent| parent == "site-packages" || parent == "dist-packages")
    };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("dist-info") => true,
        Some("egg-info") => in_site(),
        _ => false,
    }
}

/// `pylock.toml`, or `pylock.` and a name without a dot.
fn is_pylock(name: &str) -> bool {
    let middle = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix("toml"));
    middle.is_some_and(|middle| {
        middle.is_empty() || middle.strip_suffix('.').is_some_and(|it| !it.is_empty() && !it.contains('.'))
    })
}

fn is_requirements(path: &Path, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let Some((stem, extension)) = lower.rsplit_once('.') else { return false };
    let says = |text: &str| ["requirements", "constraints"].iter().any(|word| text.contains(word));
    let folder = path.parent().and_then(Path::file_name).and_then(|folder| folder.to_str()).unwrap_or_default();
    match extension {
        "txt" => says(stem) || says(&folder.to_ascii_lowercase()),
        // `config.h.in`, `MANIFEST.in` and `configure.in` are other tools' templates.
        "in" => says(stem) || !stem.contains('.') && !matches!(stem, "manifest" | "configure" | "makefile" | "config"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name() {
        for (path, tool) in [
            ("a/uv.lock", Some(Tool::Uv)),
            ("script.py.lock", Some(Tool::Uv)),
            ("pylock.toml", Some(Tool::Pylock)),
            ("pylock.dev.toml", Some(Tool::Pylock)),
            ("pylock..toml", None),
            ("pylock.a.b.toml", None),
            ("requirements.txt", Some(Tool::Requirements)),
            ("requirements-dev.txt", Some(Tool::Requirements)),
            ("requirements/dev.txt", Some(Tool::Requirements)),
            ("constraints.txt", Some(Tool::Requirements)),
            ("dev.in", Some(Tool::Requirements)),
            ("MANIFEST.in", None),
            ("config.h.in", None),
            ("notes.txt", None),
            ("Cargo.lock", None),
        ] {
            assert_eq!(file(Path::new(path)), tool, "{path}");
        }
    }

    #[test]
    fn by_content() {
        assert_eq!(content("lock-version = \"1.0\"\ncreated-by = \"uv\"\n"), Tool::Pylock);
        assert_eq!(content("version = 1\nrequires-python = \">=3\"\n[[package]]\n"), Tool::Uv);
        assert_eq!(content("[[package]]\n[metadata]\nlock_version = \"4.5\"\n"), Tool::Pdm);
        assert_eq!(content("[[package]]\n"), Tool::Poetry);
        assert_eq!(content("{}"), Tool::Pipenv);
        assert_eq!(content("acme==1\n"), Tool::Requirements);
    }
}
