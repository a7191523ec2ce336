//! Pages that are filtered whole: of projects, legacy JSON, feeds, statistics, and what lists projects for people.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::super::body::{Body, LARGE, Whole, empty};
use super::super::cache::Page;
use super::super::coding::Coding;
use super::super::judge::PolicyJudge;
use super::super::reply;
use super::Exchange;
use super::cached::{self, Keeper, Way};
use super::plan::{Condition, Found, Plan, content_type};
use super::stream;
use super::tell::{Fired, fired, hiding_rules};
use crate::pypi::Malformed;
use crate::pypi::filter::{self, Received, filter_page};
use crate::pypi::negotiate::Representation;
use crate::pypi::resource::Kind;
use crate::pypi::site::SiteKind;
use crate::telemetry::Outcome;

/// Answers a page that is filtered whole.
pub(super) async fn answer(exchange: &Arc<Exchange>) -> Response<Body> {
    let plan = Plan::new(exchange);
    let keeper = match cached::way(exchange, &plan).await {
        Way::Kept(answer) => return answer,
        Way::Upstream(keeper) => keeper,
    };
    let mut found = plan.fetch(exchange, keeper.condition()).await;
    if matches!(&found, Found::Unchanged(headers) if !keeper.is_meant_by(headers)) {
        found = plan.fetch(exchange, Condition::None).await;
    }
    match found {
        Found::Page(response) => answer_with(exchange, &plan, response, keeper).await,
        Found::Unchanged(headers) => keeper.unchanged(exchange, &plan, &headers).await,
        Found::Other(answer) => {
            // An origin server that is ill for a moment has not lost its page.
            keeper.give_up(exchange, !answer.status().is_server_error());
            *answer
        }
    }
}

/// Answers with the page that upstream has sent.
pub(super) async fn answer_with(
    exchange: &Arc<Exchange>,
    plan: &Plan,
    upstream: Response<Incoming>,
    keeper: Keeper<'_>,
) -> Response<Body> {
    if is_somebody_elses(exchange, upstream.headers()) {
        return exchange.relay(upstream);
    }
    let terms = keeper.terms(upstream.headers());
    match read_and_filter(exchange, plan, upstream).await {
        Ok((page, _whole)) => {
            keeper.keep(exchange, &page, terms);
            // A large page has its place until it has found room on its way to the client.
            deliver(exchange, &page).await
        }
        Err(answer) => {
            keeper.give_up(exchange, true);
            *answer
        }
    }
}

/// Whether a folder's page on a mirror is none for people: such a host may hold anything, and only pages list projects.
fn is_somebody_elses(exchange: &Exchange, headers: &HeaderMap) -> bool {
    let on_mirror = exchange.visit.site.kind == SiteKind::Mirror && exchange.resource.kind == Kind::Listing;
    on_mirror && content_type(headers).is_some_and(|named| !named.trim_start().to_ascii_lowercase().contains("html"))
}

/// The page without what the policy hides, and as it came; or the answer when it can't be trusted.
async fn read_and_filter<'e>(
    exchange: &'e Arc<Exchange>,
    plan: &Plan,
    upstream: Response<Incoming>,
) -> Result<(Page, Whole<'e>), Box<Response<Body>>> {
    let (parts, body) = upstream.into_parts();
    let read = Whole::read(&parts.headers, body, &exchange.shared.large_pages).await;
    let whole = read.map_err(|error| Box::new(exchange.fail_body(&error)))?;
    let page = whole.plain.clone();
    let (working, wanted, headers) = (Arc::clone(exchange), plan.wanted, parts.headers);
    // Off the event loop: milliseconds there would be felt by every other client.
    let large = page.len() > LARGE;
    let work = move || {
        let judged = filter(&working, content_type(&headers), &page, wanted);
        (judged, headers)
    };
    let (judged, headers) = if large {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Box::new(exchange.fail("filter-failed", &error.to_string())))?
    } else {
        work()
    };
    let judged = judged.map_err(|malformed| Box::new(exchange.fail(malformed.reason(), &malformed.to_string())))?;
    Ok((judged.into_page(exchange, plan, &headers, &whole), whole))
}

/// A page without what the policy hides, and what the rules did to it.
struct Judged {
    /// `None` if it is the one that came, byte for byte.
    body: Option<Bytes>,
    content_type: String,
    emptied: bool,
    fired: Vec<Fired>,
}

fn filter(
    exchange: &Exchange,
    content_type: Option<&str>,
    page: &Bytes,
    wanted: Representation,
) -> Result<Judged, Malformed> {
    let kind = match &exchange.resource.kind {
        Kind::Page(name) => filter::Kind::Project(Some(name)),
        Kind::LegacyJson(name) => filter::Kind::Legacy(Some(name)),
        Kind::Feed | Kind::Sitemap => filter::Kind::Feed,
        Kind::Stats => filter::Kind::Stats(&exchange.shared.settings.sites),
        Kind::Listing => filter::Kind::Listing(&exchange.shared.settings.sites),
        _ => filter::Kind::Root,
    };
    let url = exchange.upstream_url();
    let mut judge = PolicyJudge::new(&exchange.policy);
    let received = Received { kind, content_type, body: page, url: url.as_ref(), wanted };
    let began = Instant::now();
    let filtered = filter_page(&received, &mut judge)?;
    exchange.shared.metrics.filter.observe(began.elapsed());
    Ok(Judged {
        content_type: filtered.content_type.to_owned(),
        emptied: filtered.emptied,
        fired: fired(judge.hits()),
        body: match filtered.body {
            Cow::Borrowed(_) => None,
            Cow::Owned(body) => Some(body.into()),
        },
    })
}

impl Judged {
    fn into_page(self, exchange: &Exchange, plan: &Plan, upstream: &HeaderMap, whole: &Whole<'_>) -> Page {
        if self.emptied {
            let (headers, body, room) = (HeaderMap::new(), Bytes::new(), Arc::default());
            return Page { hidden: true, fired: self.fired.into(), headers, body, room };
        }
        let mut headers = plan.page_headers(exchange, upstream);
        let body = match self.body {
            Some(body) => body,
            // Nothing goes: the very bytes that came, packed as they came.
            None if plan.takes(whole.coding) => {
                if whole.coding != Coding::Identity {
                    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(whole.coding.as_str()));
                }
                whole.coded.clone()
            }
            None => {
                weaken(&mut headers);
                whole.plain.clone()
            }
        };
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if let Ok(content_type) = HeaderValue::try_from(self.content_type) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        let rules = hiding_rules(&self.fired);
        if !rules.is_empty() {
            reply::mark(&mut headers, Outcome::Filtered, Some(&rules));
        }
        Page { hidden: false, fired: self.fired.into(), headers, body, room: Arc::default() }
    }
}

/// Sends a page, and tells of what the rules did to it.
pub(super) async fn deliver(exchange: &Exchange, page: &Page) -> Response<Body> {
    if page.hidden {
        // All its files are protected, so the page is: an empty page would stop uv from asking the next index.
        exchange.tell_fired(&page.fired, Outcome::Hidden, StatusCode::NOT_FOUND);
        let mut response = reply::not_found(exchange.resource.absent);
        reply::mark(response.headers_mut(), Outcome::Hidden, Some(&hiding_rules(&page.fired)));
        return response;
    }
    let body = if exchange.is_head() { Some(empty()) } else { stream::whole(exchange, page).await };
    let Some(body) = body else { return exchange.fail_busy() };
    exchange.tell_fired(&page.fired, Outcome::Filtered, StatusCode::OK);
    let mut response = Response::new(body);
    response.headers_mut().clone_from(&page.headers);
    response
}

/// Turns a strong entity tag into a weak one: it is that of other bytes than the client gets, such as the same page in
/// another coding (RFC 9110 section 8.8.1).
pub(super) fn weaken(headers: &mut HeaderMap) {
    let weak = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(Ok(weak)) = weak.map(|tag| HeaderValue::try_from(format!("W/{tag}"))) {
        headers.insert(ETAG, weak);
    }
}
