//! The status page `/`: one page, its style and its script, all of this program and under a policy that lets nothing else in.

use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};

use super::reply::{Answer, typed};

/// Nothing but our own script runs, whatever a name or a path holds.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, or a part of it.
pub(super) fn answer(path: &str) -> Option<Answer> {
    let mut answer = match path {
        "/" => typed("text/html; charset=utf-8", include_str!("page/index.html")),
        "/status.css" => typed("text/css; charset=utf-8", include_str!("page/status.css")),
        "/status.js" => typed("text/javascript; charset=utf-8", include_str!("page/status.js")),
        "/icon.svg" => typed("image/svg+xml", include_str!("page/icon.svg")),
        _ => return None,
    };
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    Some(answer)
}
