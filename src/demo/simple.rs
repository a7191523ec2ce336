//! Writes the pages of the simple API, in JSON and in HTML, byte for byte as PyPI lays them out.

use serde::Serialize;

use super::catalog::{Artifact, Catalog, Project};

/// The content types that PyPI knows on `/simple/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/vnd.pypi.simple.v1+json`.
    Json,
    /// `application/vnd.pypi.simple.v1+html`.
    Html,
    /// `text/html`, the older name of the same.
    LegacyHtml,
}

impl Form {
    /// What the `Content-Type` header says.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/vnd.pypi.simple.v1+json",
            Self::Html => "application/vnd.pypi.simple.v1+html",
            Self::LegacyHtml => "text/html; charset=UTF-8",
        }
    }

    /// Chooses as PyPI's edge does: `?format=` beats `Accept`; nothing known is HTML, never 406.
    #[must_use]
    pub fn choose(accept: Option<&str>, query: Option<&str>) -> Self {
        let format = query.into_iter().flat_map(|query| url::form_urlencoded::parse(query.as_bytes()));
        let wanted = format.filter(|(key, _)| key == "format").find_map(|(_, value)| Self::named(&value));
        wanted.unwrap_or_else(|| Self::accepted(accept.unwrap_or_default()))
    }

    fn accepted(accept: &str) -> Self {
        let mut best = (Self::LegacyHtml, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let form = parts.next().and_then(Self::named);
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
            if let (Some(form), Some(weight)) = (form, weight)
                && weight > best.1
            {
                best = (form, weight);
            }
        }
        best.0
    }

    fn named(media_type: &str) -> Option<Self> {
        match media_type.to_ascii_lowercase().as_str() {
            "application/vnd.pypi.simple.v1+json" | "application/vnd.pypi.simple.latest+json" => Some(Self::Json),
            "application/vnd.pypi.simple.v1+html" | "application/vnd.pypi.simple.latest+html" => Some(Self::Html),
            "text/html" => Some(Self::LegacyHtml),
            _ => None,
        }
    }
}

/// The list of all projects.
#[must_use]
pub fn root(catalog: &Catalog, form: Form) -> String {
    match form {
        Form::Json => json(&Root {
            meta: Meta { last_serial: catalog.serial(), api_version: "1.4" },
            projects: catalog
                .projects()
                .iter()
                .map(|project| RootEntry { last_serial: project.serial(), name: project.name() })
                .collect(),
        }),
        Form::Html | Form::LegacyHtml => root_html(catalog),
    }
}

/// A project's page; `url_of` says where its files are.
#[must_use]
pub fn detail(project: &Project, form: Form, url_of: impl Fn(&Artifact) -> String) -> String {
    match form {
        Form::Json => json(&Detail {
            files: project.files().iter().map(|file| Entry::of(file, &url_of)).collect(),
            meta: Meta { last_serial: project.serial(), api_version: "1.4" },
            name: project.normalized(),
            project_status: Status { status: project.status() },
            versions: project.versions(),
        }),
        Form::Html | Form::LegacyHtml => detail_html(project, url_of),
    }
}

// The keys of each object stand in alphabetical order, as PyPI sorts them.

#[derive(Serialize)]
struct Root<'a> {
    meta: Meta,
    projects: Vec<RootEntry<'a>>,
}

#[derive(Serialize)]
struct RootEntry<'a> {
    #[serde(rename = "_last-serial")]
    last_serial: u64,
    name: &'a str,
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "_last-serial")]
    last_serial: u64,
    #[serde(rename = "api-version")]
    api_version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail<'a> {
    files: Vec<Entry<'a>>,
    meta: Meta,
    name: String,
    project_status: Status<'a>,
    versions: Vec<&'a str>,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Entry<'a> {
    core_metadata: MetadataHash,
    data_dist_info_metadata: MetadataHash,
    filename: &'a str,
    hashes: Hashes,
    provenance: Option<String>,
    requires_python: Option<&'a str>,
    size: usize,
    upload_time: &'a str,
    url: String,
    yanked: Yanked<'a>,
}

#[derive(Clone, Serialize)]
struct Hashes {
    sha256: String,
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum MetadataHash {
    Known(Hashes),
    Absent(bool),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Yanked<'a> {
    Reason(&'a str),
    Plain(bool),
}

impl<'a> Entry<'a> {
    fn of(file: &'a Artifact, url_of: impl Fn(&Artifact) -> String) -> Self {
        let metadata = match file.metadata_sha256() {
            Some(sha256) => MetadataHash::Known(Hashes { sha256 }),
            None => MetadataHash::Absent(false),
        };
        Self {
            core_metadata: metadata.clone(),
            data_dist_info_metadata: metadata,
            filename: &file.file_name,
            hashes: Hashes { sha256: file.sha256() },
            provenance: None,
            requires_python: file.requires_python.as_deref(),
            size: file.bytes.len(),
            upload_time: &file.upload_time,
            url: url_of(file),
            yanked: match file.yanked.as_deref() {
                None => Yanked::Plain(false),
                Some("") => Yanked::Plain(true),
                Some(reason) => Yanked::Reason(reason),
            },
        }
    }
}

fn json(page: &impl Serialize) -> String {
    // Strings and numbers alone: there is nothing in these types that JSON could not say.
    serde_json::to_string(page).unwrap_or_default()
}

fn root_html(catalog: &Catalog) -> String {
    let mut page = head("Simple index", "");
    page.push_str("    ");
    for project in catalog.projects() {
        let (href, name) = (project.normalized(), escape(project.name()));
        page.push_str(&format!("<a href=\"/simple/{href}/\">{name}</a>\n    "));
    }
    page.push_str(&format!("</body>\n</html>\n<!--SERIAL {}-->\n", catalog.serial()));
    page
}

fn detail_html(project: &Project, url_of: impl Fn(&Artifact) -> String) -> String {
    let title = format!("Links for {}", project.normalized());
    let status = format!("    <meta name=\"pypi:project-status\" content=\"{}\">\n", escape(project.status()));
    let mut page = head(&title, &status);
    page.push_str(&format!("    <h1>{}</h1>\n    ", escape(&title)));
    for file in project.files() {
        page.push_str(&anchor(file, &url_of(file)));
        page.push_str("<br />\n    ");
    }
    page.push_str(&format!("</body>\n</html>\n<!--SERIAL {}-->\n", project.serial()));
    page
}

fn head(title: &str, status: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"1.4\">\n\
         {status}    <title>{}</title>\n  </head>\n  <body>\n",
        escape(title)
    )
}

fn anchor(file: &Artifact, url: &str) -> String {
    let mut anchor = format!("<a href=\"{}#sha256={}\" ", escape(url), file.sha256());
    if let Some(python) = &file.requires_python {
        anchor.push_str(&format!("data-requires-python=\"{}\" ", escape(python)));
    }
    if let Some(reason) = &file.yanked {
        anchor.push_str(&format!("data-yanked=\"{}\" ", escape(reason)));
    }
    if let Some(hash) = file.metadata_sha256() {
        anchor.push_str(&format!("data-dist-info-metadata=\"sha256={hash}\" data-core-metadata=\"sha256={hash}\""));
    }
    anchor.push_str(&format!(">{}</a>", escape(&file.file_name)));
    anchor
}

/// As the template engine of PyPI escapes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Project {
        let file = Artifact { requires_python: Some(">=3.8".to_owned()), ..Artifact::raw("acme-1.tar.gz", "1", "x") };
        Project::new("Acme").file(file).file(Artifact {
            yanked: Some(String::new()),
            metadata: Some("m".into()),
            ..Artifact::raw("acme-2-py3-none-any.whl", "2", "y")
        })
    }

    #[test]
    fn negotiation_is_that_of_the_edge() {
        let pip = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        for (accept, query, form) in [
            (Some(pip), None, Form::Json),
            (Some("text/html"), None, Form::LegacyHtml),
            (Some("text/html;q=0.1, application/vnd.pypi.simple.v1+html"), None, Form::Html),
            (Some("*/*"), None, Form::LegacyHtml),
            (Some("image/png"), None, Form::LegacyHtml),
            (None, None, Form::LegacyHtml),
            (Some("application/vnd.pypi.simple.latest+json"), None, Form::Json),
            (Some("application/vnd.pypi.simple.v1+json;q=0"), None, Form::LegacyHtml),
            (Some("text/html"), Some("format=application/vnd.pypi.simple.v1%2Bjson"), Form::Json),
            (Some(pip), Some("format=nonsense"), Form::Json),
        ] {
            assert_eq!(Form::choose(accept, query), form, "{accept:?} {query:?}");
        }
    }

    #[test]
    fn json_is_compact_with_sorted_keys() {
        let page = detail(&acme(), Form::Json, Artifact::path);
        assert!(page.starts_with(r#"{"files":[{"core-metadata":false,"data-dist-info-metadata":false,"filename":"#));
        let tail = r#""meta":{"_last-serial":29000001,"api-version":"1.4"},"name":"acme","#;
        assert!(page.contains(tail), "{page}");
        assert!(page.ends_with(r#""project-status":{"status":"active"},"versions":["1","2"]}"#), "{page}");
        assert!(page.contains(r#""yanked":false"#) && page.contains(r#""yanked":true"#));
    }

    #[test]
    fn html_carries_the_attributes() {
        let page = detail(&acme(), Form::Html, Artifact::path);
        for part in [
            r#"data-requires-python="&gt;=3.8" "#,
            r#"data-yanked="" "#,
            r#"data-core-metadata="sha256="#,
            "<!--SERIAL 29000001-->",
            ">acme-1.tar.gz</a><br />",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        let root = root(&[acme()].into_iter().collect(), Form::Html);
        assert!(root.contains(r#"<a href="/simple/acme/">Acme</a>"#), "{root}");
    }
}
