//! How a page is asked for upstream, whatever the client asked for, and which fields its answer has.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, LOCATION, VARY,
};
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;

use super::super::body::{Body, Whole, empty, full};
use super::super::coding::{Coding, accepts_gzip};
use super::super::headers::{strip_for_client, strip_of_other_body};
use super::super::validators::Tags;
use super::Exchange;
use crate::pypi::negotiate::Representation;
use crate::pypi::resource::Kind;

/// Asked for whatever the client wants: HTML is rendered from JSON, and read only from hosts that have nothing else.
const ASK_FOR_SIMPLE: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.1, text/html;q=0.01";

/// The plan for one page.
pub(super) struct Plan {
    /// What the client gets of a simple page.
    pub(super) wanted: Representation,
    /// The word for what it gets: part of the entity tag.
    pub(super) representation: &'static str,
    /// The types that are asked for; `None` leaves them to the client.
    asked_for: Option<&'static str>,
    /// Whether an answer from which nothing goes may stay in gzip.
    pub(super) gzip: bool,
    /// Whether it is a page for people or a feed: its fields (policies, cookies) are as good as its body.
    keeps_fields: bool,
}

/// Under which condition upstream is to send its page.
#[derive(Clone, Copy)]
pub(super) enum Condition<'t> {
    /// That the client has no copy of it that it names.
    Own,
    /// That it has another tag.
    Tag(&'t HeaderValue),
    /// Under none.
    None,
}

/// What upstream has.
pub(super) enum Found {
    /// The page.
    Page(Response<Incoming>),
    /// No other page than the one that it was asked about; with the fields that say so.
    Unchanged(HeaderMap),
    /// No page: what the client is answered instead.
    Other(Box<Response<Body>>),
}

impl Plan {
    pub(super) fn new(exchange: &Exchange) -> Self {
        let kind = &exchange.resource.kind;
        let fields = exchange.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let accept = fields.collect::<Vec<_>>().join(",");
        let wanted = Representation::negotiate(
            Some(&accept).filter(|accept| !accept.is_empty()).map(String::as_str),
            exchange.query.as_deref(),
        );
        let (representation, asked_for) = match kind {
            Kind::Root | Kind::Page(_) => (wanted.as_str(), Some(ASK_FOR_SIMPLE)),
            Kind::LegacyJson(_) => ("legacy", Some("application/json")),
            // The client and the origin server settle that between themselves.
            Kind::Feed => ("feed", None),
            Kind::Sitemap => ("sitemap", None),
            Kind::Stats => ("stats", None),
            _ => ("web", None),
        };
        let gzip = accepts_gzip(&exchange.headers);
        Self { wanted, representation, asked_for, gzip, keeps_fields: asked_for.is_none() }
    }

    fn tags(&self, exchange: &Exchange) -> Tags {
        Tags::new(exchange.policy.fingerprint(), self.representation)
    }

    /// The fields of the question that goes upstream.
    fn question(&self, exchange: &Exchange, condition: Condition<'_>) -> HeaderMap {
        let kind = &exchange.resource.kind;
        let mut headers = exchange.bodiless_headers();
        if let Some(types) = self.asked_for {
            headers.insert(ACCEPT, HeaderValue::from_static(types));
        }
        // Upstream has a tag for each coding, and ours are made of those. So a coding that the client doesn't take is
        // asked for only where the answer is written here anyway: else one tag would stand for two bodies. Of the list of
        // all projects, who takes no gzip is near: to inflate it would take longer than to receive it plain.
        let written_here = matches!(kind, Kind::Page(_)) && self.wanted.is_html();
        let codings = if self.gzip || written_here { "gzip" } else { "identity" };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(codings));
        self.tags(exchange).unwrap_conditions(&mut headers);
        match condition {
            Condition::Own => {}
            Condition::Tag(tag) => drop(headers.insert(IF_NONE_MATCH, tag.clone())),
            Condition::None => drop(headers.remove(IF_NONE_MATCH)),
        }
        headers
    }

    /// Whether the client takes `coding`, and we have asked for it.
    pub(super) fn takes(&self, coding: Coding) -> bool {
        coding == Coding::Identity || (coding == Coding::Gzip && self.gzip)
    }

    /// Asks upstream for the page.
    pub(super) async fn fetch(&self, exchange: &Exchange, condition: Condition<'_>) -> Found {
        let headers = self.question(exchange, condition);
        let conditional = headers.contains_key(IF_NONE_MATCH);
        // HEAD asks for the page too: only the filtered page has the length that GET would tell.
        let response = match exchange.ask(Method::GET, headers, empty()).await {
            Ok(response) => response,
            Err(error) => return Found::Other(Box::new(exchange.fail_upstream(&error))),
        };
        match response.status() {
            StatusCode::OK => Found::Page(response),
            StatusCode::NOT_MODIFIED if conditional => Found::Unchanged(response.into_parts().0.headers),
            _ => Found::Other(Box::new(without_page(exchange, response).await)),
        }
    }

    /// The fields of a page of ours. Upstream's validators and lengths are of another body.
    pub(super) fn page_headers(&self, exchange: &Exchange, upstream: &HeaderMap) -> HeaderMap {
        let mut headers = if self.keeps_fields { fields_for_people(upstream) } else { fields_of_an_index(upstream) };
        // Asked again each time, so that a change of the rules is felt at once.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(asked_again(upstream)));
        // What a page for people depends on is known upstream.
        if !headers.contains_key(VARY) {
            headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        }
        if let Some(tag) = self.tags(exchange).outer(upstream) {
            headers.insert(ETAG, tag);
        }
        headers
    }
}

/// All fields but those of the connection, and of another body.
fn fields_for_people(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = upstream.clone();
    strip_for_client(&mut headers);
    strip_of_other_body(&mut headers);
    headers
}

/// The fields that clients of an index read.
fn fields_of_an_index(upstream: &HeaderMap) -> HeaderMap {
    let kept = |name: &HeaderName| {
        *name == DATE || ["x-pypi-", "access-control-"].iter().any(|prefix| name.as_str().starts_with(prefix))
    };
    upstream.iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A page that is one reader's own stays so.
fn asked_again(headers: &HeaderMap) -> &'static str {
    let says = |word| headers.get_all(CACHE_CONTROL).iter().any(|v| v.to_str().is_ok_and(|v| v.contains(word)));
    match (says("no-store"), says("private")) {
        (true, _) => "no-store",
        (false, true) => "private, no-cache",
        (false, false) => "no-cache",
    }
}

/// Upstream's answer when it is not what was asked for: redirects and errors pass, anything else might be a page that
/// nobody has judged.
pub(super) async fn without_page(exchange: &Exchange, response: Response<Incoming>) -> Response<Body> {
    let status = response.status();
    if status.is_redirection() && response.headers().contains_key(LOCATION) {
        exchange.relay_head(response)
    } else if status.is_client_error() || status.is_server_error() {
        pass_error(exchange, response).await
    } else {
        exchange.fail("upstream-status", &format!("upstream answered {status} to a page"))
    }
}

/// An error page of upstream's: it names nothing, but it must not be remembered, and it is not in a coding that the
/// client has asked for.
pub(super) async fn pass_error(exchange: &Exchange, response: Response<Incoming>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let words = Whole::read(&parts.headers, body, &exchange.shared.large_pages).await.map(|whole| whole.plain);
    strip_for_client(&mut parts.headers);
    strip_of_other_body(&mut parts.headers);
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    parts.extensions.clear();
    parts.version = http::Version::default();
    // Its status is what counts; a body that broke off is none.
    Response::from_parts(parts, full(words.unwrap_or_default()))
}

/// A response's `Content-Type`.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}
