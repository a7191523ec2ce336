//! Reads `poetry.lock`.

use serde::Deserialize;
use toml::Spanned;

use super::entry::Entry;
use super::lock;
use super::read::Lines;

/// What a package without a source comes from (poetry's `PyPiRepository`).
const PYPI: &str = "https://pypi.org/simple/";

#[derive(Deserialize)]
pub(super) struct Package {
    name: Spanned<String>,
    version: Option<String>,
    source: Option<Source>,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    url: Option<String>,
}

#[derive(Deserialize)]
struct File {
    file: Option<String>,
}

impl lock::Package for Package {
    fn entry(self, lines: &Lines) -> Entry {
        let line = lines.at(self.name.span().start);
        let direct = self.source.as_ref().is_some_and(|source| source.kind == "url");
        let url = match self.source {
            None => Some(PYPI.to_owned()),
            // `git`, `directory` and `file` have their own things in `url`.
            Some(source) if matches!(&*source.kind, "legacy" | "url" | "pypi") => source.url,
            Some(_elsewhere) => None,
        };
        Entry {
            project: self.name.into_inner(),
            version: self.version,
            line: Some(line),
            direct,
            urls: url.into_iter().collect(),
            files: self.files.into_iter().filter_map(|file| file.file).collect(),
            ..Entry::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lock::read;
    use super::super::testing::found;
    use super::*;

    #[test]
    fn no_source_is_the_public_index() {
        let lock = r#"
[[package]]
name = "acme-core"
version = "99.0"
description = ""
optional = false
python-versions = ">=3.9"
groups = ["main"]
files = [
    {file = "acme_core-99.0-py3-none-any.whl", hash = "sha256:00"},
]

[[package]]
name = "acme-data"
version = "1.0"
files = []

[package.source]
type = "legacy"
url = "https://pypi.acme.example/simple"
reference = "acme"

[[package]]
name = "acme-tool"
version = "1.0"

[package.source]
type = "git"
url = "https://pypi.org/not/an/index.git"
reference = "main"
resolved_reference = "0000000000000000000000000000000000000000"

[metadata]
lock-version = "2.1"
content-hash = "00"
"#;
        assert_eq!(found(&read::<Package>(lock).unwrap()), ["error acme-core:3 from https://pypi.org/simple/"]);
    }
}
