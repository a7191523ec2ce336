//! How fast each client gets its bytes, where that is limited.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// After so many pieces, clients that have gone are forgotten.
const TIDY: u32 = 64 * 1024;
/// No more of a wait at once: what is left is waited for when it is known anew.
const PAUSE: Duration = Duration::from_secs(1);

/// The paces of all clients.
#[derive(Debug)]
pub struct Paces {
    limiter: Option<(DefaultKeyedRateLimiter<IpAddr>, NonZeroU32)>,
    pieces: AtomicU32,
}

/// One client's. All of its connections have it together.
#[derive(Clone, Debug)]
pub struct Pace {
    paces: Arc<Paces>,
    client: IpAddr,
}

impl Paces {
    /// As many bytes a second for each client; 0 is as many as there are.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let bytes = NonZeroU32::new(u32::try_from(bytes).unwrap_or(u32::MAX));
        let limiter = bytes.map(|bytes| (RateLimiter::keyed(Quota::per_second(bytes)), bytes));
        Self { limiter, pieces: AtomicU32::new(0) }
    }

    /// That of the client at `address`; `None` if nobody is slowed down.
    pub fn of(self: &Arc<Self>, address: IpAddr) -> Option<Pace> {
        self.limiter.is_some().then(|| Pace { paces: Arc::clone(self), client: address })
    }

    fn tidy(&self) {
        if let Some((limiter, _)) = &self.limiter
            && self.pieces.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1
        {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

impl Pace {
    /// Waits as long as it takes until the client may have had so many bytes.
    pub async fn spend(&self, bytes: usize) {
        let Some((limiter, most)) = &self.paces.limiter else { return };
        self.paces.tidy();
        let mut left = u32::try_from(bytes).unwrap_or(u32::MAX);
        while let Some(some) = NonZeroU32::new(left.min(most.get())) {
            match limiter.check_key_n(&self.client, some) {
                Ok(Ok(())) => left -= some.get(),
                Ok(Err(later)) => {
                    tokio::time::sleep(later.wait_time_from(DefaultClock::default().now()).min(PAUSE)).await;
                }
                // More than a second's: there is no such piece.
                Err(_too_much) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
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
        assert!(took > Duration::from_millis(1300), "{took:?}");
    }

    #[test]
    fn nobody_is_slowed_down_without_a_limit() {
        assert!(Arc::new(Paces::new(0)).of([192, 0, 2, 1].into()).is_none());
    }
}
