//! How fast each client gets its bytes, where that is limited.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::name::Client;

/// What a connection gets at once. All of a client's ask for as much: whoever wanted less would be let before those who
/// want more, again and again.
const PIECE: u32 = 16 * 1024;
/// After so many pieces, clients that have gone are forgotten.
const TIDY: u32 = 64 * 1024;

type Limiter = RateLimiter<Client, DefaultKeyedStateStore<Client>, Tokios, NoOpMiddleware<Instant>>;

/// The paces of all clients.
#[derive(Debug)]
pub struct Paces {
    /// `None` is as many as there are.
    limiter: Option<Limiter>,
    piece: NonZeroU32,
    pieces: AtomicU32,
}

/// That of one connection, whose client's connections have one together.
#[derive(Clone, Debug)]
pub struct Pace {
    paces: Arc<Paces>,
    client: Client,
    /// What is left of the last piece.
    left: Arc<AtomicU32>,
}

/// The runtime's time, in which everybody sleeps.
#[derive(Clone, Debug)]
struct Tokios;

impl Clock for Tokios {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Paces {
    /// As many bytes a second for each client; 0 is as many as there are.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let bytes = NonZeroU32::new(u32::try_from(bytes).unwrap_or(u32::MAX));
        let limiter = |bytes| RateLimiter::new(Quota::per_second(bytes), DefaultKeyedStateStore::default(), Tokios);
        let piece = bytes.and_then(|bytes| NonZeroU32::new(bytes.get().min(PIECE))).unwrap_or(NonZeroU32::MIN);
        Self { limiter: bytes.map(limiter), piece, pieces: AtomicU32::new(0) }
    }

    /// That of a connection of the client at `address`; `None` if nobody is slowed down.
    pub fn of(self: &Arc<Self>, address: IpAddr) -> Option<Pace> {
        let pace = || Pace { paces: Arc::clone(self), client: Client::at(address), left: Arc::default() };
        self.limiter.is_some().then(pace)
    }

    fn tidy(&self, limiter: &Limiter) {
        if self.pieces.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

impl Pace {
    /// Waits as long as it takes until the client may have had so many bytes.
    pub async fn spend(&self, bytes: usize) {
        let Some(limiter) = &self.paces.limiter else { return };
        let mut wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        loop {
            let left = self.left.load(Ordering::Relaxed);
            self.left.store(left.saturating_sub(wanted), Ordering::Relaxed);
            wanted = wanted.saturating_sub(left);
            if wanted == 0 {
                return;
            }
            self.paces.tidy(limiter);
            while let Ok(Err(later)) = limiter.check_key_n(&self.client, self.paces.piece) {
                tokio::time::sleep(later.wait_time_from(Tokios.now())).await;
            }
            self.left.fetch_add(self.paces.piece.get(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_client_has_a_pace_of_its_own() {
        let paces = Arc::new(Paces::new(1_000_000));
        let client = |last: u8| paces.of([192, 0, 2, last].into()).unwrap();
        let begun = Instant::now();
        client(1).spend(1_000_000).await;
        client(2).spend(1_000_000).await;
        assert!(begun.elapsed() < Duration::from_millis(200), "a second's worth is there at once");
        // More than a second's worth, in one piece.
        client(1).spend(1_500_000).await;
        let took = begun.elapsed();
        assert!((Duration::from_millis(1400)..Duration::from_millis(1600)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_of_one_client_have_their_turns() {
        let paces = Arc::new(Paces::new(100_000));
        let pace = |address: &str| paces.of(address.parse().unwrap()).unwrap();
        pace("2001:db8::1").spend(100_000).await;
        let begun = Instant::now();
        let spend = async |address: &str, pieces: usize, size: usize| {
            let pace = pace(address);
            for _ in 0..pieces {
                pace.spend(size).await;
            }
            begun.elapsed().as_millis()
        };
        // Large pieces don't starve for small ones, nor small ones for large ones.
        let (large, other, small) = tokio::join!(
            spend("2001:db8::1", 2, 100_000),
            spend("2001:db8::2", 2, 100_000),
            spend("2001:db8::3", 10, 100),
        );
        assert!(small < 5_000, "{small}");
        assert!((2_600..5_000).contains(&large) && (2_600..5_000).contains(&other), "{large} {other}");
    }

    #[test]
    fn nobody_is_slowed_down_without_a_limit() {
        assert!(Arc::new(Paces::new(0)).of([192, 0, 2, 1].into()).is_none());
    }
}
