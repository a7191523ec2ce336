//! The way on: what of a request goes upstream, and what of the answer comes back.

use std::time::Instant;

use http::header::{CONTENT_TYPE, HeaderMap};
use http::uri::Scheme;
use http::{Method, Request, Response, Uri, Version, response};
use http_body::Body as _;
use hyper::body::Incoming;
use url::Url;

use super::super::account::counted;
use super::super::body::{Body, empty, passed, streamed};
use super::super::headers::{
    strip_body_fields, strip_for_client, strip_for_upstream, strip_of_other_body, strip_referer,
};
use super::super::upstream::{ANSWER, LONG_ANSWER, Size, UPLOAD, UpstreamError};
use super::{Exchange, stream};
use crate::name::Authority;
use crate::pypi::resource::Kind;

impl Exchange {
    /// The client's fields without what must not go upstream.
    pub(super) fn upstream_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        strip_for_upstream(&mut headers);
        strip_referer(&self.method, &mut headers);
        headers
    }

    /// Sends a request for this resource upstream.
    pub(super) async fn ask(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, UpstreamError> {
        // An upload may take long to be sent; a question is answered soon or never.
        let patience = match self.resource.kind {
            _ if self.is_upload() => UPLOAD,
            _ if body.is_end_stream() => ANSWER,
            _ => LONG_ANSWER,
        };
        let size = match self.resource.kind {
            Kind::Root | Kind::File | Kind::Metadata | Kind::XmlRpc => Size::Long,
            _ if self.is_upload() => Size::Long,
            _ => Size::Short,
        };
        let mut request = Request::new(counted(body, &self.shared.metrics.carried.intercepted.up));
        *request.method_mut() = method;
        *request.uri_mut() = self.upstream_uri().map_err(|error| UpstreamError::Protocol(error.to_string()))?;
        *request.headers_mut() = headers;
        *request.version_mut() = Version::HTTP_11;
        let asked = Instant::now();
        let answer = self.shared.upstream.send(request, size, patience).await;
        self.shared.metrics.upstream.observe(asked.elapsed());
        answer
    }

    /// Where an answer comes from: what is written in it starts there.
    pub(super) fn upstream_url(&self) -> Option<Url> {
        Url::parse(&self.upstream_uri().ok()?.to_string()).ok()
    }

    fn upstream_uri(&self) -> Result<Uri, http::Error> {
        let host = Authority { host: self.visit.site.host.clone(), port: self.visit.port };
        let authority = if host.port == 443 { host.host.to_string() } else { host.to_string() };
        Uri::builder().scheme(Scheme::HTTPS).authority(authority).path_and_query(self.resource.target.as_str()).build()
    }

    /// Passes a request on whose URL names nothing that is protected, and its answer back.
    pub(super) async fn pass(&self, body: Option<Incoming>) -> Response<Body> {
        let headers = self.upstream_headers();
        self.passed_on(self.ask(self.method.clone(), headers, body.map_or_else(empty, passed)).await)
    }

    /// Upstream's answer as the client gets it.
    pub(super) fn passed_on(&self, answer: Result<Response<Incoming>, UpstreamError>) -> Response<Body> {
        match answer {
            Ok(response) => self.relay(response),
            Err(error) => self.fail_upstream(&error),
        }
    }

    /// Passes an upstream's answer on as it is, unless it leads to what is protected.
    pub(super) fn relay(&self, response: Response<Incoming>) -> Response<Body> {
        let (parts, body) = response.into_parts();
        match self.passable(parts) {
            // A reader that stalls on one stream of HTTP/2 stalls no connection, so the deadline must be the body's own.
            Ok(parts) if self.version == Version::HTTP_2 => Response::from_parts(parts, stream::pumped(self, body)),
            Ok(parts) => Response::from_parts(parts, streamed(body)),
            Err(denial) => *denial,
        }
    }

    /// The same without its body: where a page was due that would have been judged, a redirect's may be one.
    pub(super) fn relay_head(&self, response: Response<Incoming>) -> Response<Body> {
        match self.passable(response.into_parts().0) {
            Ok(mut parts) => {
                strip_of_other_body(&mut parts.headers);
                parts.headers.remove(CONTENT_TYPE);
                Response::from_parts(parts, empty())
            }
            Err(denial) => *denial,
        }
    }

    /// The head of an upstream's answer as the client may get it.
    fn passable(&self, mut parts: response::Parts) -> Result<response::Parts, Box<Response<Body>>> {
        if let Some(denial) = self.check_leads(&mut parts.headers) {
            return Err(Box::new(denial));
        }
        strip_for_client(&mut parts.headers);
        parts.version = Version::default();
        parts.extensions.clear();
        Ok(parts)
    }

    /// The client's fields for a request without a body.
    pub(super) fn bodiless_headers(&self) -> HeaderMap {
        let mut headers = self.upstream_headers();
        strip_body_fields(&mut headers);
        headers
    }
}
