//! Reads `Pipfile.lock`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::entry::{Entry, Otherwise};
use super::read::Lines;

#[derive(Deserialize)]
struct Lock {
    #[serde(rename = "_meta")]
    meta: Option<Meta>,
    /// `default`, `develop` and the user's own categories.
    #[serde(flatten)]
    categories: BTreeMap<String, BTreeMap<String, Package>>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    name: Option<String>,
    url: String,
}

#[derive(Deserialize)]
struct Package {
    version: Option<String>,
    index: Option<String>,
    file: Option<String>,
    path: Option<String>,
    git: Option<String>,
}

/// The packages that `text` locks. `is_public` knows the public index.
pub(super) fn read(text: &str, is_public: impl Fn(&str) -> bool) -> Result<Vec<Entry>, serde_json::Error> {
    let lock: Lock = serde_json::from_str(text)?;
    let sources = lock.meta.map(|meta| meta.sources).unwrap_or_default();
    let (places, lines) = (places(text), Lines::of(text));
    let packages = lock.categories.into_iter().flat_map(|(category, packages)| {
        packages.into_iter().map(move |(name, package)| (category.clone(), name, package))
    });
    let entry = |(category, name, package): (String, String, Package)| {
        let line = places.get(&(&*category, &*name)).map(|&at| lines.at(at));
        Entry { line, ..package.entry(name, &sources, &is_public) }
    };
    Ok(packages.map(entry).collect())
}

/// Where each key of each object in the outermost one stands, by the keys of both. (`serde_json` doesn't say it.)
fn places(text: &str) -> HashMap<(&str, &str), usize> {
    let (mut places, mut depth, mut category) = (HashMap::new(), 0_usize, "");
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '}', '[', ']']) {
        let (_, here) = rest.split_at(at);
        let mut letters = here.chars();
        match letters.next() {
            Some('"') => {
                let Some((string, behind)) = string(letters.as_str()) else { break };
                if behind.trim_start().starts_with(':') {
                    match depth {
                        1 => category = string,
                        2 => _ = places.entry((category, string)).or_insert(text.len() - here.len()),
                        _ => {}
                    }
                }
                rest = behind;
                continue;
            }
            Some('{' | '[') => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        rest = letters.as_str();
    }
    places
}

/// What stands up to the quotation mark that ends a string, and what stands behind that.
fn string(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    })?;
    let (string, behind) = text.split_at(end);
    Some((string, behind.strip_prefix('"')?))
}

impl Package {
    fn entry(self, name: String, sources: &[Source], is_public: impl Fn(&str) -> bool) -> Entry {
        let mut entry = Entry {
            project: name,
            version: self.version.map(|version| version.trim_start_matches('=').to_owned()),
            ..Entry::default()
        };
        if self.path.is_some() || self.git.is_some() {
            return entry;
        }
        let named = |index: &String| sources.iter().find(|source| source.name.as_ref() == Some(index));
        match (self.file, self.index.as_ref().and_then(named), sources) {
            (Some(file), ..) => {
                entry.urls.push(file);
                entry.direct = true;
            }
            (None, Some(source), _) | (None, None, [source]) => entry.urls.push(source.url.clone()),
            // Not said, and any of them may have served it.
            (None, None, sources) if sources.iter().any(|source| is_public(&source.url)) => {
                entry.otherwise = Otherwise::Unknown("one of several sources, the public index among them");
            }
            (None, None, []) => entry.otherwise = Otherwise::NO_INDEX,
            (None, None, _private) => {}
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::found;
    use super::*;

    fn lock(sources: &str) -> String {
        format!(
            r#"{{
    "_meta": {{ "hash": {{"sha256": "00"}}, "pipfile-spec": 6, "requires": {{}}, "sources": [{sources}] }},
    "default": {{
        "acme-core": {{ "hashes": ["sha256:00"], "index": "pypi", "version": "==99.0" }},
        "acme-data": {{ "hashes": ["sha256:00"], "index": "acme", "version": "==1.0" }},
        "acme-tool": {{ "hashes": ["sha256:00"], "markers": "python_version >= '3.9'", "version": "==1.0" }}
    }},
    "develop": {{
        "acme-local": {{ "editable": true, "path": "." }}
    }}
}}"#
        )
    }

    const PYPI: &str = r#"{"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": true}"#;
    const ACME: &str = r#"{"name": "acme", "url": "https://pypi.acme.example/simple", "verify_ssl": true}"#;

    #[test]
    fn the_index_of_each_package() {
        let entries = read(&lock(&format!("{PYPI},{ACME}")), |url| url.contains("pypi.org")).unwrap();
        assert_eq!(
            found(&entries),
            [
                "error acme-core:4 from https://pypi.org/simple",
                "warning acme-tool:6 from one of several sources, the public index among them",
            ]
        );
    }

    #[test]
    fn a_single_source_serves_all() {
        let entries = read(&lock(ACME), |_| false).unwrap();
        assert!(found(&entries).is_empty());
        assert_eq!(found(&read(&lock(PYPI), |_| true).unwrap()).len(), 3);
    }

    #[test]
    fn a_key_is_found_on_whatever_line_it_stands() {
        let lock = r#"{"_meta": {"acme-core": "\\\"", "sources": []}, "default": {"six": {"hashes": ["acme-core"]},
"acme-core": {"markers": "x == \"acme-data\": {"}}, "develop":
{"acme-core": {"file": "https://files.pythonhosted.org/packages/a/acme_core-1.0.tar.gz"}, "acme-data":
{}}}"#;
        let lines: Vec<_> = read(lock, |_| true).unwrap().into_iter().map(|it| (it.project, it.line)).collect();
        let expected = [("acme-core", 2), ("six", 1), ("acme-core", 3), ("acme-data", 3)];
        assert_eq!(lines, expected.map(|(project, line)| (project.to_owned(), Some(line))));
    }

    #[test]
    fn hostile_depth_is_an_error() {
        assert!(read(&format!("{{\"a\":{}", "[".repeat(100_000)), |_| true).is_err());
    }
}
