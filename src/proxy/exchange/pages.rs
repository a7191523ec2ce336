//! Pages that are filtered whole: of projects, legacy JSON, feeds, statistics, and what lists projects for people.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::super::body::{Body, LARGE, Whole, empty};
use super::super::coding::Coding;
use super::super::judge::{Hit, PolicyJudge};
use super::super::reply;
use super::Exchange;
use super::plan::{Plan, content_type};
use super::stream;
use super::tell::Told;
use crate::pypi::Malformed;
use crate::pypi::filter::{self, Received, filter_page};
use crate::pypi::negotiate::Representation;
use crate::pypi::resource::Kind;
use crate::pypi::site::SiteKind;
use crate::telemetry::Outcome;

/// Answers a page that is filtered whole.
pub(super) async fn answer(exchange: Arc<Exchange>) -> Response<Body> {
    let mut plan = Plan::new(&exchange);
    match plan.fetch(&exchange).await {
        Ok(response) => answer_with(exchange, plan, response).await,
        Err(answer) => *answer,
    }
}

/// Answers with the page that upstream has sent.
pub(super) async fn answer_with(exchange: Arc<Exchange>, plan: Plan, upstream: Response<Incoming>) -> Response<Body> {
    if is_somebody_elses(&exchange, upstream.headers()) {
        return exchange.relay(upstream);
    }
    let (parts, body) = upstream.into_parts();
    let whole = match Whole::read(&parts.headers, body, &exchange.shared.large_pages).await {
        Ok(whole) => whole,
        Err(error) => return exchange.fail(error.reason(), &error.to_string()),
    };
    let page = whole.plain.clone();
    let (working, wanted, headers) = (Arc::clone(&exchange), plan.wanted, parts.headers);
    // Off the event loop: milliseconds there would be felt by every other client.
    let large = page.len() > LARGE;
    let work = move || {
        let judged = filter(&working, content_type(&headers), &page, wanted);
        (judged, headers)
    };
    let (judged, headers) = if large {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => return exchange.fail("filter-failed", &error.to_string()),
        }
    } else {
        work()
    };
    match judged {
        Ok(judged) => finish(&exchange, &plan, &headers, judged, whole).await,
        Err(malformed) => exchange.fail(malformed.reason(), &malformed.to_string()),
    }
}

/// Whether a folder's page on a mirror is none for people: such a host may hold anything, and only pages list projects.
fn is_somebody_elses(exchange: &Exchange, headers: &HeaderMap) -> bool {
    let on_mirror = exchange.visit.site.kind == SiteKind::Mirror && exchange.resource.kind == Kind::Listing;
    on_mirror && content_type(headers).is_some_and(|named| !named.trim_start().to_ascii_lowercase().contains("html"))
}

/// A page without what the policy hides, and the rules that hid it.
struct Judged {
    /// `None` if it is the one that came, byte for byte.
    body: Option<Bytes>,
    content_type: String,
    emptied: bool,
    rules: String,
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
    let filtered = filter_page(&received, &mut judge)?;
    let (outcome, status) = match filtered.emptied {
        true => (Outcome::Hidden, StatusCode::NOT_FOUND),
        false => (Outcome::Filtered, StatusCode::OK),
    };
    record_hits(exchange, judge.hits(), outcome, status);
    Ok(Judged {
        content_type: filtered.content_type.to_owned(),
        emptied: filtered.emptied,
        rules: hiding_rules(judge.hits()),
        body: match filtered.body {
            Cow::Borrowed(_) => None,
            Cow::Owned(body) => Some(body.into()),
        },
    })
}

/// Tells of each rule that did something to a page.
pub(super) fn record_hits(exchange: &Exchange, hits: &[Hit<'_>], outcome: Outcome, status: StatusCode) {
    for hit in hits {
        let outcome = if hit.hides { outcome } else { Outcome::Allowed };
        exchange.tell(&Told { found: Some(&hit.found), removed: hit.count, ..Told::new(outcome, status) });
    }
}

/// The ids of the rules that hid something.
pub(super) fn hiding_rules(hits: &[Hit<'_>]) -> String {
    hits.iter().filter(|hit| hit.hides).map(|hit| hit.found.rule.id.as_str()).collect::<Vec<_>>().join(", ")
}

async fn finish(
    exchange: &Exchange,
    plan: &Plan,
    upstream: &HeaderMap,
    judged: Judged,
    whole: Whole<'_>,
) -> Response<Body> {
    if judged.emptied {
        // All its files are protected, so the page is: an empty page would stop uv from asking the next index.
        let mut response = reply::not_found(exchange.resource.absent);
        reply::mark(&mut response, Outcome::Hidden, Some(&judged.rules));
        return response;
    }
    let mut headers = plan.page_headers(upstream);
    let body = match judged.body {
        Some(body) => body,
        // Nothing goes: the very bytes that came, packed as they came.
        None if plan.takes(whole.coding) => {
            if whole.coding != Coding::Identity {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(whole.coding.as_str()));
            }
            whole.coded
        }
        None => {
            weaken(&mut headers);
            whole.plain
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if let Ok(content_type) = HeaderValue::try_from(judged.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    let mut response = Response::new(if exchange.is_head() { empty() } else { stream::whole(exchange, body).await });
    *response.headers_mut() = headers;
    if !judged.rules.is_empty() {
        reply::mark(&mut response, Outcome::Filtered, Some(&judged.rules));
    }
    response
}

/// Upstream has packed the page unasked, so its tag is that of other bytes than the client gets (RFC 9110 section 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let weak = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(Ok(weak)) = weak.map(|tag| HeaderValue::try_from(format!("W/{tag}"))) {
        headers.insert(ETAG, weak);
    }
}
