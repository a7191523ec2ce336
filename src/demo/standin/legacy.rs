//! The legacy JSON of a project and of a release, which Poetry, Pipenv and Twine read.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::Body;
use super::file_url;
use super::log::Asked;
use super::reply::{Page, with_body};
use super::routes::compact;
use crate::demo::catalog::{Artifact, Catalog, Project};

/// Answers `/pypi/NAME/json`, or with a version `/pypi/NAME/VERSION/json`.
pub(super) async fn answer(catalog: &Catalog, asked: &Asked, name: &str, version: Option<&str>) -> Response<Body> {
    let found = catalog.project(name).and_then(|project| {
        let version = version.or_else(|| project.versions().last().copied())?;
        document(project, version, asked.path().matches('/').count() < 4)
    });
    let Some((serial, document)) = found else {
        let body = compact(&json!({"message": "Not Found"}));
        return with_body(StatusCode::NOT_FOUND, "application/json", body, asked);
    };
    let page = Page {
        content_type: "application/json",
        cache_control: "max-age=900, public".to_owned(),
        vary: "Accept-Encoding",
        serial,
        body: document.to_string(),
    };
    page.answer(asked).await
}

/// The keys stand in alphabetical order, as PyPI sorts them. A release's document has no `releases`.
fn document(project: &Project, version: &str, with_releases: bool) -> Option<(u64, Value)> {
    let of = |version: &str| project.files().iter().filter(|file| file.version == version).map(file).collect();
    let urls: Vec<Value> = of(version);
    let first = project.files().iter().find(|file| file.version == version)?;
    let mut document = serde_json::Map::new();
    document.insert("info".to_owned(), info(project, version, first));
    document.insert("last_serial".to_owned(), project.serial().into());
    if with_releases {
        let releases = project.versions().into_iter().map(|version| (version.to_owned(), Value::Array(of(version))));
        document.insert("releases".to_owned(), Value::Object(releases.collect()));
    }
    document.insert("urls".to_owned(), urls.into());
    document.insert("vulnerabilities".to_owned(), json!([]));
    Some((project.serial(), document.into()))
}

fn info(project: &Project, version: &str, first: &Artifact) -> Value {
    let url = format!("https://pypi.org/project/{}/", project.normalized());
    json!({
        "author": "", "author_email": "", "classifiers": [], "description": "", "home_page": "", "keywords": "",
        "license": "",
        "name": project.name(),
        "package_url": url,
        "project_url": url,
        "release_url": format!("{url}{version}/"),
        "requires_dist": first.requires_dist,
        "requires_python": first.requires_python,
        "summary": "made for a demonstration",
        "version": version,
        "yanked": first.yanked.is_some(),
        "yanked_reason": first.yanked,
    })
}

fn file(file: &Artifact) -> Value {
    let wheel = file.file_name.ends_with(".whl");
    json!({
        "comment_text": "",
        "digests": {"sha256": file.sha256()},
        "downloads": -1,
        "filename": file.file_name,
        "has_sig": false,
        "packagetype": if wheel { "bdist_wheel" } else { "sdist" },
        "python_version": if wheel { "py3" } else { "source" },
        "requires_python": file.requires_python,
        "size": file.bytes.len(),
        "upload_time_iso_8601": file.upload_time,
        "url": file_url(file),
        "yanked": file.yanked.is_some(),
        "yanked_reason": file.yanked,
    })
}
