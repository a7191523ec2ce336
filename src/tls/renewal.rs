//! How one authority follows another: the next one is shown to clients first, and signs when they have had time to see it.
//!
//! A client that trusts the old certificate alone can't be made to believe the new one: the old may sign no authority
//! (`pathlen:0`). So both are handed out from the day of the renewal on, while the old one still signs.

use std::path::Path;

use time::{Duration, OffsetDateTime};

use super::authority::{CertificateAuthority, certificates, generate, is_self_issued};
use super::clock;
use super::error::CaError;
use super::next::Next;
use super::origin::Files;
use super::store::{Locked, Pair, Store};
use crate::name::HostName;

/// When the next authority takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// After [`OVERLAP`], or when that was said before, then.
    Usual,
    /// After this time.
    For(Duration),
    /// Now.
    None,
}

/// Two working weeks: laptops are opened, images are built anew.
pub const OVERLAP: Duration = Duration::days(14);

/// How long the old key stays when its time is over: proxies look at the files every few seconds, and one that hasn't
/// seen yet that it is over signs with it.
const GRACE: Duration = Duration::minutes(1);

/// Lets an authority for `hosts` follow the one in `dir`; gives what is in force then, with its successor. One that can't
/// sign for all of `hosts` any more, or is damaged, has nothing to wait for, unless that was asked for.
///
/// # Errors
/// [`CaError`]; [`CaError::Organisations`] when it was not made here.
pub fn renew(dir: &Path, hosts: &[HostName], overlap: Overlap) -> Result<CertificateAuthority, CaError> {
    let store = Store::new(dir);
    let now = clock::now();
    let locked = store.lock()?;
    // A damaged one is replaced.
    let next = match store.read_next().ok().flatten() {
        Some(next) if next.from <= now => {
            locked.succeed()?;
            None
        }
        next => next,
    };
    refuse_organisations(&store, now)?;
    let known =
        next.filter(|next| CertificateAuthority::from_pair(&next.pair, &Files::of_next(&store), hosts, now).is_ok());
    let needed = if matches!(overlap, Overlap::For(_)) { &[] } else { hosts };
    let from = match (CertificateAuthority::current(&store, needed, now), overlap, &known) {
        // Nobody would believe the old one after its end.
        (Ok(current), Overlap::For(time), _) => (now + time).min(current.not_after()),
        (Ok(_), Overlap::Usual, Some(next)) => next.from,
        (Ok(current), Overlap::Usual, None) => (now + OVERLAP).min(current.not_after()),
        (Ok(_), Overlap::None, _) | (Err(_), _, _) => now,
    };
    let pair = match known {
        Some(next) => next.pair,
        None => generate(hosts, now)?,
    };
    put(&locked, &store, pair, from, now)?;
    drop(locked);
    CertificateAuthority::load(dir, needed)
}

/// Puts `pair` in force in `dir`: at once, and so that proxies which don't know of it yet are believed a while longer.
///
/// # Errors
/// [`CaError`].
pub(super) fn put_in_force(store: &Store, pair: Pair) -> Result<(), CaError> {
    let now = clock::now();
    put(&store.lock()?, store, pair, now, now)
}

fn put(
    locked: &Locked<'_>,
    store: &Store,
    pair: Pair,
    from: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), CaError> {
    match CertificateAuthority::current(store, &[], now) {
        Ok(_) => locked.announce(&Next { pair, from }),
        // Nobody signs with what is there, if anything is.
        Err(_) => locked.publish(&pair),
    }
}

/// Gives up the old pair when nobody signs with it any more. Where the folder can't be written, it stays, unused.
pub(super) fn settle(store: &Store, now: OffsetDateTime) {
    let is_due = || matches!(store.read_next(), Ok(Some(next)) if next.from + GRACE <= now);
    if !is_due() {
        return;
    }
    let Ok(locked) = store.lock() else { return };
    // Whoever had the lock before us may have done it.
    if is_due()
        && let Err(error) = locked.succeed()
    {
        tracing::debug!("the key from before the renewal stays: {error}");
    }
}

/// Gives up the old pair in `dir` when nobody signs with it any more.
pub fn settle_in(dir: &Path) {
    settle(&Store::new(dir), clock::now());
}

fn refuse_organisations(store: &Store, now: OffsetDateTime) -> Result<(), CaError> {
    let issued = match CertificateAuthority::current(store, &[], now) {
        Ok(current) => !current.is_self_issued(),
        // It may have expired; whose it is stands in it none the less.
        Err(_) => {
            store.read().ok().and_then(|pair| certificates(&pair.cert)?.first().map(|first| !is_self_issued(first)))
                == Some(true)
        }
    };
    if issued { Err(CaError::Organisations { path: store.cert.clone() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use tempfile::TempDir;

    use super::*;
    use crate::tls::clock::Clock;
    use crate::tls::testing::{authority, client_trusting, files, handshake, host, hosts};
    use crate::tls::{InForce, Leaves};

    fn load(dir: &TempDir) -> CertificateAuthority {
        CertificateAuthority::load(dir.path(), &hosts()).unwrap()
    }

    #[test]
    fn the_old_one_signs_until_the_moment_and_the_new_one_from_it_on() {
        let (dir, old) = authority();
        let before = clock::now();
        let usual = renew(dir.path(), &hosts(), Overlap::Usual).unwrap().successor().unwrap().clone();
        assert!(usual.from >= before + OVERLAP && usual.authority.not_before() < before);
        // So soon that leaves of that moment are good today.
        let current = Arc::new(renew(dir.path(), &hosts(), Overlap::For(Duration::minutes(5))).unwrap());
        assert_eq!((current.fingerprint(), current.trusted().len()), (old.fingerprint(), 2));
        let next = current.successor().unwrap().clone();

        let turned = Arc::new(AtomicI64::new(0));
        let (start, offset) = (next.from - Duration::SECOND, turned.clone());
        let clock = Clock::from_fn(move || start + Duration::seconds(offset.load(Ordering::SeqCst)));
        let leaves = Leaves::signed_by(InForce::with_clock(current, clock), &hosts()).unwrap();
        let believed_by = |authority: &CertificateAuthority| {
            let config = leaves.server_config(&host("pypi.org")).unwrap();
            handshake(&client_trusting(authority.certificate_der()), &config, "pypi.org").is_ok()
        };
        assert!(believed_by(&old) && !believed_by(&next.authority));
        turned.store(1, Ordering::SeqCst);
        assert!(!believed_by(&old) && believed_by(&next.authority));
    }

    #[test]
    fn the_old_key_goes_when_nobody_can_be_signing_with_it() {
        let (dir, old) = authority();
        let store = Store::new(dir.path());
        let next = renew(dir.path(), &hosts(), Overlap::For(Duration::days(30))).unwrap().successor().unwrap().clone();
        let key = fs::read(dir.path().join("ca-key.pem")).unwrap();
        settle(&store, next.from + GRACE - Duration::SECOND);
        assert_eq!(fs::read(dir.path().join("ca-key.pem")).unwrap(), key);
        // In force by the clock, settled or not; clients are given both.
        let by_clock = CertificateAuthority::load_at(&store, &hosts(), next.from).unwrap();
        assert_eq!((by_clock.fingerprint(), by_clock.trusted().len()), (next.authority.fingerprint(), 2));
        settle(&store, next.from + GRACE);
        assert_ne!(fs::read(dir.path().join("ca-key.pem")).unwrap(), key);
        assert_eq!(files(dir.path()), ["ca-key.pem", "ca.lock", "ca.pem"]);
        let after = load(&dir);
        assert_eq!((after.fingerprint(), after.trusted().len()), (next.authority.fingerprint(), 1));
        assert_ne!(after.fingerprint(), old.fingerprint());
    }

    #[test]
    fn what_waits_can_be_called_now_or_later_and_stays_the_same() {
        let (dir, old) = authority();
        let first = renew(dir.path(), &hosts(), Overlap::Usual).unwrap().successor().unwrap().clone();
        let again = renew(dir.path(), &hosts(), Overlap::Usual).unwrap().successor().unwrap().clone();
        assert_eq!((again.from, again.authority.fingerprint()), (first.from, first.authority.fingerprint()));
        let later = renew(dir.path(), &hosts(), Overlap::For(Duration::days(60))).unwrap().successor().unwrap().clone();
        assert!(later.from > first.from && later.authority.fingerprint() == first.authority.fingerprint());
        let now = renew(dir.path(), &hosts(), Overlap::None).unwrap();
        assert_eq!((now.fingerprint(), now.trusted().len()), (first.authority.fingerprint(), 2));
        // It is in force already, so that the next one follows it.
        let third = renew(dir.path(), &hosts(), Overlap::Usual).unwrap();
        assert_eq!(third.fingerprint(), first.authority.fingerprint());
        assert!(third.trusted().iter().all(|trusted| trusted != old.certificate_der()));
    }

    #[test]
    fn one_that_cannot_sign_for_a_new_host_has_nothing_to_wait_for() {
        let (dir, old) = authority();
        let more = [hosts(), vec![host("mirror.example.com")]].concat();
        // Unless a running proxy does with the hosts that it has.
        let waiting = renew(dir.path(), &more, Overlap::For(Duration::days(3))).unwrap();
        assert_eq!(waiting.fingerprint(), old.fingerprint());
        assert!(waiting.successor().unwrap().authority.permits(&host("mirror.example.com")));
        let at_once = renew(dir.path(), &more, Overlap::Usual).unwrap();
        assert!(at_once.successor().is_none() && at_once.permits(&host("mirror.example.com")));
    }

    #[test]
    fn nobody_is_to_wait_beyond_the_end_of_the_old_one() {
        let (dir, old) = authority();
        let next = renew(dir.path(), &hosts(), Overlap::For(Duration::days(10_000))).unwrap();
        assert_eq!(next.successor().unwrap().from, old.not_after());
    }

    /// The steps of [`crate::tls::store::Locked::announce`] and `succeed`, cut off after each of them.
    #[test]
    fn a_killed_renewal_is_finished_by_whoever_comes_next() {
        let (dir, old) = authority();
        let (cert, next) = (dir.path().join("ca.pem"), dir.path().join("ca-next.pem"));
        let alone = fs::read(&cert).unwrap();
        let successor = renew(dir.path(), &hosts(), Overlap::Usual).unwrap().successor().unwrap().clone();
        // Killed when the next one was there, and not yet shown.
        fs::write(&cert, &alone).unwrap();
        assert_eq!(load(&dir).trusted().len(), 2);
        drop(Store::new(dir.path()).lock().unwrap());
        assert_eq!(fs::read_to_string(&cert).unwrap().matches("BEGIN CERT").count(), 2);
        assert_eq!(load(&dir).fingerprint(), old.fingerprint());
        // Killed when it was to be the pair, by a rename and nothing else.
        fs::rename(&next, dir.path().join("ca-pending.pem")).unwrap();
        assert_eq!(load(&dir).fingerprint(), successor.authority.fingerprint());
        assert_eq!(files(dir.path()), ["ca-key.pem", "ca.lock", "ca.pem"]);
    }

    #[test]
    fn a_damaged_next_one_is_refused_and_renewed() {
        let (dir, old) = authority();
        renew(dir.path(), &hosts(), Overlap::Usual).unwrap();
        fs::write(dir.path().join("ca-next.pem"), "no key").unwrap();
        let refused = CertificateAuthority::load(dir.path(), &hosts()).unwrap_err().to_string();
        assert!(refused.contains("ca-next.pem` holds no") && refused.contains("namewall ca renew"), "{refused}");
        let renewed = renew(dir.path(), &hosts(), Overlap::Usual).unwrap();
        assert_eq!(renewed.fingerprint(), old.fingerprint());
        assert!(renewed.successor().is_some());
    }
}
