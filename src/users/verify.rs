//! Whether a client is who it says: a few hashes at once on threads of their own, a short queue before them, and a memory,
//! so that a hash isn't computed for each request, and a flood of wrong passwords stops nobody but its sender.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::tag::{Tag, Tagger};
use super::{Credentials, Users};
use crate::name::Client;

/// How long it is known that a password is right, after its last use; and that it is wrong.
const RIGHT_FOR: Duration = Duration::from_secs(600);
const WRONG_FOR: Duration = Duration::from_secs(60);
/// How many of each are known at once.
const MOST: usize = 4096;
/// How many verifications wait for others.
const QUEUE: usize = 256;
/// How many passwords one client may try in a minute that are wrong.
const TRIES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// How many of one client's are verified at once: so many more than [`TRIES`] may be found wrong.
const AT_ONCE: usize = 4;
/// How many of one client's wait for these, as those of an office do that comes from one address, and for how long.
const LINE: usize = 256;
const PATIENCE: Duration = Duration::from_secs(10);

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
    known: Arc<Mutex<Known>>,
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
    tries: HashMap<Client, Tries>,
}

/// What one client tries.
#[derive(Debug)]
struct Tries {
    /// Since when, and how many were found wrong.
    since: Instant,
    wrong: u32,
    turns: Turns,
}

/// Whose turn it is among a client's.
#[derive(Clone, Debug)]
struct Turns {
    line: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// Tags, and until when they count.
#[derive(Debug, Default)]
struct Memory(HashMap<Tag, Instant>);

/// Why nothing is verified.
enum Refusal {
    NoPlace,
    Limited,
}

/// What a verification holds until its hash is computed, whether or not somebody still waits for it.
struct Held {
    _place: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

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
            known: Arc::default(),
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
        let (client, now) = (Client::at(client), Instant::now());
        let flight = {
            let mut known = self.known();
            match user {
                Some((name, _)) if known.right.holds_on(&tag, now) => return Outcome::Cached(Arc::clone(name)),
                _ if known.wrong.holds(&tag, now) => return Outcome::StillWrong,
                _ => {}
            }
            let cell = known.flights.entry(tag).or_default();
            Flight { verifier: self, tag, cell: Arc::clone(cell) }
        };
        let mut computed = false;
        let compute = async {
            let held = self.turn_of(client).await?;
            // Somebody who didn't wait for the end may have had it computed in the meantime.
            if let Some(is_right) = self.known().knows(&tag, Instant::now()) {
                return Ok(is_right);
            }
            computed = true;
            let (hash, password) = (hash.clone(), said.password.clone());
            let (known, is_user) = (Arc::clone(&self.known), user.is_some());
            let work = tokio::task::spawn_blocking(move || {
                let _held = held;
                let is_right = hash.is_of(password.as_bytes()) && is_user;
                // Here, so that nobody guesses for nothing who doesn't wait for the answer.
                lock(&known).found(tag, is_right, client);
                is_right
            });
            Ok(work.await.unwrap_or(false))
        };
        match (flight.cell.get_or_try_init(|| compute).await, user) {
            (Err(Refusal::NoPlace), _) => Outcome::Busy,
            (Err(Refusal::Limited), _) => Outcome::Limited,
            (Ok(true), Some((name, _))) if computed => Outcome::Verified(Arc::clone(name)),
            (Ok(true), Some((name, _))) => Outcome::Cached(Arc::clone(name)),
            (Ok(_), _) if computed => Outcome::Wrong,
            (Ok(_), _) => Outcome::StillWrong,
        }
    }

    /// Waits until one more of `client`'s may be verified: few at once, so that it isn't limited for what may be right.
    async fn turn_of(&self, client: Client) -> Result<Held, Refusal> {
        let turns = self.known().turns_of(client, Instant::now())?;
        let _in_line = turns.line.try_acquire().map_err(|_full| Refusal::NoPlace)?;
        let waiting = async {
            // No semaphore is ever closed.
            let turn = turns.running.acquire_owned().await.map_err(|_closed| Refusal::NoPlace)?;
            // Those before may have been wrong.
            self.known().turns_of(client, Instant::now())?;
            let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_full| Refusal::NoPlace)?;
            let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_closed| Refusal::NoPlace)?;
            Ok(Held { _place: place, _running: running, _turn: turn })
        };
        timeout(PATIENCE, waiting).await.unwrap_or(Err(Refusal::NoPlace))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    /// The turns of `client`, if it may try one more.
    fn turns_of(&mut self, client: Client, now: Instant) -> Result<Turns, Refusal> {
        let tries = self.tries_of(client, now);
        if tries.wrong < TRIES { Ok(tries.turns.clone()) } else { Err(Refusal::Limited) }
    }

    fn tries_of(&mut self, client: Client, now: Instant) -> &mut Tries {
        if self.tries.len() >= MOST && !self.tries.contains_key(&client) {
            self.tries.retain(|_, tries| tries.counts(now));
            if self.tries.len() >= MOST {
                self.tries.clear();
            }
        }
        let tries = self.tries.entry(client).or_insert_with(|| Tries::new(now));
        if now.duration_since(tries.since) >= MINUTE {
            (tries.since, tries.wrong) = (now, 0);
        }
        tries
    }

    /// What was found before, if it still counts.
    fn knows(&self, tag: &Tag, now: Instant) -> Option<bool> {
        let (right, wrong) = (self.right.holds(tag, now), self.wrong.holds(tag, now));
        (right || wrong).then_some(right)
    }

    /// Remembers what was found. What is wrong is charged to `client`, and nothing else.
    fn found(&mut self, tag: Tag, is_right: bool, client: Client) {
        if is_right {
            self.right.learn(tag, RIGHT_FOR);
        } else {
            self.wrong.learn(tag, WRONG_FOR);
            self.tries_of(client, Instant::now()).wrong += 1;
        }
    }
}

impl Tries {
    fn new(now: Instant) -> Self {
        let turns = Turns { line: Arc::new(Semaphore::new(LINE)), running: Arc::new(Semaphore::new(AT_ONCE)) };
        Self { since: now, wrong: 0, turns }
    }

    /// Whether it makes a difference that they are known: some were wrong, or are under way.
    fn counts(&self, now: Instant) -> bool {
        let was_wrong = self.wrong > 0 && now.duration_since(self.since) < MINUTE;
        was_wrong || self.turns.running.available_permits() < AT_ONCE
    }
}

impl Memory {
    fn holds(&self, tag: &Tag, now: Instant) -> bool {
        self.0.get(tag).is_some_and(|until| now < *until)
    }

    /// As [`Memory::holds`]; what is used is known for as long again. It costs nobody more than to remember it: whoever is
    /// no user any more has another hash in the tag, or none.
    fn holds_on(&mut self, tag: &Tag, now: Instant) -> bool {
        let until = self.0.get_mut(tag).filter(|until| now < **until);
        until.map(|until| *until = now + RIGHT_FOR).is_some()
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

    /// What comes of all of them. Polled in turn, so that all of them come before the first has its answer.
    async fn together(all: impl Iterator<Item = impl Future<Output = Outcome>>) -> Vec<Outcome> {
        let mut all: Vec<_> = all.map(Box::pin).collect();
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
        outcomes
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
        let outcomes = together(all).await;
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

    /// So many users, each with a password of its own that is right.
    fn office(users: u32) -> (Users, Vec<Credentials>) {
        let all = (0..users).map(|number| said(&format!("user-{number}"), &format!("secret {number}")));
        let all: Vec<_> = all.collect();
        let lines = all.iter().map(|said| format!("{}:{}\n", said.name, bcrypt::hash(&said.password, 4).unwrap()));
        (Users::parse(&lines.collect::<String>()).unwrap(), all)
    }

    #[tokio::test]
    async fn many_users_behind_one_address_are_all_let_in() {
        let ((users, all), verifier) = (office(60), Verifier::with_places(1, QUEUE).unwrap());
        let outcomes = together(all.iter().map(|said| verifier.verify(&users, said, CLIENT))).await;
        let right = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Verified(_))).count();
        assert_eq!(right, 60, "{outcomes:?}");
        assert!(verifier.known().flights.is_empty());
    }

    #[tokio::test]
    async fn guesses_at_once_are_limited_as_those_one_by_one() {
        let (users, verifier) = (users(), Verifier::with_places(2, QUEUE).unwrap());
        let guesses: Vec<Credentials> = (0..100).map(|number| said("ci", &number.to_string())).collect();
        let network = |last: usize| format!("2001:db8::{last:x}").parse().unwrap();
        let all = guesses.iter().enumerate().map(|(last, said)| verifier.verify(&users, said, network(last)));
        let outcomes = together(all).await;
        let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        let wrong = count(Outcome::Wrong);
        assert!((TRIES as usize..TRIES as usize + AT_ONCE).contains(&wrong), "{wrong}");
        assert_eq!(count(Outcome::Limited), 100 - wrong);
    }

    #[tokio::test]
    async fn who_does_not_wait_for_the_answer_has_guessed_all_the_same() {
        let (users, verifier) = (users(), Verifier::with_places(1, QUEUE).unwrap());
        let guess = said("ci", "wrong");
        {
            let mut verification = std::pin::pin!(verifier.verify(&users, &guess, CLIENT));
            let once = std::future::poll_fn(|context| std::task::Poll::Ready(verification.as_mut().poll(context)));
            assert!(once.await.is_pending());
        }
        // Behind the one that nobody waits for.
        assert_eq!(verifier.verify(&users, &guess, CLIENT).await, Outcome::StillWrong);
        assert_eq!(verifier.known().tries[&Client::at(CLIENT)].wrong, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_used_stays_known() {
        let (users, verifier) = (users(), Verifier::new().unwrap());
        let ask = async || verifier.verify(&users, &said("ci", "secret"), CLIENT).await;
        assert_eq!(ask().await, Outcome::Verified("ci".into()));
        for _ in 0..3 {
            tokio::time::advance(RIGHT_FOR / 2).await;
            assert_eq!(ask().await, Outcome::Cached("ci".into()));
        }
        tokio::time::advance(RIGHT_FOR).await;
        assert_eq!(ask().await, Outcome::Verified("ci".into()));
    }
}
