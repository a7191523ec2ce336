//! Whether an answer may be kept, for how long it is fresh, and whether that is enough for a question (RFC 9111).

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, AUTHORIZATION, COOKIE, DATE, ETAG, EXPIRES, HeaderName, SET_COOKIE, VARY};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::directives::Directives;

/// How old an answer is, and how old it may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    received: Instant,
    /// Its age when it was received.
    age: Duration,
    /// What its sender said of that: how long caches on the way had kept it.
    told: Duration,
    lifetime: Duration,
}

/// What a question says of answers that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    max_age: Option<Duration>,
    min_fresh: Duration,
    /// Nothing that wasn't asked about upstream since.
    revalidated: bool,
    /// Nothing else than what is kept (section 5.2.1.7).
    pub(crate) only_if_cached: bool,
}

impl Wish {
    /// What the fields of a question say; `None` if neither it nor its answer may have to do with what is kept: it has
    /// credentials, or says `no-store`.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        // PyPI's pages are the same for everybody. Whoever shows who he is may be told something of his own.
        if headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE) {
            return None;
        }
        let said = Directives::of(headers);
        (!said.no_store).then(|| Self {
            max_age: said.max_age,
            min_fresh: said.min_fresh.unwrap_or_default(),
            revalidated: said.no_cache,
            only_if_cached: said.only_if_cached,
        })
    }
}

impl Freshness {
    /// How long an answer with these fields may be used, to a question that was `asked` then; `now` is the time of day.
    /// `None` if it must not be kept, or would be of no use.
    pub(crate) fn of(headers: &HeaderMap, asked: Instant, now: OffsetDateTime) -> Option<Self> {
        let said = Directives::of(headers);
        let varies_by_more = headers
            .get_all(VARY)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("*").split(','))
            .any(|field| !is_part_of_every_key(field.trim()));
        if said.no_store || said.private || varies_by_more || headers.contains_key(SET_COOKIE) {
            return None;
        }
        let received = Instant::now();
        // When it arrived it was as old as it says, and on its way since we asked (section 4.2.3).
        let date = date(headers, &DATE);
        let apparent = date.map_or(Duration::ZERO, |date| (now - date).try_into().unwrap_or_default());
        let told = headers.get(AGE).map_or(Duration::ZERO, |age| told_age(age.to_str().unwrap_or_default()));
        let age = apparent.max(told + received.saturating_duration_since(asked));
        // Nothing is guessed (section 4.2.2): what says no lifetime is asked about each time.
        let lifetime = said.s_maxage.or(said.max_age).unwrap_or_else(|| {
            let expires = date_of_expiry(headers);
            expires.map_or(Duration::ZERO, |expires| (expires - date.unwrap_or(now)).try_into().unwrap_or_default())
        });
        let lifetime = if said.no_cache { Duration::ZERO } else { lifetime };
        (lifetime > age || headers.contains_key(ETAG)).then_some(Self { received, age, told, lifetime })
    }

    /// The `Age` at `now`.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.received)
    }

    /// Whether it answers a question that wishes so, and came when it was `arrived`.
    pub(crate) fn satisfies(&self, wish: &Wish, arrived: Instant, now: Instant) -> bool {
        // Somebody else's question went upstream, but there is nothing newer.
        let is_new = self.received >= arrived;
        let age = self.age(now);
        // The time that a new one was on its way is none that anybody could have spared.
        let young_enough = match wish.max_age {
            Some(most) if is_new => self.told <= most,
            Some(most) => age <= most && most > Duration::ZERO,
            None => true,
        };
        age + wish.min_fresh < self.lifetime && young_enough && (is_new || !wish.revalidated)
    }
}

/// Whether what is sent in this field decides upon the key, so that an answer may vary by it.
fn is_part_of_every_key(field: &str) -> bool {
    field.is_empty() || ["accept", "accept-encoding"].iter().any(|part| field.eq_ignore_ascii_case(part))
}

/// An `Age`: of several the first, and what can't be read or counted is very old (section 5.1).
fn told_age(text: &str) -> Duration {
    let first = text.split(',').next().unwrap_or_default().trim();
    let seconds = first.parse::<u32>().unwrap_or(u32::MAX).min(u32::MAX >> 1);
    Duration::from_secs(seconds.into())
}

/// A date in any of its three forms (RFC 9110 section 5.6.7).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<OffsetDateTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok().map(OffsetDateTime::from)
}

/// `Expires`; what is no date (`0` is common) has expired (section 5.3).
fn date_of_expiry(headers: &HeaderMap) -> Option<OffsetDateTime> {
    let written = headers.contains_key(EXPIRES);
    written.then(|| date(headers, &EXPIRES).unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 10:00:00 UTC);

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    /// Age and lifetime in seconds, or `None` if it isn't kept.
    fn kept(fields: &[(&'static str, &'static str)]) -> Option<(u64, u64)> {
        let freshness = Freshness::of(&headers(fields), Instant::now(), NOW)?;
        Some((freshness.age.as_secs(), freshness.lifetime.as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn lifetimes_are_what_the_server_says() {
        for (fields, expected) in [
            (&[("cache-control", "max-age=600, public")][..], Some((0, 600))),
            (&[("cache-control", "s-maxage=30, max-age=600")], Some((0, 30))),
            (
                &[("expires", "Mon, 23 Nov 2026 10:05:00 GMT"), ("date", "Mon, 23 Nov 2026 10:00:00 GMT")],
                Some((0, 300)),
            ),
            (&[("cache-control", "max-age=5"), ("expires", "Mon, 23 Nov 2026 10:05:00 GMT")], Some((0, 5))),
            // It has been on its way, or elsewhere.
            (&[("cache-control", "max-age=600"), ("age", "100")], Some((100, 600))),
            (&[("cache-control", "max-age=600"), ("date", "Mon, 23 Nov 2026 09:59:00 GMT")], Some((60, 600))),
            (
                &[("cache-control", "max-age=600"), ("age", "9"), ("date", "Mon, 23 Nov 2026 09:59:00 GMT")],
                Some((60, 600)),
            ),
            (&[("cache-control", "max-age=600"), ("age", "60, 0")], Some((60, 600))),
            (&[("cache-control", "max-age=600"), ("date", "Monday, 23-Nov-26 09:59:00 GMT")], Some((60, 600))),
            (&[("cache-control", "max-age=600"), ("date", "Mon Nov 23 09:59:00 2026")], Some((60, 600))),
            // Of no use without a tag to ask about it.
            (&[("cache-control", "max-age=600"), ("age", "600")], None),
            (&[("cache-control", "max-age=600"), ("age", "99999999999")], None),
            (&[("cache-control", "max-age=600"), ("age", "old")], None),
            (&[("cache-control", "max-age=600, x=\"no-store")], None),
            (&[("cache-control", "max-age=600, x=\"\\\"\", no-store")], None),
            (&[("cache-control", "no-cache, max-age=600")], None),
            (&[("expires", "0")], None),
            (&[], None),
            (&[("etag", "\"x\"")], Some((0, 0))),
            (&[("etag", "\"x\""), ("cache-control", "no-cache, max-age=600")], Some((0, 0))),
            (&[("etag", "\"x\""), ("expires", "-1")], Some((0, 0))),
        ] {
            assert_eq!(kept(fields), expected, "{fields:?}");
        }
    }

    #[tokio::test]
    async fn what_is_somebodys_own_is_never_kept() {
        for more in [
            ("cache-control", "no-store"),
            ("cache-control", "private"),
            ("set-cookie", "session=1"),
            ("vary", "*"),
            ("vary", "Accept, Cookie"),
            ("vary", "user-agent"),
        ] {
            assert!(Freshness::of(&appended(&[more]), Instant::now(), NOW).is_none(), "{more:?}");
        }
        assert!(Freshness::of(&appended(&[("vary", "Accept, Accept-Encoding")]), Instant::now(), NOW).is_some());
    }

    /// The fields of an answer that may be kept, and more.
    fn appended(more: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut all = headers(&[("cache-control", "max-age=600"), ("etag", "\"x\"")]);
        for (name, value) in more {
            all.append(*name, HeaderValue::from_static(value));
        }
        all
    }

    #[test]
    fn credentials_have_nothing_to_do_with_what_is_kept() {
        for field in [("authorization", "Basic x"), ("cookie", "a=b"), ("cache-control", "no-store")] {
            assert_eq!(Wish::of(&headers(&[field])), None, "{field:?}");
        }
        assert!(Wish::of(&headers(&[("user-agent", "pip/26.3")])).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_may_want_less_than_is_allowed() {
        let answer = Freshness::of(&headers(&[("cache-control", "max-age=600"), ("age", "10")]), Instant::now(), NOW);
        let answer = answer.unwrap();
        tokio::time::advance(Duration::from_secs(20)).await;
        let now = Instant::now();
        assert_eq!(answer.age(now).as_secs(), 30);
        for (said, enough) in [
            ("", true),
            ("max-age=30", true),
            ("max-age=29", false),
            ("max-age=0", false),
            ("no-cache", false),
            ("min-fresh=569", true),
            ("min-fresh=570", false),
            ("only-if-cached", true),
            ("max-stale=100", true),
        ] {
            let wish = Wish::of(&headers(&[("cache-control", said)])).unwrap();
            assert_eq!(answer.satisfies(&wish, now, now), enough, "{said}");
        }
        tokio::time::advance(Duration::from_secs(569)).await;
        assert!(answer.satisfies(&Wish::default(), Instant::now(), Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!answer.satisfies(&Wish::default(), Instant::now(), Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_after_the_question_is_as_new_as_can_be() {
        let arrived = Instant::now();
        tokio::time::advance(Duration::from_millis(5)).await;
        let satisfied = |answer: &'static str, question: &'static str| {
            let answer =
                Freshness::of(&headers(&[("etag", "\"x\""), ("cache-control", answer)]), arrived, NOW).unwrap();
            let wish = Wish::of(&headers(&[("cache-control", question)])).unwrap();
            answer.satisfies(&wish, arrived, Instant::now())
        };
        assert!(satisfied("max-age=60", "no-cache") && satisfied("max-age=60", "max-age=0"));
        // What must be asked about each time is nobody else's answer, and what is too old is too old.
        assert!(!satisfied("no-cache", "") && !satisfied("max-age=0", "") && !satisfied("max-age=60", "min-fresh=60"));
    }
}
