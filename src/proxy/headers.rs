//! Which header fields pass: hop-by-hop fields end here, and so does what would let a client speak for somebody else.

use http::Method;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use crate::net::via;

/// Fields that belong to one connection (RFC 9110 section 7.6.1), whether or not `Connection` lists them.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The elements of a field that is a list (RFC 9110 section 5.6.1). A comma may stand inside quotes; an escape is none here,
/// as in entity tags.
pub(super) fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value
        .split(move |c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(str::trim)
}

/// Prefixes of fields by which an edge speaks to PyPI's application, and of those by which some servers let a client
/// replace the method or the path of its request; a client has no business with them.
const EDGE_PREFIXES: [&str; 9] = [
    "x-forwarded-",
    "warehouse-",
    "fastly-",
    "namewall-",
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-rewrite-",
    "x-host",
];

/// Fields that tell of one body: its length, coding, age, tag, digests (RFC 9530, RFC 3230) and parts, and where it is.
const OF_A_BODY: [HeaderName; 14] = [
    CONTENT_LENGTH,
    http::header::CONTENT_ENCODING,
    http::header::CONTENT_RANGE,
    http::header::CONTENT_LOCATION,
    http::header::ACCEPT_RANGES,
    http::header::AGE,
    http::header::ETAG,
    http::header::EXPIRES,
    http::header::LAST_MODIFIED,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("signature"),
];

/// Takes off all that concerns the connection alone. A message may have several `Connection` fields: each counts.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Takes off all that an answer of an intercepted host must not carry to the client: the offer of another way to the
/// server (RFC 7838) leads past us.
pub(super) fn strip_for_client(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(http::header::ALT_SVC);
}

/// Takes off all that a request to an intercepted host must not carry upstream.
pub(super) fn strip_for_upstream(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    let foreign: Vec<HeaderName> = headers
        .keys()
        .filter(|name| EDGE_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)))
        .cloned()
        .collect();
    for name in foreign.iter().chain(&[HOST, http::header::FORWARDED, http::header::EXPECT]) {
        headers.remove(name);
    }
    // Ours go on for as long as there are proxies on the way.
    via::keep_ours(headers);
}

/// Takes off the page that a reader came from: its URL may be that of a hidden project. (Forms keep it, for PyPI's
/// protection against cross-site requests.)
pub(super) fn strip_referer(method: &Method, headers: &mut HeaderMap) {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        headers.remove(http::header::REFERER);
    }
}

/// Takes off a request's body fields, for a request that is sent on without one.
pub(super) fn strip_body_fields(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.remove(http::header::CONTENT_TYPE);
    headers.remove(http::header::CONTENT_ENCODING);
}

/// Takes off an answer's fields that are true of upstream's body, and may not be of the one that the client gets.
pub(super) fn strip_of_other_body(headers: &mut HeaderMap) {
    for name in OF_A_BODY {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn every_connection_field_counts() {
        let mut headers = map(&[
            ("connection", "x-one"),
            ("connection", "close, X-Two"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("proxy-authorization", "Basic c2VjcmV0"),
            ("te", "trailers"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("accept", "*/*")]));
    }

    #[test]
    fn nobody_speaks_for_the_edge() {
        let mut headers = map(&[
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "host=evil.example"),
            ("warehouse-token", "x"),
            ("fastly-client-ip", "1"),
            ("x-http-method-override", "POST"),
            ("x-original-url", "/simple/acme/"),
            ("authorization", "Basic x"),
        ]);
        strip_for_upstream(&mut headers);
        assert_eq!(headers, map(&[("authorization", "Basic x")]));
    }
}
