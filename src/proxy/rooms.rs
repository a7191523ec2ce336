//! The memory that large pages may take: while they are worked on, and on their way to clients, in all and of one client's
//! asking; and how long one waits for some.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// What is counted together, in bytes.
const ROOM: usize = 64 * 1024;
/// Up to so many bytes a page is one that installers ask for; beyond it, it is a list of all projects or the like.
pub(super) const ORDINARY: usize = 2 * 1024 * 1024;
/// Pages that are worked on at once, each of which is in memory whole, packed and unpacked.
const ORDINARY_PLACES: usize = 16;
const VAST_PLACES: usize = 4;
/// How long room is waited for. It lasts as long as the slowest reader: whoever waits longer had better come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many clients are remembered before those who have gone are forgotten.
const TIDY: usize = 1024;

/// Places for large pages that are worked on.
#[derive(Debug)]
pub(super) struct Places {
    ordinary: Semaphore,
    vast: Semaphore,
}

/// The place of a page that is worked on.
#[derive(Debug)]
pub(super) struct Place<'p> {
    _permit: SemaphorePermit<'p>,
    is_vast: bool,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { ordinary: Semaphore::new(ORDINARY_PLACES), vast: Semaphore::new(VAST_PLACES) }
    }

    /// A place for a page of which so many bytes are here. `None` if there was none for too long.
    pub(super) async fn take(&self, bytes: usize) -> Option<Place<'_>> {
        let is_vast = bytes > ORDINARY;
        let places = if is_vast { &self.vast } else { &self.ordinary };
        // Behind each that is worked on there may be one that waits for room.
        let permit = timeout(2 * PATIENCE, places.acquire()).await.ok()?.ok()?;
        Some(Place { _permit: permit, is_vast })
    }
}

impl Place<'_> {
    pub(super) const fn is_vast(&self) -> bool {
        self.is_vast
    }
}

/// All the room there is.
#[derive(Debug)]
pub(super) struct Rooms {
    /// 64 MiB, of which one client has no more than a quarter.
    ordinary: Pool,
    /// 192 MiB, of which one client has the largest page.
    vast: Pool,
}

/// The room of pages of one kind: a page that a whole index fits in must not stand in the way of one that lists files.
#[derive(Debug)]
struct Pool {
    places: Arc<Semaphore>,
    share: usize,
    of: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

/// What one page takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    _of_all: OwnedSemaphorePermit,
    _of_client: OwnedSemaphorePermit,
}

/// The room that a page's bytes have while anybody reads them: as many readers as may be share them.
#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<Weak<Room>>);

impl Rooms {
    pub(super) fn new() -> Self {
        Self { ordinary: Pool::new(1024, 256), vast: Pool::new(3072, 1024) }
    }

    /// Room for `bytes` bytes that `client` asked for and that are `taken` up by other readers already, perhaps. `None` if
    /// there was none for too long.
    pub(super) async fn take(&self, bytes: usize, client: IpAddr, taken: &Taken) -> Option<Arc<Room>> {
        if let Some(shared) = taken.lock().upgrade() {
            return Some(shared);
        }
        let pool = if bytes <= ORDINARY { &self.ordinary } else { &self.vast };
        let room = Arc::new(timeout(PATIENCE, pool.take(bytes, client)).await.ok()??);
        // Two that waited at once each have theirs; who comes later has the last one's.
        *taken.lock() = Arc::downgrade(&room);
        Some(room)
    }
}

impl Pool {
    fn new(places: usize, share: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), share, of: Mutex::default() }
    }

    async fn take(&self, bytes: usize, client: IpAddr) -> Option<Room> {
        let count = u32::try_from(bytes.div_ceil(ROOM).clamp(1, self.share)).ok()?;
        let of_client = self.share_of(client).acquire_many_owned(count).await.ok()?;
        let of_all = Arc::clone(&self.places).acquire_many_owned(count).await.ok()?;
        Some(Room { _of_all: of_all, _of_client: of_client })
    }

    fn share_of(&self, client: IpAddr) -> Arc<Semaphore> {
        let mut shares = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&client).and_then(Weak::upgrade) {
            return share;
        }
        if shares.len() >= TIDY {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.share));
        shares.insert(client, Arc::downgrade(&share));
        share
    }
}

impl Taken {
    fn lock(&self) -> std::sync::MutexGuard<'_, Weak<Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_has_its_share_and_no_more() {
        let rooms = Rooms::new();
        let mut greedy = Vec::new();
        while let Some(room) = rooms.take(2 * MIB, client(1), &Taken::default()).await {
            greedy.push(room);
        }
        assert_eq!(greedy.len(), 8);
        assert!(rooms.take(2 * MIB, client(2), &Taken::default()).await.is_some(), "there is room for others");
        greedy.pop();
        assert!(rooms.take(MIB, client(1), &Taken::default()).await.is_some(), "what is given back is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_vast_takes_no_room_of_what_is_not() {
        let rooms = Rooms::new();
        let mut vast = Vec::new();
        for last in 0..=255 {
            vast.extend(rooms.take(64 * MIB, client(last), &Taken::default()).await);
        }
        assert_eq!(vast.len(), 3);
        assert!(rooms.take(MIB, client(1), &Taken::default()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_read_the_same_bytes_share_their_room() {
        let (rooms, taken) = (Rooms::new(), Taken::default());
        let mut readers = Vec::new();
        for last in 0..=255 {
            readers.push(rooms.take(64 * MIB, client(last), &taken).await.unwrap());
        }
        assert!(rooms.take(64 * MIB, client(7), &Taken::default()).await.is_some(), "others' bytes have theirs");
        drop(readers);
        assert!(taken.lock().upgrade().is_none());
    }
}
