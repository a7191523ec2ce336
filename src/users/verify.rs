//! Whether a client is who it says: a few hashes at once on threads of their own, a short queue before them, and a memory,
//! so that a hash isn't computed for each request, and a flood of wrong passwords stops nobody but its sender.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

use super::tag::{Tag, Tagger};
use super::{Credentials, Users};

/// How long it is known that a password is right; and that it is wrong.
const RIGHT_FOR: Duration = Duration::from_secs(600);
const WRONG_FOR: Duration = Duration::from_secs(60);
/// How many of each are known at once.
const MOST: usize = 4096;
/// How many verifications wait for others.
const QUEUE: usize = 64;
/// How many passwords one client may try in a minute that are not right.
const TRIES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// What was found of a client's name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are right; that cost a hash.
    Verified(Arc<str>),
    /// They are right, as was found before.
    Cached(Arc<str>),
    /// They are wrong; that cost a hash.
    Wrong,
    /// They are wrong, as was found before.
    StillWrong,
    /// Too many are being verified.
    Busy,
    /// The client has tried too many that were wrong.
    Limited,
}

/// Verifies, and remembers.
#[derive(Debug)]
pub struct Verifier {
    tagger: Tagger,
    known: Mutex<Known>,
    /// As many as there are processors.
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Known {
    right: Memory,
    wrong: Memory,
    flights: HashMap<Tag, Arc<OnceCell<bool>>>,
    /// Since when, and how many passwords a client has tried that are not known to be right.
    tries: HashMap<IpAddr, (Instant, u32)>,
}

/// Tags, and until when they count.
#[derive(Debug, Default)]
struct Memory(HashMap<Tag, Instant>);

/// No place is free.
struct NoPlace;

/// One verification, and all who wait for the same.
struct Flight<'v> {
    verifier: &'v Verifier,
    tag: Tag,
    cell: Arc<OnceCell<bool>>,
}

impl Verifier {
    /// One that knows nothing yet.
    ///
    /// # Errors
    /// The machine has no random numbers.
    pub fn new() -> Result<Self, Unspecified> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_places(processors, QUEUE)
    }

    fn with_places(running: usize, queue: usize) -> Result<Self, Unspecified> {
        Ok(Self {
            tagger: Tagger::new()?,
            known: Mutex::default(),
            running: Arc::new(Semaphore::new(running)),
            places: Arc::new(Semaphore::new(running + queue)),
        })
    }

    /// Forgets everything: the users have changed.
    pub fn forget(&self) {
        let mut known = self.known();
        (known.right, known.wrong, known.tries) = Default::default();
    }

    /// Whether these are a name and password of `users`. A name that isn't there takes as long as one that is.
    pub async fn verify(&self, users: &Users, said: &Credentials, client: IpAddr) -> Outcome {
        let user = users.find(&said.name);
        let hash = user.map(|(_, hash)| hash).or_else(|| users.stand_in(&said.name));
        let Some(hash) = hash else { return Outcome::Wrong };
        // With the hash: of a user whose line has changed nothing is known.
        let tag = self.tagger.tag([said.name.as_bytes(), said.password.as_bytes(), hash.as_bytes()]);
        let (client, now) = (network_of(client), Instant::now());
        let (flight, is_charged) = {
            let mut known = self.known();
            match user {
                Some((name, _)) if known.right.holds(&tag, now) => return Outcome::Cached(Arc::clone(name)),
                _ if known.wrong.holds(&tag, now) => return Outcome::StillWrong,
                _ => {}
            }
            match known.flights.get(&tag).map(Arc::clone) {
                Some(cell) => (Flight { verifier: self, tag, cell }, false),
                None if !known.may_try(client, now) => return Outcome::Limited,
                None => {
                    let cell = Arc::new(OnceCell::new());
                    known.flights.insert(tag, Arc::clone(&cell));
                    (Flight { verifier: self, tag, cell }, true)
                }
            }
        };
        let mut computed = false;
        let compute = async {
            computed = true;
            let (hash, password) = (hash.clone(), said.password.clone());
            let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_full| NoPlace)?;
            // The semaphore is never closed.
            let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_closed| NoPlace)?;
            let work = tokio::task::spawn_blocking(move || {
                // Held to the end of the work, whether or not somebody still waits for it.
                let _held = (place, turn);
                hash.is_of(password.as_bytes())
            });
            let is_right = work.await.unwrap_or(false) && user.is_some();
            let mut known = self.known();
            if is_right {
                known.right.learn(tag, RIGHT_FOR);
                known.has_proved(client);
            } else {
                known.wrong.learn(tag, WRONG_FOR);
            }
            Ok(is_right)
        };
        match (flight.cell.get_or_try_init(|| compute).await, user) {
            (Err(NoPlace), _) => {
                if is_charged {
                    // Nothing was tried.
                    self.known().has_proved(client);
                }
                Outcome::Busy
            }
            (Ok(true), Some((name, _))) if computed => Outcome::Verified(Arc::clone(name)),
            (Ok(true), Some((name, _))) => Outcome::Cached(Arc::clone(name)),
            (Ok(_), _) if computed => Outcome::Wrong,
            (Ok(_), _) => Outcome::StillWrong,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether `client` may try one more; counts it.
    fn may_try(&mut self, client: IpAddr, now: Instant) -> bool {
        if self.tries.len() >= MOST && !self.tries.contains_key(&client) {
            self.tries.retain(|_, (since, _)| now.duration_since(*since) < MINUTE);
            if self.tries.len() >= MOST {
                self.tries.clear();
            }
        }
        let (since, tries) = self.tries.entry(client).or_insert((now, 0));
        if now.duration_since(*since) >= MINUTE {
            (*since, *tries) = (now, 0);
        }
        let may = *tries < TRIES;
        *tries += u32::from(may);
        may
    }

    /// What `client` has tried was no guess.
    fn has_proved(&mut self, client: IpAddr) {
        if let Some((_, tries)) = self.tries.get_mut(&client) {
            *tries = tries.saturating_sub(1);
        }
    }
}

impl Memory {
    fn holds(&self, tag: &Tag, now: Instant) -> bool {
        self.0.get(tag).is_some_and(|until| now < *until)
    }

    fn learn(&mut self, tag: Tag, length: Duration) {
        let now = Instant::now();
        if self.0.len() >= MOST {
            self.0.retain(|_, until| now < *until);
            if self.0.len() >= MOST {
                self.0.clear();
            }
        }
        self.0.insert(tag, now + length);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut known = self.verifier.known();
        // The map's and ours: nobody else waits.
        if Arc::strong_count(&self.cell) <= 2 || self.cell.initialized() {
            known.flights.remove(&self.tag);
        }
    }
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn users() -> Users {
        // The password is `secret`.
        Users::parse("ci:$2y$04$CkGmt0TpsIjhaxp2ZuMVPuEA45W.x/BbM24ouP37MXVchCtXNxP5S\n").unwrap()
    }

    fn said(name: &str, password: &str) -> Credentials {
        Credentials { name: name.to_owned(), password: password.to_owned() }
    }

    #[tokio::test]
    async fn a_hash_is_computed_once() {
        let (users, verifier) = (users(), Verifier::new().unwrap());
        let ask = async |password| verifier.verify(&users, &said("ci", password), CLIENT).await;
        let (one, other) = tokio::join!(ask("secret"), ask("secret"));
        assert_eq!((one, other), (Outcome::Verified("ci".into()), Outcome::Cached("ci".into())));
        assert_eq!(ask("secret").await, Outcome::Cached("ci".into()));
        assert_eq!((ask("wrong").await, ask("wrong").await), (Outcome::Wrong, Outcome::StillWrong));
        assert!(verifier.known().flights.is_empty());
        verifier.forget();
        assert_eq!(ask("secret").await, Outcome::Verified("ci".into()));
    }

    #[tokio::test]
    async fn nothing_is_known_of_a_user_whose_password_has_changed() {
        let verifier = Verifier::new().unwrap();
        let ci = said("ci", "secret");
        assert_eq!(verifier.verify(&users(), &ci, CLIENT).await, Outcome::Verified("ci".into()));
        let changed = Users::parse("ci:$2y$04$XuNZ0ZyHYIYmrI0naDEqtOuHMZh8DvirxVZraT2h/eOiJaiIREB6y\n").unwrap();
        assert_eq!(verifier.verify(&changed, &ci, CLIENT).await, Outcome::Wrong);
    }

    #[tokio::test]
    async fn a_name_that_is_not_there_costs_a_hash_and_has_no_password() {
        let (users, verifier) = (users(), Verifier::new().unwrap());
        assert_eq!(verifier.verify(&users, &said("nobody", "secret"), CLIENT).await, Outcome::Wrong);
        assert_eq!(verifier.verify(&users, &said("", ""), CLIENT).await, Outcome::Wrong);
    }

    #[tokio::test]
    async fn a_flood_is_bounded() {
        let (users, verifier) = (users(), Verifier::with_places(1, 2).unwrap());
        let passwords: Vec<Credentials> = (0..10).map(|number| said("ci", &number.to_string())).collect();
        let clients = (0..10).map(|last| IpAddr::from([192, 0, 2, last]));
        let all = passwords.iter().zip(clients).map(|(said, client)| verifier.verify(&users, said, client));
        let mut all: Vec<_> = all.map(Box::pin).collect();
        // Polled in turn, so that all of them come before the first has its answer.
        let mut outcomes = Vec::new();
        std::future::poll_fn(|context| {
            all.retain_mut(|verification| match verification.as_mut().poll(context) {
                std::task::Poll::Ready(outcome) => {
                    outcomes.push(outcome);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        let busy = outcomes.iter().filter(|outcome| **outcome == Outcome::Busy).count();
        assert_eq!((busy, outcomes.len()), (7, 10), "{outcomes:?}");
        assert!(verifier.known().flights.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_does_not_guess_for_long() {
        let (users, verifier) = (users(), Verifier::new().unwrap());
        let ask = async |password: &str, client| verifier.verify(&users, &said("ci", password), client).await;
        assert_eq!(ask("secret", CLIENT).await, Outcome::Verified("ci".into()));
        for number in 0..TRIES {
            assert_eq!(ask(&number.to_string(), CLIENT).await, Outcome::Wrong, "{number}");
        }
        assert_eq!(ask("another", CLIENT).await, Outcome::Limited);
        assert_eq!(ask("1", CLIENT).await, Outcome::StillWrong);
        // What was right before is right still, and others aren't concerned.
        assert_eq!(ask("secret", CLIENT).await, Outcome::Cached("ci".into()));
        assert_eq!(ask("another", "192.0.2.2".parse().unwrap()).await, Outcome::Wrong);
        tokio::time::advance(MINUTE).await;
        assert_eq!(ask("yet another", CLIENT).await, Outcome::Wrong);
        tokio::time::advance(RIGHT_FOR).await;
        assert_eq!(ask("secret", CLIENT).await, Outcome::Verified("ci".into()));
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::2:3"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("192.0.2.1"), CLIENT);
    }
}
