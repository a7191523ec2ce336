//! Puts an answer together as PyPI's edge does: entity tags, codings, conditions, and HEAD.

use async_compression::tokio::bufread::GzipEncoder;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{HeaderValue, Method, Response, StatusCode};
use tokio::io::AsyncReadExt;

use super::body::{Body, full};
use super::log::Asked;
use crate::demo::catalog::hex_sha256;

/// A page that may be kept: who asks again with its tag is told 304.
pub(super) struct Page {
    pub(super) content_type: &'static str,
    pub(super) cache_control: String,
    pub(super) vary: &'static str,
    pub(super) serial: u64,
    pub(super) body: String,
}

impl Page {
    pub(super) async fn answer(self, asked: &Asked) -> Response<Body> {
        let zipped = if accepts_gzip(asked) { gzip(self.body.as_bytes()).await } else { None };
        let coding = zipped.is_some().then(|| HeaderValue::from_static("gzip"));
        let body = zipped.map_or_else(|| Bytes::from(self.body), Bytes::from);
        // The tag is taken behind the coding: gzip and identity have different ones.
        let tag = format!("\"{}\"", hex_sha256(&body).get(..32).unwrap_or_default());
        let unchanged = asked.header(IF_NONE_MATCH.as_str()).is_some_and(|tags| matches_tag(tags, &tag));
        let mut response = if unchanged {
            bare(StatusCode::NOT_MODIFIED)
        } else {
            with_body(StatusCode::OK, self.content_type, body, asked)
        };
        let headers = response.headers_mut();
        if let (Some(coding), false) = (coding, unchanged) {
            headers.insert(CONTENT_ENCODING, coding);
        }
        headers.insert(VARY, HeaderValue::from_static(self.vary));
        headers.insert(HeaderName::from_static("x-pypi-last-serial"), self.serial.into());
        insert(&mut response, CACHE_CONTROL, &self.cache_control);
        insert(&mut response, ETAG, &tag);
        response
    }
}

/// An answer without conditions and codings.
pub(super) fn with_body(
    status: StatusCode,
    content_type: &str,
    body: impl Into<Bytes>,
    asked: &Asked,
) -> Response<Body> {
    let body = body.into();
    let length = body.len();
    let mut response = Response::new(full(if asked.method == Method::HEAD { Bytes::new() } else { body }));
    *response.status_mut() = status;
    insert(&mut response, CONTENT_TYPE, content_type);
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    response
}

/// What the simple API says of what isn't there.
pub(super) fn not_found(asked: &Asked) -> Response<Body> {
    with_body(StatusCode::NOT_FOUND, "text/plain; charset=UTF-8", "404 Not Found", asked)
}

/// A redirect.
pub(super) fn moved(status: StatusCode, location: &str) -> Response<Body> {
    let mut response = bare(status);
    insert(&mut response, LOCATION, location);
    response
}

/// A status and nothing else.
pub(super) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Sets a header, unless `value` is none that a header can have.
pub(super) fn insert(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn accepts_gzip(asked: &Asked) -> bool {
    let accepted = asked.header(ACCEPT_ENCODING.as_str()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

async fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut zipped = Vec::new();
    GzipEncoder::new(bytes).read_to_end(&mut zipped).await.ok()?;
    Some(zipped)
}

/// RFC 9110 §13.1.2: the weak comparison.
fn matches_tag(tags: &str, tag: &str) -> bool {
    tags.split(',').map(str::trim).any(|candidate| candidate == "*" || candidate.trim_start_matches("W/") == tag)
}
