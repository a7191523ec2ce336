//! The index host: simple pages, and where else it points.

use http::{Response, StatusCode};

use super::body::Body;
use super::log::Asked;
use super::reply::{Page, moved, not_found, with_body};
use super::routes::segments;
use super::{Origin, file_url, legacy};
use crate::demo::catalog::normalize;
use crate::demo::simple::{self, Form};

/// Answers one request for the index.
pub(super) async fn answer(origin: &Origin, asked: &Asked, path: &str) -> Response<Body> {
    let catalog = &origin.catalog;
    match segments(path).as_slice() {
        ["simple", ""] => page(origin, asked, catalog.serial(), |form| simple::root(catalog, form)).await,
        ["simple"] => moved(StatusCode::MOVED_PERMANENTLY, "/simple/"),
        // The slash is added whether there is such a project or not.
        ["simple", name] => moved(StatusCode::MOVED_PERMANENTLY, &format!("/simple/{name}/")),
        ["simple", name, ""] => project(origin, asked, name).await,
        ["pypi", name, "json"] | ["pypi", name, "json", ""] => legacy::answer(catalog, asked, name, None).await,
        ["pypi", name, version, "json"] | ["pypi", name, version, "json", ""] => {
            legacy::answer(catalog, asked, name, Some(version)).await
        }
        ["packages", ..] => {
            moved(StatusCode::MOVED_PERMANENTLY, &format!("https://files.pythonhosted.org{}", asked.path()))
        }
        ["project", name] | ["project", name, ""] if catalog.project(name).is_some() => {
            with_body(StatusCode::OK, "text/html; charset=UTF-8", format!("<h1>{}</h1>", normalize(name)), asked)
        }
        _ => with_body(StatusCode::NOT_FOUND, "text/html; charset=UTF-8", "<h1>Page Not Found (404)</h1>", asked),
    }
}

async fn project(origin: &Origin, asked: &Asked, name: &str) -> Response<Body> {
    let Some(project) = origin.catalog.project(name) else {
        return not_found(asked);
    };
    if project.normalized() != name {
        return moved(StatusCode::MOVED_PERMANENTLY, &format!("/simple/{}/", project.normalized()));
    }
    page(origin, asked, project.serial(), |form| simple::detail(project, form, file_url)).await
}

async fn page(origin: &Origin, asked: &Asked, serial: u64, body: impl FnOnce(Form) -> String) -> Response<Body> {
    let form = Form::choose(asked.header("accept"), asked.query());
    let page = Page {
        content_type: form.content_type(),
        cache_control: format!("max-age={}, public", origin.page_age.as_secs()),
        vary: "Accept, Accept-Encoding",
        serial,
        body: body(form),
    };
    page.answer(asked).await
}
