//! The list of all projects: fifty megabytes of JSON filtered as a stream, in constant memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::super::body::{Body, Decoded, empty};
use super::super::judge::{Hit, PolicyJudge};
use super::super::reply;
use super::Exchange;
use super::cached::Keeper;
use super::pages;
use super::plan::{Condition, Found, Plan, content_type};
use super::stream::{self, Failure, Outlet, PIECE};
use super::tell::{fired, hiding_rules};
use crate::claimed::{Claims, watch};
use crate::name::Subject;
use crate::policy::Policy;
use crate::pypi::Judge;
use crate::pypi::negotiate::Representation;
use crate::pypi::root::RootFilter;
use crate::telemetry::Outcome;

/// What is sent at once when the answer has begun.
const LATER: usize = 3 * PIECE;

/// The most names that are kept of a passing list; who protects more than that asks for the list now and then.
const MAX_CLAIMS: usize = 10_000;

/// Answers the root list.
pub(super) async fn answer(exchange: Arc<Exchange>) -> Response<Body> {
    let plan = Plan::new(&exchange);
    let upstream = match plan.fetch(&exchange, Condition::Own).await {
        Found::Page(response) => response,
        // Neither have the rules changed: the client's copy is the filtered one.
        Found::Unchanged(headers) => return reply::not_modified(plan.page_headers(&exchange, &headers)),
        Found::Other(answer) => return *answer,
    };
    match Representation::of_response(content_type(upstream.headers())) {
        Ok(Representation::Json) => stream_filtered(exchange, &plan, upstream).await,
        // Only a host that has no JSON sends HTML; its list is read whole.
        Ok(_html) => pages::answer_with(&exchange, &plan, upstream, Keeper::nobody()).await,
        Err(malformed) => exchange.fail(malformed.reason(), &malformed.to_string()),
    }
}

async fn stream_filtered(exchange: Arc<Exchange>, plan: &Plan, upstream: Response<Incoming>) -> Response<Body> {
    let mut headers = plan.page_headers(&exchange, upstream.headers());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(plan.wanted.content_type()));
    if exchange.is_head() {
        // Its length is known to nobody before it is filtered.
        let mut response = Response::new(empty());
        *response.headers_mut() = headers;
        reply::mark_possible(&mut response, &exchange.policy);
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
    let mut judge = Listening::new(&exchange.policy);
    let (mut filtered, mut enough, mut took) = (Vec::new(), PIECE, Duration::ZERO);
    loop {
        let piece = decoded.next().await?;
        let ended = piece.is_empty();
        let began = Instant::now();
        if ended {
            filter.finish(&mut judge, &mut filtered)?;
        } else {
            // HTML is a little longer.
            filtered.reserve(piece.len() + piece.len() / 4);
            filter.push(&piece, &mut judge, &mut filtered)?;
        }
        took += began.elapsed();
        if filtered.len() >= enough || ended {
            // The first piece is waited for; of the others, few large ones wake the connection less often.
            enough = LATER;
            let out = std::mem::take(&mut filtered);
            // The head goes before the end is known: of a long list it names the rules that may hide something.
            outlet.name_rules(|| match ended {
                true => hiding_rules(&fired(judge.judge.hits())),
                false => reply::possible_rules(&exchange.policy),
            });
            if !outlet.send(out).await {
                // What was hidden from a client that has gone doesn't count.
                return Ok(());
            }
        }
        if ended {
            exchange.shared.metrics.filter.observe(took);
            exchange.tell_fired(&fired(judge.judge.hits()), Outcome::Filtered, StatusCode::OK);
            let claims = judge.claims.take();
            tell_of_claimed(exchange, judge.judge.hits(), claims);
            return Ok(());
        }
    }
}

/// What is taken out of PyPI's own list are protected names that strangers hold.
fn tell_of_claimed(exchange: &Exchange, hits: &[Hit<'_>], claims: Option<Claims>) {
    // What somebody sees for whom only some rules are in force tells nothing of the others.
    if exchange.visit.site.host.as_str() != "pypi.org" || !exchange.policy.is_whole() {
        return;
    }
    let rules = exchange.policy.rules().iter().map(|rule| rule.id.as_str());
    let counts = hits.iter().map(|hit| (hit.found.rule.id.as_str(), hit.count));
    exchange.shared.metrics.claimed(rules, counts);
    if let Some(claims) = claims {
        let (shared, policy) = (Arc::clone(&exchange.shared), Arc::clone(&exchange.policy));
        exchange.shared.tasks.spawn_until_abort(async move { watch::hear(&shared, &policy, &claims).await });
    }
}

/// Judges, and listens to which names a rule matches.
struct Listening<'p> {
    judge: PolicyJudge<'p>,
    /// `None` once there are too many to keep: a list passes in constant memory.
    claims: Option<Claims>,
    heard: usize,
}

impl<'p> Listening<'p> {
    fn new(policy: &'p Policy) -> Self {
        Self { judge: PolicyJudge::new(policy), claims: Some(Claims::default()), heard: 0 }
    }
}

impl Judge for Listening<'_> {
    fn hides(&mut self, subject: Subject<'_>) -> bool {
        let (hides, found) = self.judge.judged(subject);
        if let (Some(found), Subject::Project(name), Some(claims)) = (found, subject, &mut self.claims) {
            claims.add(name, name.as_str().to_owned(), &found, None);
            self.heard += 1;
            self.claims.take_if(|_| self.heard > MAX_CLAIMS);
        }
        hides
    }
}
