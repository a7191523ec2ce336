//! Project pages and legacy JSON: fetched in the form that we read, filtered whole, answered in the form asked for.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use url::Url;

use super::super::body::{Body, Decoded, LARGE, empty, full};
use super::super::judge::{Hit, PolicyJudge};
use super::super::reply;
use super::Exchange;
use super::plan::{Plan, content_type};
use super::tell::Told;
use crate::pypi::Malformed;
use crate::pypi::filter::{self, Received, filter_page};
use crate::pypi::negotiate::Representation;
use crate::pypi::resource::Kind;
use crate::telemetry::Outcome;

/// Answers a project page or a legacy JSON.
pub(super) async fn answer(exchange: Arc<Exchange>) -> Response<Body> {
    let plan = Plan::new(&exchange);
    match plan.fetch(&exchange).await {
        Ok(response) => answer_with(exchange, plan, response).await,
        Err(answer) => *answer,
    }
}

/// Answers with the page that upstream has sent.
pub(super) async fn answer_with(exchange: Arc<Exchange>, plan: Plan, upstream: Response<Incoming>) -> Response<Body> {
    let (parts, body) = upstream.into_parts();
    let page = match Decoded::new(&parts.headers, body) {
        Ok(decoded) => decoded.collect(&exchange.shared.large_pages).await,
        Err(error) => Err(error),
    };
    let (page, _place) = match page {
        Ok((page, place)) => (Bytes::from(page), place),
        Err(error) => return exchange.fail(error.reason(), &error.to_string()),
    };
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
        Ok(judged) => finish(&exchange, &plan, &headers, judged),
        Err(malformed) => exchange.fail(malformed.reason(), &malformed.to_string()),
    }
}

/// A page without what the policy hides, and the rules that hid it.
struct Judged {
    body: Bytes,
    content_type: &'static str,
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
        _ => filter::Kind::Root,
    };
    let url = exchange.upstream_uri().ok().and_then(|uri| Url::parse(&uri.to_string()).ok());
    let mut judge = PolicyJudge::new(&exchange.policy);
    let received = Received { kind, content_type, body: page, url: url.as_ref(), wanted };
    let filtered = filter_page(&received, &mut judge)?;
    let (outcome, status) = match filtered.emptied {
        true => (Outcome::Hidden, StatusCode::NOT_FOUND),
        false => (Outcome::Filtered, StatusCode::OK),
    };
    record_hits(exchange, judge.hits(), outcome, status);
    Ok(Judged {
        content_type: filtered.content_type,
        emptied: filtered.emptied,
        rules: hiding_rules(judge.hits()),
        body: match filtered.body {
            // Nothing was removed: the very bytes that came, not a copy of them.
            Cow::Borrowed(_) => page.clone(),
            Cow::Owned(body) => body.into(),
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

fn hiding_rules(hits: &[Hit<'_>]) -> String {
    hits.iter().filter(|hit| hit.hides).map(|hit| hit.found.rule.id.as_str()).collect::<Vec<_>>().join(", ")
}

fn finish(exchange: &Exchange, plan: &Plan, upstream: &HeaderMap, judged: Judged) -> Response<Body> {
    if judged.emptied {
        // All its files are protected, so the page is: an empty page would stop uv from asking the next index.
        let mut response = reply::not_found();
        reply::mark(&mut response, Outcome::Hidden, Some(&judged.rules));
        return response;
    }
    let length = judged.body.len();
    let mut response = Response::new(if exchange.is_head() { empty() } else { full(judged.body) });
    *response.headers_mut() = plan.page_headers(upstream);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(judged.content_type));
    if !judged.rules.is_empty() {
        reply::mark(&mut response, Outcome::Filtered, Some(&judged.rules));
    }
    response
}
