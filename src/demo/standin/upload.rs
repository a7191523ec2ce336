//! The upload host: takes what is posted and remembers it.

use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::Origin;
use super::body::Body;
use super::log::{Asked, Upload};
use super::reply::{bare, moved, not_found, with_body};

/// No upload of a test is larger.
const LIMIT: usize = 64 << 20;

/// Answers one request for the upload host.
pub(super) async fn answer(origin: &Origin, asked: Asked, path: &str, body: Incoming) -> Response<Body> {
    match (path, &asked.method) {
        ("/legacy/", &Method::POST) => take(origin, asked, body).await,
        ("/legacy/", _) => bare(StatusCode::METHOD_NOT_ALLOWED),
        ("/legacy", _) => moved(StatusCode::PERMANENT_REDIRECT, "/legacy/"),
        _ => not_found(&asked),
    }
}

async fn take(origin: &Origin, asked: Asked, body: Incoming) -> Response<Body> {
    let form = asked.header("content-type").unwrap_or_default().starts_with("multipart/form-data");
    match Limited::new(body, LIMIT).collect().await {
        Ok(whole) if form => {
            let answer = with_body(StatusCode::OK, "text/html; charset=UTF-8", "", &asked);
            origin.log.upload(Upload { asked, body: whole.to_bytes() });
            answer
        }
        _ => bare(StatusCode::BAD_REQUEST),
    }
}
