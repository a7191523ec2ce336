//! Reads `pylock.toml` and `pylock.*.toml` (PEP 751).

use serde::Deserialize;
use toml::Spanned;

use super::entry::{Entry, Otherwise};
use super::read::Lines;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lock {
    created_by: Option<String>,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: Spanned<String>,
    version: Option<String>,
    index: Option<String>,
    vcs: Option<serde::de::IgnoredAny>,
    directory: Option<serde::de::IgnoredAny>,
    archive: Option<Archive>,
    sdist: Option<Archive>,
    #[serde(default)]
    wheels: Vec<Archive>,
}

#[derive(Deserialize)]
struct Archive {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
}

/// The packages that `text` locks.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    let lock: Lock = toml::from_str(text)?;
    let lines = Lines::of(text);
    let by = lock.created_by;
    Ok(lock.packages.into_iter().map(|package| Entry { by: by.clone(), ..package.entry(&lines) }).collect())
}

impl Package {
    fn entry(self, lines: &Lines) -> Entry {
        let line = lines.at(self.name.span().start);
        let direct = self.archive.is_some();
        let archives: Vec<Archive> = self.archive.into_iter().chain(self.sdist).chain(self.wheels).collect();
        let known = self.vcs.is_some()
            || self.directory.is_some()
            || self.index.is_some()
            || archives.iter().any(|archive| archive.url.is_some() || archive.path.is_some());
        Entry {
            project: self.name.into_inner(),
            version: self.version,
            line: Some(line),
            urls: self.index.into_iter().chain(archives.iter().filter_map(|archive| archive.url.clone())).collect(),
            files: archives.into_iter().filter_map(|archive| archive.name).collect(),
            direct,
            by: None,
            otherwise: if known { Otherwise::Elsewhere } else { Otherwise::NO_INDEX },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::found;
    use super::*;

    #[test]
    fn indexes_archives_and_wheels() {
        let lock = r#"lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "acme-core"
version = "99.0"
index = "https://pypi.org/simple"

[[packages]]
name = "acme-data"
version = "1.0"
index = "https://pypi.acme.example/simple"
sdist = { url = "https://pypi.acme.example/files/acme_data-1.0.tar.gz", upload-time = 2021-05-05T14:18:18Z, size = 3, hashes = { sha256 = "00" } }

[[packages]]
name = "acme-tool"

[[packages.wheels]]
name = "acme_tool-1.0-py3-none-any.whl"
url = "https://files.pythonhosted.org/packages/a/b/c/acme_tool-1.0-py3-none-any.whl"

[packages.wheels.hashes]
sha256 = "00"

[[packages]]
name = "acme-local"
directory = { path = "." }
"#;
        assert_eq!(
            found(&read(lock).unwrap()),
            [
                "error acme-core:5 from https://pypi.org/simple",
                "error acme-tool:16 from \
                 https://files.pythonhosted.org/packages/a/b/c/acme_tool-1.0-py3-none-any.whl",
            ]
        );
    }
}
