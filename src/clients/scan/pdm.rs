//! Reads `pdm.lock`.

use serde::Deserialize;
use toml::Spanned;

use super::entry::{Entry, Otherwise};
use super::lock;
use super::read::Lines;

#[derive(Deserialize)]
pub(super) struct Package {
    name: Spanned<String>,
    version: Option<String>,
    /// A direct URL.
    url: Option<String>,
    git: Option<String>,
    path: Option<String>,
    #[serde(default)]
    files: Vec<File>,
}

/// With the strategy `static_urls` a URL, else a name.
#[derive(Deserialize)]
struct File {
    url: Option<String>,
    file: Option<String>,
}

impl lock::Package for Package {
    fn entry(self, lines: &Lines) -> Entry {
        let line = lines.at(self.name.span().start);
        let direct = self.url.is_some();
        let (mut urls, mut files): (Vec<String>, Vec<String>) = (self.url.into_iter().collect(), vec![]);
        for file in self.files {
            urls.extend(file.url);
            files.extend(file.file);
        }
        let known = !urls.is_empty() || self.git.is_some() || self.path.is_some();
        Entry {
            project: self.name.into_inner(),
            version: self.version,
            line: Some(line),
            otherwise: if known { Otherwise::Elsewhere } else { Otherwise::NO_INDEX },
            urls,
            direct,
            files,
            by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lock::read;
    use super::super::testing::found;
    use super::*;

    #[test]
    fn only_static_urls_tell_the_origin() {
        let lock = r#"
[metadata]
groups = ["default"]
strategy = ["inherit_metadata", "static_urls"]
lock_version = "4.5.0"

[[package]]
name = "acme-core"
version = "99.0"
files = [
    {url = "https://files.pythonhosted.org/packages/a/b/c/acme_core-99.0-py3-none-any.whl", hash = "sha256:00"},
]

[[package]]
name = "acme-data"
version = "1.0"
files = [
    {file = "acme_data-1.0-py3-none-any.whl", hash = "sha256:00"},
]

[[package]]
name = "acme-tool"
version = "1.0"
files = [
    {url = "https://pypi.acme.example/files/acme_tool-1.0-py3-none-any.whl", hash = "sha256:00"},
]

[[package]]
name = "acme-local"
version = "1.0"
path = "./local"
"#;
        assert_eq!(
            found(&read::<Package>(lock).unwrap()),
            [
                "error acme-core:8 from \
                 https://files.pythonhosted.org/packages/a/b/c/acme_core-99.0-py3-none-any.whl",
                "warning acme-data:15 from a lock that names no index",
            ]
        );
    }
}
