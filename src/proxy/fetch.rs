//! namewall's own requests, by the same way upstream as the clients': lists of projects in, word of findings out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use url::Url;

use super::body::{Body, BodyError, Decoded, empty, full};
use super::upstream::{Size, Upstream, UpstreamError};
use crate::net::crowd::Crowd;
use crate::net::dial::Dialer;
use crate::tls::trust::UpstreamTrust;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("namewall/", env!("CARGO_PKG_VERSION")));

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// How long each answer may take to begin.
const ANSWER: Duration = Duration::from_secs(60);

/// Asks for things on namewall's own behalf. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    upstream: Upstream,
}

/// An answer, whose body is still to be read.
pub(crate) struct Fetched {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Where it was found in the end.
    pub(crate) url: Url,
    /// Whether that is another origin than the one that was asked.
    pub(crate) elsewhere: bool,
    body: Decoded,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0}")]
    Upstream(#[from] UpstreamError),
    #[error("{0}")]
    Body(#[from] BodyError),
    #[error("the address can't be asked")]
    Address,
    #[error("it redirects more than {REDIRECTS} times")]
    Redirects,
    #[error("it redirects to an address that is not followed: {0}")]
    Redirect(&'static str),
}

impl Fetcher {
    pub(crate) fn new(dialer: &Arc<Dialer>, trust: &UpstreamTrust) -> Self {
        Self { upstream: Upstream::new(dialer, trust, &Crowd::new(usize::MAX, usize::MAX)) }
    }

    pub(super) const fn over(upstream: Upstream) -> Self {
        Self { upstream }
    }

    /// GETs `url`, and what it redirects to. `authorization` is sent to the origin of `url` alone.
    pub(crate) async fn get(
        &self,
        url: &Url,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            let elsewhere = !is_within(&at, url);
            let mut headers = headers.clone();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            if let Some(authorization) = authorization.filter(|_| !elsewhere) {
                headers.insert(AUTHORIZATION, authorization.clone());
            }
            let response = self.send(Method::GET, &at, headers, empty()).await?;
            if is_redirect(response.status()) {
                at = followed(&at, response.headers())?;
                continue;
            }
            let (parts, body) = response.into_parts();
            let body = Decoded::new(&parts.headers, body).await?;
            return Ok(Fetched { status: parts.status, headers: parts.headers, url: at, elsewhere, body });
        }
        Err(FetchError::Redirects)
    }

    /// POSTs `json` and gives the answer's status; its body is nobody's business.
    pub(crate) async fn post_json(&self, url: &Url, json: Bytes) -> Result<StatusCode, FetchError> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Ok(self.send(Method::POST, url, headers, full(json)).await?.status())
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, FetchError> {
        headers.insert(USER_AGENT, AGENT);
        let mut plain = url.clone();
        plain.set_fragment(None);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = plain.as_str().parse().map_err(|_unusable: http::uri::InvalidUri| FetchError::Address)?;
        *request.headers_mut() = headers;
        Ok(self.upstream.send(request, Size::Long, ANSWER).await?)
    }
}

impl Fetched {
    /// Puts the next piece of the decoded body into `piece` (cleared first); leaves it empty at the end.
    pub(crate) async fn next(&mut self, piece: &mut Vec<u8>) -> Result<(), FetchError> {
        piece.clear();
        piece.extend_from_slice(&self.body.next().await?);
        Ok(())
    }
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Whether what is meant for `asked` may be told to `at`: the same origin, or the same host by a safer way.
pub(crate) fn is_within(at: &Url, asked: &Url) -> bool {
    let ports = |url: &Url| url.port_or_known_default();
    let safer =
        asked.scheme() == "http" && at.scheme() == "https" && (ports(asked), ports(at)) == (Some(80), Some(443));
    at.host_str() == asked.host_str() && (safer || (at.scheme() == asked.scheme() && ports(at) == ports(asked)))
}

fn followed(from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok()).ok_or(FetchError::Redirect("it is no URL"))?;
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err(FetchError::Redirect("it is not encrypted any more")),
        (_, "http" | "https") if to.username().is_empty() && to.password().is_none() => Ok(to),
        (_, "http" | "https") => Err(FetchError::Redirect("it has credentials in it")),
        _ => Err(FetchError::Redirect("it is neither http nor https")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_with_their_origin() {
        for (asked, at, within) in [
            ("https://a.example/simple/", "https://a.example/other/", true),
            ("https://a.example/", "https://a.example:443/", true),
            ("http://a.example/", "https://a.example/", true),
            ("https://a.example/", "http://a.example/", false),
            ("https://a.example/", "https://a.example:8443/", false),
            ("https://a.example/", "https://b.a.example/", false),
            ("http://a.example:8080/", "https://a.example/", false),
        ] {
            assert_eq!(is_within(&Url::parse(at).unwrap(), &Url::parse(asked).unwrap()), within, "{asked} {at}");
        }
    }

    #[test]
    fn redirects_lead_nowhere_less_safe() {
        let to = |location: &'static str| {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            followed(&Url::parse("https://a.example/simple").unwrap(), &headers).map(String::from).ok()
        };
        assert_eq!(to("/simple/").as_deref(), Some("https://a.example/simple/"));
        assert_eq!(to("https://b.example/").as_deref(), Some("https://b.example/"));
        for refused in ["http://a.example/simple/", "ftp://a.example/", "https://u:p@a.example/", "https://"] {
            assert_eq!(to(refused), None, "{refused}");
        }
    }
}
