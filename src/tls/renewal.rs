//! How one authority follows another: the next one is shown to clients first, and signs when they have had time to see it.
//!
//! A client that trusts the old certificate alone can't be made to believe the new one: the old may sign no authority
//! (`pathlen:0`). So both are handed out from the day of the renewal on, while the old one still signs.

use std::path::Path;

use time::{Duration, OffsetDateTime};

use super::authority::{CertificateAuthority, Files, certificates, generate, is_self_issued};
use super::clock;
use super::error::CaError;
use super::store::{Next, Pair, Store};
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
/// sign for all of `hosts` any more, or is damaged, has nothing to wait for, unless the overlap was asked for.
///
/// # Errors
/// [`CaError`]; [`CaError::Organisations`] when it was not made here.
pub fn renew(dir: &Path, hosts: &[HostName], overlap: Overlap) -> Result<CertificateAuthority, CaError> {
    let store = Store::new(dir);
    let now = clock::now();
    let locked = store.lock()?;
    let next = store.read_next()?;
    let next = match next {
        Some(next) if next.from <= now => {
            locked.succeed()?;
            None
        }
        next => next,
    };
    refuse_organisations(&store, now)?;
    let needed = if matches!(overlap, Overlap::For(_)) { &[] } else { hosts };
    match CertificateAuthority::current(&store, needed, now) {
        Ok(current) => {
            let known = next.filter(|next| {
                CertificateAuthority::from_pair(&next.pair, &Files::of_next(&store), hosts, now).is_ok()
            });
            let from = match (overlap, &known) {
                (Overlap::Usual, Some(next)) => next.from,
                (Overlap::Usual, None) => now + OVERLAP,
                (Overlap::For(time), _) => now + time,
                (Overlap::None, _) => now,
            };
            let pair = match (known, overlap) {
                (Some(next), _) => next.pair,
                // Nobody could have been shown it.
                (None, Overlap::None) => {
                    locked.publish(&generate(hosts, now)?)?;
                    return CertificateAuthority::current(&store, hosts, now);
                }
                (None, _) => generate(hosts, now)?,
            };
            // Nobody would believe the old one after its end.
            let from = from.min(current.not_after()).max(now);
            locked.announce(&Next { pair, from })?;
        }
        Err(_unusable) => locked.publish(&generate(hosts, now)?)?,
    }
    drop(locked);
    CertificateAuthority::load(dir, needed)
}

/// Puts `pair` in force in `dir`: at once, and so that proxies which don't know of it yet are believed a while longer.
///
/// # Errors
/// [`CaError`].
pub(super) fn put_in_force(store: &Store, pair: Pair) -> Result<(), CaError> {
    let now = clock::now();
    let locked = store.lock()?;
    match CertificateAuthority::current(store, &[], now) {
        Ok(_) => locked.announce(&Next { pair, from: now }),
        Err(_none) => locked.publish(&pair),
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

/// As [`settle`], for the folder `dir`.
pub fn settle_in(dir: &Path) {
    settle(&Store::new(dir), clock::now());
}

fn refuse_organisations(store: &Store, now: OffsetDateTime) -> Result<(), CaError> {
    let issued = match CertificateAuthority::current(store, &[], now) {
        Ok(current) => !current.is_self_issued(),
        // It may have expired; whose it is stands in it none the less.
        Err(_) => store.read().ok().and_then(|pair| {
            certificates(&pair.cert)?.first().map(|first| !is_self_issued(first))
        }) == Some(true),
    };
    if issued { Err(CaError::Organisations { path: store.cert.clone() }) } else { Ok(()) }
}
