//! Reads `uv.lock`.

use serde::Deserialize;
use toml::Spanned;

use super::entry::Entry;
use super::lock;
use super::read::Lines;

#[derive(Deserialize)]
pub(super) struct Package {
    name: Spanned<String>,
    version: Option<String>,
    source: Option<Source>,
    sdist: Option<Archive>,
    #[serde(default)]
    wheels: Vec<Archive>,
}

/// A registry or a URL; a repository and a folder have neither.
#[derive(Deserialize)]
struct Source {
    registry: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Archive {
    url: Option<String>,
    filename: Option<String>,
}

impl lock::Package for Package {
    fn entry(self, lines: &Lines) -> Entry {
        let line = lines.at(self.name.span().start);
        let direct = self.source.as_ref().is_some_and(|source| source.url.is_some());
        let source = self.source.into_iter().flat_map(|source| [source.registry, source.url]).flatten();
        let archives: Vec<Archive> = self.sdist.into_iter().chain(self.wheels).collect();
        Entry {
            project: self.name.into_inner(),
            version: self.version,
            line: Some(line),
            direct,
            urls: source.chain(archives.iter().filter_map(|archive| archive.url.clone())).collect(),
            files: archives.into_iter().filter_map(|archive| archive.filename).collect(),
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
    fn registries_urls_and_folders() {
        let lock = r#"
version = 1
revision = 5

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }

[[package]]
name = "acme-core"
version = "99.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "acme-data"
version = "1.0"
source = { registry = "https://pypi.acme.example/simple" }
wheels = [
    { url = "https://pypi.acme.example/files/acme_data-1.0-py3-none-any.whl", hash = "sha256:00", size = 1, upload-time = "2021-05-05T14:18:17.237Z" },
]

[[package]]
name = "acme-tool"
version = "1.0"
source = { url = "https://files.pythonhosted.org/packages/a/b/c/acme_tool-1.0-py3-none-any.whl" }

[[package]]
name = "acme-local"
source = { editable = "../local" }
"#;
        assert_eq!(
            found(&read::<Package>(lock).unwrap()),
            [
                "error acme-core:11 from https://pypi.org/simple",
                "error acme-tool:24 from \
                 https://files.pythonhosted.org/packages/a/b/c/acme_tool-1.0-py3-none-any.whl",
            ]
        );
    }

    #[test]
    fn hostile_depth_is_an_error() {
        let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read::<Package>(&deep).is_err());
    }
}
