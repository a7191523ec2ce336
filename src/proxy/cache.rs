//! Filtered pages in memory: for as long as their origin server says (RFC 9111), for nobody but who asks under the very
//! policy that filtered them; and one question upstream for all who wait for the same page.

mod directives;
pub(super) mod freshness;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::ETAG;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use self::freshness::{Freshness, Wish};
use super::exchange::Fired;
use super::rooms::Taken;
use crate::policy::Policy;

/// What an entry costs beside what is in it: its place, and the tables of its fields.
const OVERHEAD: usize = 2048;

/// How long one waits for what another has asked for: an origin server that keeps one waiting may answer the next at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// What entries are expected to have, on average: only so that the table has about the right size.
const EXPECTED: u64 = 32 * 1024;

/// The kept pages of one proxy.
pub(super) struct Pages {
    /// `None` when the cache is off.
    kept: Option<Cache<Key, Arc<Stored>, Weight>>,
    /// What is being asked upstream, and whether there is something to wait for.
    flights: Mutex<HashMap<Key, watch::Receiver<Flight>>>,
}

/// All that makes a difference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The policy's fingerprint, the representation, and the URL, in one text.
    pub(super) text: String,
    /// Whether the client takes gzip.
    pub(super) gzip: bool,
}

/// A page as it is sent. Cheap to clone, but for its fields.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// Whether the rules leave nothing of it: the answer is that there is no such page.
    pub(super) hidden: bool,
    /// Its fields, its entity tag among them.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The room that its body has on its way to clients.
    pub(super) room: Arc<Taken>,
    /// What each rule did to it: told each time that it is sent.
    pub(super) fired: Arc<[Fired]>,
}

/// A page that is kept.
#[derive(Debug)]
pub(super) struct Stored {
    /// Under which it was filtered. A fingerprint is shared by policies that differ in words; a snapshot by none.
    pub(super) policy: Arc<Policy>,
    pub(super) page: Page,
    /// The upstream answer's fields that say how long it may be used, and its tag.
    pub(super) terms: HeaderMap,
    pub(super) freshness: Freshness,
}

/// How a request comes to its page.
pub(super) enum Turn<'c> {
    /// It is here.
    Hit(Arc<Stored>),
    /// This request asks upstream, for itself and for those who wait.
    Lead(Lead<'c>),
    /// It asks upstream for itself.
    Alone,
    /// It wants nothing but what is here, and that isn't.
    Absent,
    /// Upstream has just said, to another request, that the page with the tag in these fields of ours is the page.
    Unchanged(Arc<HeaderMap>),
}

/// The duty of asking upstream. Dropped without a word, another request takes it over.
pub(super) struct Lead<'c> {
    pages: &'c Pages,
    key: Key,
    landing: watch::Sender<Flight>,
    /// What is here and must be asked about: it may still be the page.
    pub(super) stale: Option<Arc<Stored>>,
}

/// What those who wait are told.
#[derive(Clone, Debug)]
enum Flight {
    UnderWay,
    /// The page is here.
    Landed,
    /// The page is the one that the client who asked has, and nobody else.
    Unchanged(Arc<HeaderMap>),
    /// There is nothing that another one could use.
    NotKept,
}

impl Pages {
    /// Keeps up to `size` bytes; none if that is 0.
    pub(super) fn new(size: u64) -> Self {
        let items = usize::try_from(size / EXPECTED).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        // One shard: a page may then have as much of the room as it needs.
        let options = OptionsBuilder::new().estimated_items_capacity(items).weight_capacity(size).shards(1).build();
        let kept = options.ok().filter(|_| size > 0).map(|options| {
            Cache::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
        });
        Self { kept, flights: Mutex::default() }
    }

    /// Whether anything is kept at all.
    pub(super) const fn is_on(&self) -> bool {
        self.kept.is_some()
    }

    /// Forgets everything: the rules have changed.
    pub(super) fn clear(&self) {
        if let Some(kept) = &self.kept {
            kept.clear();
        }
    }

    /// How many bytes are kept.
    pub(super) fn size(&self) -> u64 {
        self.kept.as_ref().map_or(0, Cache::weight)
    }

    /// How a request for `key` that wishes so comes to its page under `policy`. Waits while another one asks, but not for
    /// long.
    pub(super) async fn turn(&self, key: Key, wish: &Wish, policy: &Arc<Policy>) -> Turn<'_> {
        let arrived = Instant::now();
        let mut landed = false;
        loop {
            let stored = self.find(&key, policy);
            match &stored {
                Some(page) if page.freshness.satisfies(wish, arrived, Instant::now()) => {
                    return Turn::Hit(Arc::clone(page));
                }
                _ if wish.only_if_cached => return Turn::Absent,
                // It was, and is gone or stale again: nobody waits twice.
                _ if landed => return Turn::Alone,
                _ => {}
            }
            let mut flight = match self.flights().entry(key.clone()) {
                Entry::Occupied(flight) => flight.get().clone(),
                Entry::Vacant(place) => {
                    let (landing, flight) = watch::channel(Flight::UnderWay);
                    place.insert(flight);
                    // Without a tag it can't be asked about.
                    let stale = stored.filter(|stored| stored.terms.contains_key(ETAG));
                    return Turn::Lead(Lead { pages: self, key, landing, stale });
                }
            };
            let over = flight.wait_for(|flight| !matches!(flight, Flight::UnderWay));
            match timeout(PATIENCE, over).await.map(|flight| flight.map(|flight| flight.clone())) {
                Err(_) | Ok(Ok(Flight::NotKept)) => return Turn::Alone,
                Ok(Ok(Flight::Unchanged(fields))) => return Turn::Unchanged(fields),
                Ok(Ok(Flight::Landed | Flight::UnderWay)) => landed = true,
                // Whoever asked has gone: the next one asks.
                Ok(Err(_gone)) => {}
            }
        }
    }

    fn find(&self, key: &Key, policy: &Arc<Policy>) -> Option<Arc<Stored>> {
        self.kept.as_ref()?.get(key).filter(|page| Arc::ptr_eq(&page.policy, policy))
    }

    /// Whether `page` is kept: there may have been no room for it.
    pub(super) fn keeps(&self, key: &Key, page: &Arc<Stored>) -> bool {
        self.kept.as_ref().and_then(|kept| kept.peek(key)).is_some_and(|kept| Arc::ptr_eq(&kept, page))
    }

    /// Puts `packed` in the place of `plain`, if that is still there.
    pub(super) fn replace(&self, key: &Key, plain: &Arc<Stored>, packed: Arc<Stored>) {
        if let Some(kept) = self.kept.as_ref().filter(|_| self.keeps(key, plain)) {
            kept.insert(key.clone(), packed);
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead<'_> {
    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// Keeps `page`, and lets those who wait have it.
    pub(super) fn land(self, page: Arc<Stored>) {
        if let Some(kept) = &self.pages.kept {
            kept.insert(self.key.clone(), page);
        }
        self.landing.send_replace(Flight::Landed);
    }

    /// The client's own copy is the page, which is not here; `fields` tell its tag.
    pub(super) fn unchanged(self, fields: Arc<HeaderMap>) {
        self.landing.send_replace(Flight::Unchanged(fields));
    }

    /// There is nothing to keep; `gone` says that what was kept is not the page any more.
    pub(super) fn give_up(self, gone: bool) {
        if let Some(kept) = self.pages.kept.as_ref().filter(|_| gone) {
            kept.remove(&self.key);
        }
        self.landing.send_replace(Flight::NotKept);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.pages.flights().remove(&self.key);
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// What a page takes of the room.
#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Key, Arc<Stored>> for Weight {
    fn weight(&self, key: &Key, stored: &Arc<Stored>) -> u64 {
        let fields = stored.page.headers.iter().chain(&stored.terms);
        let fields: usize = fields.map(|(name, value)| name.as_str().len() + value.len()).sum();
        (stored.page.body.len() + fields + key.text.len() + OVERHEAD) as u64
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CACHE_CONTROL;
    use time::macros::date;

    use super::*;

    fn policy() -> Arc<Policy> {
        Arc::new(Policy::compile(Vec::new(), date!(2026 - 01 - 01)).unwrap())
    }

    fn page(policy: &Arc<Policy>, body: Vec<u8>) -> Arc<Stored> {
        let fields = [(CACHE_CONTROL, "max-age=60"), (ETAG, "\"x\"")];
        let terms: HeaderMap =
            fields.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect();
        let now = time::OffsetDateTime::UNIX_EPOCH;
        Arc::new(Stored {
            policy: Arc::clone(policy),
            page: Page {
                hidden: false,
                headers: HeaderMap::new(),
                body: body.into(),
                room: Arc::default(),
                fired: Arc::new([]),
            },
            freshness: Freshness::of(&terms, Instant::now(), now).unwrap(),
            terms,
        })
    }

    fn key(name: &str) -> Key {
        Key { text: name.to_owned(), gzip: false }
    }

    async fn lead<'p>(pages: &'p Pages, name: &str, policy: &Arc<Policy>) -> Lead<'p> {
        match pages.turn(key(name), &Wish::default(), policy).await {
            Turn::Lead(lead) => lead,
            _ => panic!("somebody else asks for {name}"),
        }
    }

    #[tokio::test]
    async fn one_asks_and_all_are_answered() {
        let (pages, policy) = (Pages::new(1 << 20), policy());
        let leading = lead(&pages, "a", &policy).await;
        let wish = Wish::default();
        let waiting = async {
            let turns = [pages.turn(key("a"), &wish, &policy), pages.turn(key("a"), &wish, &policy)];
            let [one, other] = turns;
            tokio::join!(one, other)
        };
        let asking = async {
            tokio::task::yield_now().await;
            leading.land(page(&policy, b"body".to_vec()));
        };
        let ((one, other), ()) = tokio::join!(waiting, asking);
        assert!(matches!((one, other), (Turn::Hit(one), Turn::Hit(other)) if Arc::ptr_eq(&one, &other)));
        assert!(pages.flights().is_empty());
    }

    #[tokio::test]
    async fn who_goes_away_leaves_the_question_to_the_next_and_who_gives_up_to_each() {
        let (pages, policy, wish) = (Pages::new(1 << 20), policy(), Wish::default());
        let leading = lead(&pages, "a", &policy).await;
        let (turn, ()) = tokio::join!(pages.turn(key("a"), &wish, &policy), async { drop(leading) });
        let Turn::Lead(leading) = turn else { panic!("nobody asks") };
        let (turn, ()) = tokio::join!(pages.turn(key("a"), &wish, &policy), async { leading.give_up(true) });
        assert!(matches!(turn, Turn::Alone));
        assert!(pages.flights().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_stale_is_asked_about() {
        let (pages, policy) = (Pages::new(1 << 20), policy());
        lead(&pages, "a", &policy).await.land(page(&policy, b"body".to_vec()));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(lead(&pages, "a", &policy).await.stale.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_another() {
        let (pages, policy, wish) = (Pages::new(1 << 20), policy(), Wish::default());
        let _asking = lead(&pages, "a", &policy).await;
        let begun = Instant::now();
        assert!(matches!(pages.turn(key("a"), &wish, &policy).await, Turn::Alone));
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test]
    async fn another_policy_sees_nothing_of_it() {
        let (pages, first, second) = (Pages::new(1 << 20), policy(), policy());
        lead(&pages, "a", &first).await.land(page(&first, b"body".to_vec()));
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert!(lead(&pages, "a", &second).await.stale.is_none());
        pages.clear();
        assert_eq!(pages.size(), 0);
    }

    #[tokio::test]
    async fn it_stays_within_its_size() {
        let (pages, policy) = (Pages::new(1 << 20), policy());
        for number in 0..200 {
            lead(&pages, &number.to_string(), &policy).await.land(page(&policy, vec![0; 20_000]));
            assert!(pages.size() <= 1 << 20);
        }
        assert!(pages.size() > 1 << 19, "{}", pages.size());
        // Larger than all: sent, and not kept.
        lead(&pages, "large", &policy).await.land(page(&policy, vec![0; 2 << 20]));
        assert!(pages.size() <= 1 << 20);
        assert!(lead(&pages, "large", &policy).await.stale.is_none());
    }

    #[tokio::test]
    async fn without_room_everybody_asks_alone() {
        let pages = Pages::new(0);
        assert!(!pages.is_on() && pages.size() == 0);
    }
}
