//! Reads `pyproject.toml`: dependencies that are URLs. Which index the others come from isn't said there.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::entry::Entry;
use super::read::Lines;
use super::requirements::direct_url;

/// Only what may hold a URL. What has another shape is for the tools to complain of.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pyproject {
    project: Option<Project>,
    build_system: Option<BuildSystem>,
    #[serde(default)]
    dependency_groups: BTreeMap<String, Vec<Spanned<Value>>>,
    tool: Option<Tools>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Project {
    #[serde(default)]
    dependencies: Vec<Spanned<Value>>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Spanned<Value>>>,
}

#[derive(Deserialize)]
struct BuildSystem {
    #[serde(default)]
    requires: Vec<Spanned<Value>>,
}

#[derive(Deserialize)]
struct Tools {
    uv: Option<Uv>,
    poetry: Option<Poetry>,
}

#[derive(Deserialize)]
struct Uv {
    #[serde(default)]
    sources: BTreeMap<String, Spanned<Value>>,
}

#[derive(Deserialize)]
struct Poetry {
    #[serde(default)]
    dependencies: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    group: BTreeMap<String, PoetryGroup>,
}

#[derive(Deserialize)]
struct PoetryGroup {
    #[serde(default)]
    dependencies: BTreeMap<String, Spanned<Value>>,
}

/// The dependencies of `text` that are URLs.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    let read: Pyproject = toml::from_str(text)?;
    let lines = Lines::of(text);
    let entry = |project, url, at| Entry {
        project,
        line: Some(lines.at(at)),
        urls: vec![url],
        direct: true,
        ..Entry::default()
    };
    let requirements = read
        .project
        .into_iter()
        .flat_map(|project| {
            project.dependencies.into_iter().chain(project.optional_dependencies.into_values().flatten())
        })
        .chain(read.build_system.into_iter().flat_map(|build| build.requires))
        .chain(read.dependency_groups.into_values().flatten());
    let mut entries: Vec<Entry> = requirements
        .filter_map(|written| {
            let (project, url) = direct_url(written.get_ref().as_str()?)?;
            Some(entry(project, url, written.span().start))
        })
        .collect();
    let tools = read.tool.into_iter();
    let tables = tools.flat_map(|tool| {
        let poetry = tool.poetry.into_iter();
        let poetry = poetry.flat_map(|it| {
            it.dependencies.into_iter().chain(it.group.into_values().flat_map(|group| group.dependencies))
        });
        tool.uv.into_iter().flat_map(|uv| uv.sources).chain(poetry)
    });
    for (project, source) in tables {
        // uv and poetry take one table, or a list of them with markers.
        let one_or_many = match source.get_ref() {
            Value::Array(many) => many.as_slice(),
            one => std::slice::from_ref(one),
        };
        for url in one_or_many.iter().filter_map(|table| table.get("url")?.as_str()) {
            entries.push(entry(project.clone(), url.to_owned(), source.span().start));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::super::testing::found;
    use super::*;

    #[test]
    fn only_urls_count() {
        let file = "https://files.pythonhosted.org/packages/a/b/c/acme_core-1.0-py3-none-any.whl";
        let text = format!(
            r#"
[project]
name = "app"
dependencies = [
    "acme-core",
    "acme-core @ {file}",
]
[dependency-groups]
dev = ["acme-data @ https://pypi.acme.example/acme_data-1.0.zip", {{ include-group = "x" }}]
[tool.uv.sources]
acme-tool = {{ url = "{file}" }}
acme-local = {{ path = "." }}
[tool.poetry.dependencies]
python = "^3.9"
acme-more = [{{ url = "{file}", markers = "x" }}]
"#
        );
        assert_eq!(
            found(&read(&text).unwrap()),
            [
                format!("error acme-core:6 from {file}"),
                format!("error acme-tool:11 from {file}"),
                format!("error acme-more:15 from {file}"),
            ]
        );
    }
}
