//! The list of all projects: fifty megabytes of JSON filtered as a stream, in constant memory.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::super::body::{Body, Decoded, empty};
use super::super::judge::{Hit, PolicyJudge};
use super::Exchange;
use super::pages::{self, record_hits};
use super::plan::{Plan, content_type};
use super::stream::{self, Failure, Outlet, PIECE};
use crate::pypi::negotiate::Representation;
use crate::pypi::root::RootFilter;
use crate::telemetry::Outcome;

/// Answers the root list.
pub(super) async fn answer(exchange: Arc<Exchange>) -> Response<Body> {
    let mut plan = Plan::new(&exchange);
    let upstream = match plan.fetch(&exchange).await {
        Ok(response) => response,
        Err(answer) => return *answer,
    };
    match Representation::of_response(content_type(upstream.headers())) {
        Ok(Representation::Json) => stream_filtered(exchange, &plan, upstream).await,
        // Only a host that has no JSON sends HTML; its list is read whole.
        Ok(_html) => pages::answer_with(exchange, plan, upstream).await,
        Err(malformed) => exchange.fail(malformed.reason(), &malformed.to_string()),
    }
}

async fn stream_filtered(exchange: Arc<Exchange>, plan: &Plan, upstream: Response<Incoming>) -> Response<Body> {
    let mut headers = plan.page_headers(upstream.headers());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(plan.wanted.content_type()));
    if exchange.is_head() {
        // Its length is known to nobody before it is filtered.
        let mut response = Response::new(empty());
        *response.headers_mut() = headers;
        return response;
    }
    let (working, wanted) = (Arc::clone(&exchange), plan.wanted);
    stream::answer(exchange, headers, move |mut outlet| async move {
        let outcome = filter(&working, wanted, upstream, &mut outlet).await;
        (outlet, outcome)
    })
    .await
}

async fn filter(
    exchange: &Exchange,
    wanted: Representation,
    upstream: Response<Incoming>,
    outlet: &mut Outlet,
) -> Result<(), Failure> {
    let (parts, body) = upstream.into_parts();
    let mut filter = RootFilter::new(wanted);
    let mut decoded = Decoded::new(&parts.headers, body).await?;
    let mut judge = PolicyJudge::new(&exchange.policy);
    let (mut piece, mut filtered) = (Vec::new(), Vec::with_capacity(PIECE));
    loop {
        decoded.next(&mut piece).await?;
        let ended = piece.is_empty();
        if ended {
            filter.finish(&mut judge, &mut filtered)?;
        } else {
            filter.push(&piece, &mut judge, &mut filtered)?;
        }
        if filtered.len() >= PIECE || ended {
            let out = std::mem::replace(&mut filtered, Vec::with_capacity(PIECE));
            if !outlet.send(out).await {
                // What was hidden from a client that has gone doesn't count.
                return Ok(());
            }
        }
        if ended {
            record_hits(exchange, judge.hits(), Outcome::Filtered, StatusCode::OK);
            count_claimed(exchange, judge.hits());
            return Ok(());
        }
    }
}

/// What is taken out of PyPI's own list are protected names that strangers hold.
fn count_claimed(exchange: &Exchange, hits: &[Hit<'_>]) {
    if exchange.visit.site.host.as_str() == "pypi.org" {
        let rules = exchange.policy.rules().iter().map(|rule| rule.id.as_str());
        let counts = hits.iter().map(|hit| (hit.found.rule.id.as_str(), hit.count));
        exchange.shared.metrics.claimed(rules, counts);
    }
}
