//! How the admin listener's answers look.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Body;

pub(super) const PLAIN: &str = "text/plain; charset=utf-8";

/// An answer; its body is known, or goes on for as long as somebody reads.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) fn text(status: StatusCode, body: &'static str) -> Answer {
    let mut answer = typed(PLAIN, body);
    *answer.status_mut() = status;
    answer
}

pub(super) fn typed(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    with_body(content_type, Full::new(body.into()))
}

pub(super) fn with_body(
    content_type: &'static str,
    body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> Answer {
    let mut answer = Response::new(body.boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
