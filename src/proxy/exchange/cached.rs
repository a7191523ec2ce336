//! Between a request for a page and the pages that are kept: which request may have one, which answer is kept.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue,
    SET_COOKIE, VARY,
};
use http::{Method, Response, StatusCode};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::super::body::Body;
use super::super::cache::freshness::{Freshness, Wish};
use super::super::cache::{Key, Lead, Page, Stored, Turn};
use super::super::coding::{Coding, pack};
use super::super::{reply, validators};
use super::plan::{Condition, Plan};
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
    let metrics = &exchange.shared.metrics;
    loop {
        let Some((key, wish)) = question(exchange, plan) else { return Way::Upstream(Keeper::nobody()) };
        return match exchange.shared.pages.turn(key, &wish, &exchange.policy).await {
            Turn::Hit(page) => {
                metrics.cached(CacheResult::Hit);
                Way::Kept(answer(exchange, &page).await)
            }
            Turn::Unchanged(fields) => {
                if !is_named(exchange, &fields) {
                    // It has another copy, or none: by now it may be the one to ask.
                    continue;
                }
                metrics.cached(CacheResult::Hit);
                Way::Kept(reply::not_modified((*fields).clone()))
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
        };
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
    // What it says in a field that we don't know may decide upon the page, or be a credential.
    if !headers.keys().all(is_harmless) {
        return None;
    }
    let wish = Wish::of(headers)?;
    let (fingerprint, representation) = (policy.fingerprint(), plan.representation);
    let text = format!("{fingerprint} {representation} {}:{}{}", visit.site.host, visit.port, resource.target);
    Some((Key { text, gzip: plan.gzip }, wish))
}

/// Whether a request's field changes no page, or is accounted for.
fn is_harmless(field: &HeaderName) -> bool {
    const KNOWN: [&str; 26] = [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "content-length",
        "dnt",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "pragma",
        "priority",
        "proxy-connection",
        "range",
        "referer",
        "te",
        "traceparent",
        "tracestate",
        "upgrade-insecure-requests",
        "user-agent",
        "via",
    ];
    KNOWN.contains(&field.as_str()) || field.as_str().starts_with("sec-")
}

/// Answers with a page that is here.
async fn answer(exchange: &Exchange, stored: &Stored) -> Response<Body> {
    let mut response = if is_named(exchange, &stored.page.headers) {
        reply::not_modified(stored.page.headers.clone())
    } else {
        pages::deliver(exchange, &stored.page).await
    };
    if !stored.page.hidden {
        let age = stored.freshness.age(Instant::now());
        response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
    }
    response
}

/// Whether the client has the page whose fields these are.
fn is_named(exchange: &Exchange, fields: &HeaderMap) -> bool {
    fields.get(ETAG).is_some_and(|tag| validators::is_named(&exchange.headers, tag))
}

impl Keeper<'_> {
    /// Nothing is kept, and nobody waits.
    pub(super) fn nobody() -> Self {
        Self { lead: None, asked: Instant::now() }
    }

    /// What upstream is asked: whether what is here, stale, is still the page; or what the client asks.
    pub(super) fn condition(&self) -> Condition<'_> {
        self.tag().map_or(Condition::Own, Condition::Tag)
    }

    /// Upstream's tag of the page that is here, stale.
    fn tag(&self) -> Option<&HeaderValue> {
        self.lead.as_ref()?.stale.as_ref()?.terms.get(ETAG)
    }

    /// Whether a 304 with these fields is about what was asked: one with another tag is not (RFC 9111 section 4.3.4).
    pub(super) fn is_meant_by(&self, upstream: &HeaderMap) -> bool {
        self.tag().zip(upstream.get(ETAG)).is_none_or(|(ours, theirs)| validators::are_same(ours, theirs))
    }

    /// What an answer that has just come says of its keeping; `None` if it isn't kept.
    pub(super) fn terms(&self, upstream: &HeaderMap) -> Option<Terms> {
        self.lead.as_ref()?;
        Terms::of(HeaderMap::new(), upstream, self.asked)
    }

    /// Keeps a page, if it may be kept, for those who wait and who come later.
    pub(super) fn keep(self, exchange: &Exchange, page: &Page, terms: Option<Terms>) {
        let Some(terms) = terms else { return self.give_up(exchange, true) };
        // No more memory than it has bytes: what it was written into may have room for as many again.
        let (body, headers) = (Bytes::copy_from_slice(&page.body), apart(&page.headers));
        let page = Page { body, headers, room: Arc::default(), ..page.clone() };
        let terms = Terms { fields: apart(&terms.fields), ..terms };
        self.put(exchange, Arc::new(Stored::of(exchange, page, terms)), CacheResult::Miss);
    }

    /// Answers when upstream says that the page is no other than the one that was asked about.
    pub(super) async fn unchanged(self, exchange: &Exchange, plan: &Plan, upstream: &HeaderMap) -> Response<Body> {
        let stale = self.lead.as_ref().and_then(|lead| lead.stale.clone());
        let Some(stale) = stale else { return self.unchanged_elsewhere(exchange, plan, upstream) };
        let mut page = stale.page.clone();
        // The tag may be a weaker one by now, for the page as it is packed here.
        let fields = plan.page_headers(exchange, upstream);
        replace(&mut page.headers, fields.keys().filter(|name| **name != ETAG), &fields);
        let Some(terms) = Terms::of(stale.terms.clone(), upstream, self.asked) else {
            self.give_up(exchange, true);
            return pages::deliver(exchange, &page).await;
        };
        let stored = Arc::new(Stored::of(exchange, page, terms));
        self.put(exchange, Arc::clone(&stored), CacheResult::Revalidated);
        answer(exchange, &stored).await
    }

    /// It is the client's own copy that is the page; whoever waits and has the same is told so, too.
    fn unchanged_elsewhere(self, exchange: &Exchange, plan: &Plan, upstream: &HeaderMap) -> Response<Body> {
        let fields = plan.page_headers(exchange, upstream);
        if let Some(lead) = self.lead {
            exchange.shared.metrics.cached(CacheResult::Miss);
            if fields.contains_key(ETAG) {
                lead.unchanged(Arc::new(fields.clone()));
            }
        }
        reply::not_modified(fields)
    }

    fn put(self, exchange: &Exchange, stored: Arc<Stored>, how: CacheResult) {
        let Some(lead) = self.lead else { return };
        exchange.shared.metrics.cached(how);
        // A page of other rules than those in force serves nobody, and would keep them in memory.
        if !exchange.shared.is_in_force(&exchange.policy) {
            return lead.give_up(true);
        }
        let key = lead.key().clone();
        lead.land(Arc::clone(&stored));
        pack_at_leisure(exchange, key, stored);
    }

    /// There is no page; `gone` says that what is kept is not it any more.
    pub(super) fn give_up(self, exchange: &Exchange, gone: bool) {
        if let Some(lead) = self.lead {
            exchange.shared.metrics.cached(CacheResult::Miss);
            lead.give_up(gone);
        }
    }
}

impl Terms {
    /// Those of `upstream`, an answer to what was `asked` then; where it says nothing, those `before` count on. `None` if
    /// what has them may not be kept.
    fn of(mut before: HeaderMap, upstream: &HeaderMap, asked: Instant) -> Option<Self> {
        // Its age is its own.
        before.remove(AGE);
        replace(&mut before, TERMS.iter().filter(|name| upstream.contains_key(*name)), upstream);
        let freshness = Freshness::of(&before, asked, OffsetDateTime::now_utc())?;
        let is_somebodys = upstream.contains_key(SET_COOKIE);
        (!is_somebodys).then_some(Self { fields: before, freshness })
    }
}

impl Stored {
    fn of(exchange: &Exchange, page: Page, terms: Terms) -> Self {
        let Terms { fields, freshness } = terms;
        Self { policy: Arc::clone(&exchange.policy), page, terms: fields, freshness }
    }
}

/// The same fields in memory of their own: as they came, each is a part of all that was read with it, which stays as long as
/// the least of them.
fn apart(fields: &HeaderMap) -> HeaderMap {
    let own = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes());
    // What was a value is one.
    fields.iter().filter_map(|(name, value)| Some((name.clone(), own(value).ok()?))).collect()
}

/// Puts all lines of the fields `names` in place of those that are there.
fn replace<'f>(fields: &mut HeaderMap, names: impl Iterator<Item = &'f HeaderName>, by: &HeaderMap) {
    for name in names {
        fields.remove(name);
        for value in by.get_all(name) {
            fields.append(name, value.clone());
        }
    }
}

/// Packs a page that was written here for those who take gzip: whoever waits for it now has it sooner without, and it is
/// given to all who come later.
fn pack_at_leisure(exchange: &Exchange, key: Key, plain: Arc<Stored>) {
    if !key.gzip || plain.page.headers.contains_key(CONTENT_ENCODING) || plain.page.body.len() < WORTH_PACKING {
        return;
    }
    let shared = Arc::clone(&exchange.shared);
    exchange.shared.tasks.spawn_until_abort(async move {
        if !shared.pages.keeps(&key, &plain) {
            return;
        }
        let Some(body) = pack(&plain.page.body).await else { return };
        let mut page = plain.page.clone();
        page.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(Coding::Gzip.as_str()));
        page.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        pages::weaken(&mut page.headers);
        (page.body, page.room) = (body, Arc::default());
        let Stored { policy, terms, freshness, .. } = &*plain;
        let packed = Stored { policy: Arc::clone(policy), page, terms: terms.clone(), freshness: *freshness };
        shared.pages.replace(&key, &plain, Arc::new(packed));
    });
}
