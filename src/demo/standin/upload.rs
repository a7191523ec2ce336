//! The upload host: takes what is posted and remembers it.

use bytes::BytesMut;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Origin;
use super::body::Body;
use super::log::{Asked, Upload};
use super::reply::{bare, moved, not_found, with_body};

/// How much of an upload is remembered.
const KEPT: usize = 64 << 20;

/// Answers one request for the upload host.
pub(super) async fn answer(origin: &Origin, asked: Asked, path: &str, body: Incoming) -> Response<Body> {
    match (path, &asked.method) {
        ("/legacy/", &Method::POST) => take(origin, asked, body).await,
        ("/legacy/", _) => bare(StatusCode::METHOD_NOT_ALLOWED),
        ("/legacy", _) => moved(StatusCode::PERMANENT_REDIRECT, "/legacy/"),
        _ => not_found(&asked),
    }
}

async fn take(origin: &Origin, asked: Asked, mut body: Incoming) -> Response<Body> {
    let form = asked.header("content-type").unwrap_or_default().starts_with("multipart/form-data");
    let (mut kept, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return bare(StatusCode::BAD_REQUEST) };
        let piece = frame.into_data().unwrap_or_default();
        length += piece.len() as u64;
        if kept.len() < KEPT {
            kept.extend_from_slice(&piece);
        }
    }
    if !form {
        return bare(StatusCode::BAD_REQUEST);
    }
    let answer = with_body(StatusCode::OK, "text/html; charset=UTF-8", "", &asked);
    origin.log.upload(Upload { asked, body: kept.freeze(), length });
    answer
}
