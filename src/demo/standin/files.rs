//! The files host: distribution files, their metadata, ranges, and the headers that name the owner.

use std::ops::Range;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_RANGE, ETAG, HeaderName};
use http::{HeaderValue, Method, Response, StatusCode};

use super::body::Body;
use super::file_url;
use super::log::Asked;
use super::reply::{bare, insert, moved, not_found, with_body};
use super::routes::segments;
use crate::demo::catalog::{Artifact, Catalog, Project};

/// Answers one request for a file.
pub(super) fn answer(catalog: &Catalog, asked: &Asked, path: &str) -> Response<Body> {
    if !matches!(asked.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        let mut response = bare(StatusCode::METHOD_NOT_ALLOWED);
        insert(&mut response, ALLOW, "GET, HEAD, OPTIONS");
        return response;
    }
    if let Some((project, file, bytes)) = stored(catalog, path) {
        return serve(project, file, bytes, asked);
    }
    match segments(path).as_slice() {
        ["packages", _python, _letter, project, file] => redirect(catalog, asked, project, file),
        _ => not_found(asked),
    }
}

/// The file at a hashed path, or its metadata.
fn stored<'c>(catalog: &'c Catalog, path: &str) -> Option<(&'c Project, &'c Artifact, Bytes)> {
    catalog.files().find_map(|(project, file)| {
        let rest = path.strip_prefix(&file.path())?;
        let bytes = match rest {
            "" => file.bytes.clone(),
            ".metadata" => file.metadata.clone()?,
            _ => return None,
        };
        Some((project, file, bytes))
    })
}

/// What became of the old URLs, which name the project: they lead to the hashed ones.
fn redirect(catalog: &Catalog, asked: &Asked, project: &str, file: &str) -> Response<Body> {
    let files = catalog.project(project).map(Project::files).unwrap_or_default();
    let Some(found) = files.iter().find(|candidate| candidate.file_name == file) else {
        return not_found(asked);
    };
    let mut response = moved(StatusCode::FOUND, &file_url(found));
    insert(&mut response, CACHE_CONTROL, "max-age=604800");
    response
}

fn serve(project: &Project, file: &Artifact, bytes: Bytes, asked: &Asked) -> Response<Body> {
    let length = bytes.len();
    let tag = format!("\"{}\"", file.sha256().get(..32).unwrap_or_default());
    let mut response = match range(asked.header("range"), length) {
        Wanted::All => with_body(StatusCode::OK, "application/octet-stream", bytes, asked),
        Wanted::Part(part) => {
            let shown = format!("bytes {}-{}/{length}", part.start, part.end.saturating_sub(1));
            let part = bytes.slice(part);
            let mut response = with_body(StatusCode::PARTIAL_CONTENT, "application/octet-stream", part, asked);
            insert(&mut response, CONTENT_RANGE, &shown);
            response
        }
        Wanted::Nothing => {
            let mut response = bare(StatusCode::RANGE_NOT_SATISFIABLE);
            insert(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
    };
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=365000000, immutable, public"));
    insert(&mut response, ETAG, &tag);
    owner(&mut response, project, file);
    response
}

/// PyPI says on each file whose it is, already normalised.
fn owner(response: &mut Response<Body>, project: &Project, file: &Artifact) {
    let owner = file.owner.clone().unwrap_or_else(|| project.normalized());
    if owner.is_empty() {
        return;
    }
    let wheel = file.file_name.ends_with(".whl");
    for (name, value) in [
        ("x-pypi-file-project", owner.as_str()),
        ("x-pypi-file-version", file.version.as_str()),
        ("x-pypi-file-package-type", if wheel { "bdist_wheel" } else { "sdist" }),
        ("x-pypi-file-python-version", if wheel { "py3" } else { "source" }),
    ] {
        insert(response, HeaderName::from_static(name), value);
    }
}

/// What a `Range` header wants of a file.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<usize>),
    Nothing,
}

/// RFC 9110 §14.2: what isn't understood, and more than one range, is answered with the whole.
fn range(header: Option<&str>, length: usize) -> Wanted {
    let Some((first, last)) = header.and_then(|header| header.strip_prefix("bytes=")?.split_once('-')) else {
        return Wanted::All;
    };
    let part = match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..length.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(suffix)) if first.trim().is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::All,
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (header, wanted) in [
            ("bytes=0-3", Wanted::Part(0..4)),
            ("bytes=4-", Wanted::Part(4..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=8-99", Wanted::Part(8..10)),
            ("bytes=0-18446744073709551615", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=3-2", Wanted::All),
            ("bytes=0-1,4-5", Wanted::All),
            ("lines=0-1", Wanted::All),
        ] {
            assert_eq!(range(Some(header), 10), wanted, "{header}");
        }
        assert_eq!(range(None, 10), Wanted::All);
    }
}
