//! Which of PyPI's hosts is asked, and for what: paths are decoded once, the way the origin does.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::body::Body;
use super::log::Asked;
use super::reply::{bare, moved};
use super::{Origin, files, index, upload};

/// Answers one request.
pub(super) async fn answer(origin: &Origin, asked: Asked, body: Incoming) -> Response<Body> {
    let path = decoded(&asked);
    let host = asked.host.trim_end_matches(":443").to_ascii_lowercase();
    match host.as_str() {
        "upload.pypi.org" | "upload.pypi.io" => upload::answer(origin, asked, &path, body).await,
        "files.pythonhosted.org" | "test-files.pythonhosted.org" => files::answer(&origin.catalog, &asked, &path),
        "pypi.org" => index::answer(origin, &asked, &path).await,
        "test.pypi.org" if path.starts_with("/legacy") => upload::answer(origin, asked, &path, body).await,
        "test.pypi.org" => index::answer(origin, &asked, &path).await,
        "" => bare(StatusCode::BAD_REQUEST),
        _ => moved_to_the_index(&asked),
    }
}

/// The path with each escape decoded, `%2F` too: the origin routes on that. One trailing newline goes unnoticed there.
fn decoded(asked: &Asked) -> String {
    let path = percent_decode_str(asked.path()).decode_utf8_lossy().into_owned();
    path.strip_suffix('\n').map(ToOwned::to_owned).unwrap_or(path)
}

/// The old names of the index.
fn moved_to_the_index(asked: &Asked) -> Response<Body> {
    let status = if matches!(asked.method, Method::GET | Method::HEAD) {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::PERMANENT_REDIRECT
    };
    moved(status, &format!("https://pypi.org{}", asked.target))
}

/// The segments of a path behind its first slash.
pub(super) fn segments(path: &str) -> Vec<&str> {
    path.strip_prefix('/').unwrap_or(path).split('/').collect()
}

/// A JSON answer body.
pub(super) fn compact(value: &serde_json::Value) -> Bytes {
    value.to_string().into()
}
