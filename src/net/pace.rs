//! How fast each client gets its bytes, where that is limited.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::name::Client;

/// The most that a connection may have before the client's others have their turn.
const PIECE: u64 = 16 * 1024;
/// As much as is had in so long is there at once for whoever has had nothing for as long.
const BURST: Duration = Duration::from_secs(1);
/// So many clients are known before it is looked whose time has passed.
const FEW: usize = 1024;
const NANOSECONDS: u64 = 1_000_000_000;

/// The paces of all clients.
#[derive(Debug)]
pub struct Paces {
    /// Bytes a second; `None` is as many as there are.
    rate: Option<NonZeroU64>,
    spent: Mutex<Spent>,
}

/// Until when each client has had its bytes.
#[derive(Debug, Default)]
struct Spent {
    until: HashMap<Client, Instant>,
    /// With so many clients, those are forgotten who could have had theirs by now.
    tidy_at: usize,
}

/// One client's. All of its connections have it together.
#[derive(Clone, Debug)]
pub struct Pace {
    paces: Arc<Paces>,
    client: Client,
}

impl Paces {
    /// As many bytes a second for each client; 0 is as many as there are.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { rate: NonZeroU64::new(bytes), spent: Mutex::default() }
    }

    /// That of the client at `address`; `None` if nobody is slowed down.
    pub fn of(self: &Arc<Self>, address: IpAddr) -> Option<Pace> {
        self.rate.is_some().then(|| Pace { paces: Arc::clone(self), client: Client::at(address) })
    }

    /// When `client` may have had so many bytes more. It is taken down at once: whoever asks next comes behind, whether or
    /// not this one still waits then.
    fn reserve(&self, client: Client, bytes: u64, rate: NonZeroU64) -> Instant {
        let now = Instant::now();
        let length = Duration::from_nanos(bytes.saturating_mul(NANOSECONDS) / rate);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.until.len() >= spent.tidy_at.max(FEW) && !spent.until.contains_key(&client) {
            spent.until.retain(|_, until| *until > now);
            spent.tidy_at = 2 * spent.until.len();
        }
        let until = spent.until.entry(client).or_insert(now);
        *until = (*until).max(now) + length;
        until.checked_sub(BURST).unwrap_or(now)
    }
}

impl Pace {
    /// Waits as long as it takes until the client may have had so many bytes: piece by piece, in turn with its other
    /// connections.
    pub async fn spend(&self, bytes: usize) {
        let Some(rate) = self.paces.rate else { return };
        let mut left = bytes as u64;
        while left > 0 {
            let piece = left.min(PIECE);
            let at = self.paces.reserve(self.client, piece, rate);
            if at > Instant::now() {
                sleep_until(at).await;
            }
            left -= piece;
        }
    }
}

#[cfg(test)]
mod tests {
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
            for _ in 0..pieces {
                pace(address).spend(size).await;
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
        assert!((3_500..4_500).contains(&large) && (3_500..4_500).contains(&other), "{large} {other}");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_have_gone_are_forgotten() {
        let paces = Arc::new(Paces::new(1));
        for number in 0..2 * FEW as u32 {
            paces.of(std::net::Ipv4Addr::from_bits(number).into()).unwrap().spend(1).await;
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        paces.of([192, 0, 2, 1].into()).unwrap().spend(1).await;
        let known = paces.spent.lock().unwrap().until.len();
        assert!(known <= FEW + 1, "{known}");
    }

    #[test]
    fn nobody_is_slowed_down_without_a_limit() {
        assert!(Arc::new(Paces::new(0)).of([192, 0, 2, 1].into()).is_none());
    }
}
