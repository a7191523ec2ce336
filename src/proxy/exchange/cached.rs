//! Between a request for a page and the pages that are kept: which request may have one, which answer is kept.

use std::sync::Arc;

use http::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, EXPIRES, HeaderMap, HeaderName,
    HeaderValue, VARY,
};
use http::{Method, Response, StatusCode};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::super::body::{Body, empty};
use super::super::cache::freshness::{Freshness, Wish};
use super::super::cache::{Key, Lead, Page, Stored, Turn};
use super::super::coding::{Coding, pack};
use super::super::validators;
use super::plan::Plan;
use super::{Exchange, pages};
use crate::pypi::resource::Kind;
use crate::telemetry::metrics::CacheResult;

/// Smaller pages fit into a packet or two whatever they are packed in.
const WORTH_PACKING: usize = 1024;

/// The fields of an upstream answer that say how long it may be used, and by which tag it is asked about.
const TERMS: [HeaderName; 6] = [CACHE_CONTROL, EXPIRES, DATE, AGE, VARY, ETAG];

/// How a request comes to its answer.
pub(super) enum Way<'e> {
    /// Of what is here.
    Kept(Response<Body>),
    /// By asking upstream.
    Upstream(Keeper<'e>),
}

/// Sees to it that what upstream answers is there for those who wait for it, and who ask later.
pub(super) struct Keeper<'e> {
    lead: Option<Lead<'e>>,
    asked: Instant,
}

/// How long an answer may be used, and the fields that say so.
pub(super) struct Terms {
    fields: HeaderMap,
    freshness: Freshness,
}

/// The way for this request.
pub(super) async fn way<'e>(exchange: &'e Exchange, plan: &Plan) -> Way<'e> {
    let Some((key, wish)) = question(exchange, plan) else { return Way::Upstream(Keeper::nobody()) };
    let metrics = &exchange.shared.metrics;
    match exchange.shared.pages.turn(key, &wish, &exchange.policy).await {
        Turn::Hit(page) => {
            metrics.cached(CacheResult::Hit);
            Way::Kept(answer(exchange, &page).await)
        }
        Turn::Absent => {
            let detail = "the request wants nothing but what is cached, and this is not";
            Way::Kept(exchange.fail_with(StatusCode::GATEWAY_TIMEOUT, "not-cached", detail))
        }
        Turn::Lead(lead) => Way::Upstream(Keeper { lead: Some(lead), asked: Instant::now() }),
        Turn::Alone => {
            metrics.cached(CacheResult::Miss);
            Way::Upstream(Keeper::nobody())
        }
    }
}

/// What is looked for; `None` for what has nothing to do with kept pages.
fn question(exchange: &Exchange, plan: &Plan) -> Option<(Key, Wish)> {
    let Exchange { shared, resource, visit, headers, query, policy, .. } = exchange;
    // Clients ask for pages without a query; whoever writes one could fill the cache with the same page.
    let of_an_index = matches!(resource.kind, Kind::Page(_) | Kind::LegacyJson(_)) && query.is_none();
    if !shared.pages.is_on() || !of_an_index || !matches!(exchange.method, Method::GET | Method::HEAD) {
        return None;
    }
    let wish = Wish::of(headers)?;
    let coding = if plan.gzip { Coding::Gzip } else { Coding::Identity };
    let key = format!(
        "{} {} {} {}:{}{}",
        policy.fingerprint(),
        plan.representation,
        coding.as_str(),
        visit.site.host,
        visit.port,
        resource.target
    );
    Some((Key(key), wish))
}

/// Answers with a page that is here.
async fn answer(exchange: &Exchange, stored: &Stored) -> Response<Body> {
    let tag = stored.page.headers.get(ETAG);
    let mut response = if tag.is_some_and(|tag| validators::is_named(&exchange.headers, tag)) {
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().clone_from(&stored.page.headers);
        for of_body in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
            response.headers_mut().remove(of_body);
        }
        response
    } else {
        pages::deliver(exchange, &stored.page).await
    };
    if !stored.page.hidden {
        let age = stored.freshness.age(Instant::now());
        response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
    }
    response
}

impl Keeper<'_> {
    /// Nothing is kept, and nobody waits.
    pub(super) fn nobody() -> Self {
        Self { lead: None, asked: Instant::now() }
    }

    /// Upstream's tag of the page that is here, stale.
    pub(super) fn tag(&self) -> Option<&HeaderValue> {
        self.lead.as_ref()?.stale.as_ref()?.terms.get(ETAG)
    }

    /// What an answer that has just come says of its keeping; `None` if it isn't kept.
    pub(super) fn terms(&self, upstream: &HeaderMap) -> Option<Terms> {
        self.lead.as_ref()?;
        let freshness = Freshness::of(upstream, self.asked, OffsetDateTime::now_utc())?;
        let fields =
            TERMS.iter().flat_map(|name| upstream.get_all(name).iter().map(move |value| (name.clone(), value)));
        Some(Terms { fields: fields.map(|(name, value)| (name, value.clone())).collect(), freshness })
    }

    /// Keeps a page, if it may be kept, for those who wait and who come later.
    pub(super) fn keep(self, exchange: &Exchange, page: &Page, terms: Option<Terms>) {
        let Some(lead) = self.lead else { return };
        exchange.shared.metrics.cached(CacheResult::Miss);
        // A page of other rules than those in force serves nobody, and would keep them in memory.
        let in_force = Arc::ptr_eq(&exchange.shared.policy(), &exchange.policy);
        let Some(Terms { fields, freshness }) = terms.filter(|_| in_force) else { return lead.give_up() };
        let stored = Stored { policy: Arc::clone(&exchange.policy), page: page.clone(), terms: fields, freshness };
        land(exchange, lead, stored);
    }

    /// Answers when upstream says that the page is no other than the one that was asked about.
    pub(super) async fn unchanged(self, exchange: &Exchange, plan: &Plan, upstream: &HeaderMap) -> Response<Body> {
        let Some(lead) = self.lead else { return plan.not_modified(exchange, upstream) };
        let Some(stale) = lead.stale.clone() else {
            // It is the client's own copy that is the page; whoever waits has none.
            exchange.shared.metrics.cached(CacheResult::Miss);
            return plan.not_modified(exchange, upstream);
        };
        exchange.shared.metrics.cached(CacheResult::Revalidated);
        let (mut page, mut terms) = (stale.page.clone(), stale.terms.clone());
        // What the 304 says counts from now on (RFC 9111 section 4.3.4), but its age is its own.
        terms.remove(AGE);
        replace(&mut terms, TERMS.iter().filter_map(|name| Some((name, upstream.get(name)?))));
        let fields = plan.page_headers(exchange, upstream);
        // The tag may be a weaker one by now, for the page as it is packed here.
        replace(&mut page.headers, fields.iter().filter(|(name, _)| **name != ETAG));
        let Some(freshness) = Freshness::of(&terms, self.asked, OffsetDateTime::now_utc()) else {
            lead.give_up();
            return pages::deliver(exchange, &page).await;
        };
        let stored = Arc::new(Stored { policy: Arc::clone(&exchange.policy), page, terms, freshness });
        lead.land(Arc::clone(&stored));
        answer(exchange, &stored).await
    }

    /// There is no page.
    pub(super) fn give_up(self) {
        if let Some(lead) = self.lead {
            lead.give_up();
        }
    }
}

fn replace<'f>(fields: &mut HeaderMap, by: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>) {
    for (name, value) in by {
        fields.insert(name.clone(), value.clone());
    }
}

/// Keeps a page. One that was written here, for those who take gzip, is packed at leisure: whoever waits for it now has
/// it sooner without, and it is given to all who come later.
fn land(exchange: &Exchange, lead: Lead<'_>, stored: Stored) {
    let (key, plain) = (lead.key().clone(), Arc::new(stored));
    lead.land(Arc::clone(&plain));
    let headers = &plain.page.headers;
    let takes_gzip = key.0.contains(Coding::Gzip.as_str());
    if !takes_gzip || headers.contains_key(CONTENT_ENCODING) || plain.page.body.len() < WORTH_PACKING {
        return;
    }
    let shared = Arc::clone(&exchange.shared);
    exchange.shared.tasks.spawn_until_abort(async move {
        let Some(body) = pack(&plain.page.body).await else { return };
        let mut page = plain.page.clone();
        page.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(Coding::Gzip.as_str()));
        page.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        pages::weaken(&mut page.headers);
        page.body = body;
        let Stored { policy, terms, freshness, .. } = &*plain;
        let packed = Stored { policy: Arc::clone(policy), page, terms: terms.clone(), freshness: *freshness };
        shared.pages.replace(&key, &plain, Arc::new(packed));
    });
}
