//! The running inventories: asks each private index for its list, keeps what came, and puts it in force.

mod fetch;
mod identity;
mod list;
pub(crate) mod netrc;

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use self::fetch::{Answer, fetch};
use crate::config::{Assertion, FailedAssertion, InventorySource, KeptList, OnMissing, Settings, assertion, kept};
use crate::name::ProjectName;
use crate::policy::{CompileError, Names, Policy, Rule};
use crate::proxy::Shared;
use crate::proxy::fetch::Fetcher;

/// How long the proxy's start waits for lists that it has never had.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long it takes to the second attempt when the first fails; each further one takes twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// A list that loses at least half of its names, and at least this many, is more likely broken than short.
const SUSPICIOUS_LOSS: usize = 10;

/// So often in a row, and so long, a list must be short to be believed: an index that is being restored from a backup,
/// or that has forgotten who may see what, is mended within a working day.
const BELIEVED_AFTER: (u32, Duration) = (3, Duration::from_secs(8 * 3600));

/// The short lists that came in a row, and when the first did.
#[derive(Debug, Default)]
struct Short(Option<(u32, Instant)>);

impl Short {
    /// Whether a list of `now` names is to be believed after one of `before`.
    fn believes(&mut self, before: usize, now: usize, at: Instant) -> bool {
        if !has_shrunk(before, now) {
            self.0 = None;
            return true;
        }
        let (times, since) = self.0.map_or((1, at), |(times, since)| (times.saturating_add(1), since));
        self.0 = Some((times, since));
        // Nothing at all is never believed: some servers show an empty list to whom they should refuse.
        now > 0 && times >= BELIEVED_AFTER.0 && at.saturating_duration_since(since) >= BELIEVED_AFTER.1
    }
}

/// What is known of each inventory, and the config beside which it is in force.
#[derive(Debug)]
pub(crate) struct Inventories(Mutex<Known>);

#[derive(Clone, Debug)]
struct Known {
    rules: Arc<[Rule]>,
    /// What must be so under any list.
    assertions: Arc<[Assertion]>,
    lists: Vec<Option<KeptList>>,
}

impl Known {
    /// What each inventory lists, as far as that is known.
    fn names(&self) -> impl Iterator<Item = Option<&Arc<Names>>> {
        self.lists.iter().map(|list| list.as_ref().map(|list| &list.names))
    }
}

impl Inventories {
    /// What was kept of the inventories of `settings`.
    pub(crate) fn kept(settings: &Settings) -> Self {
        Self(Mutex::new(Known {
            rules: settings.rules.clone().into(),
            assertions: settings.assertions.clone().into(),
            lists: settings.kept_lists(),
        }))
    }

    /// Since when each list is known to be true, by id; `None` if it never came.
    pub(crate) fn fetched(&self, settings: &Settings) -> Vec<(String, Option<OffsetDateTime>, usize)> {
        let known = self.known();
        let told = |(source, list): (&InventorySource, &Option<KeptList>)| {
            let fetched = list.as_ref().map(|list| list.fetched);
            (source.id.clone(), fetched, list.as_ref().map_or(0, |list| list.names.len()))
        };
        settings.inventories.iter().zip(&known.lists).map(told).collect()
    }

    /// Puts `rules` in force beside the lists that are known, and `assertions`, if there are new ones.
    pub(crate) fn set_rules(
        &self,
        shared: &Shared,
        rules: &[Rule],
        assertions: Option<&[Assertion]>,
    ) -> Result<(), CompileError> {
        let change = |known: &mut Known| {
            known.rules = rules.into();
            known.assertions = assertions.map_or_else(|| Arc::clone(&known.assertions), Into::into);
        };
        self.change(shared, change, |_known, _fine| Ok(()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, at: usize) -> Option<KeptList> {
        self.known().lists.get(at).cloned().flatten()
    }

    /// The one place where the policy changes while the proxy runs: under the lock, so that of a reload and a refresh at
    /// the same time none is lost. What `check` refuses changes nothing.
    fn change<E: From<CompileError>>(
        &self,
        shared: &Shared,
        change: impl FnOnce(&mut Known),
        check: impl FnOnce(&Known, &Policy) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut known = self.known();
        let mut changed = known.clone();
        change(&mut changed);
        let today = OffsetDateTime::now_utc().date();
        let lists = changed.names().map(Option::<&Arc<Names>>::cloned);
        let policy = shared.settings.policy_with(changed.rules.to_vec(), lists, today)?;
        check(&changed, &policy)?;
        warn_of_broken_assertions(&changed.assertions, &policy);
        *known = changed;
        shared.put_in_force(policy);
        Ok(())
    }
}

/// Why a new list is not put in force.
#[derive(Debug, thiserror::Error)]
enum ChangeError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("{0}")]
    Assertion(Box<FailedAssertion>),
}

/// Refuses a policy that leaves a name bare which is asserted to be protected, and is until now.
fn keeps_what_is_asserted(assertions: &[Assertion], now: &Policy, then: &Policy) -> Result<(), ChangeError> {
    let bare = |policy: &Policy| {
        assertion::sure_failures(assertions, policy).into_iter().filter(|failed| failed.assertion.protected)
    };
    let key = |assertion: &Assertion| (assertion.written.clone(), assertion.asker.clone());
    let already: HashSet<_> = bare(now).map(|failed| key(&failed.assertion)).collect();
    let lost = bare(then).find(|failed| !already.contains(&key(&failed.assertion)));
    lost.map_or(Ok(()), |failed| Err(ChangeError::Assertion(failed.into())))
}

/// A list may take away what an assertion of the config needs; the names of the index are protected nevertheless.
fn warn_of_broken_assertions(assertions: &[Assertion], policy: &Policy) {
    if policy.knows_all() {
        for failed in assertion::failures(assertions, policy) {
            warn!("under what the inventories list, an assertion of the config does not hold: {failed}");
        }
    }
}

/// Begins to ask each private index, and waits a moment for lists without which nothing would be answered.
pub(crate) async fn start(shared: &Arc<Shared>) {
    if shared.settings.inventories.is_empty() {
        return;
    }
    // Mostly the policy is made of these very lists; to compile one takes as long as all the rest of a start.
    let stale = !shared.policy().lists().eq(shared.inventories.known().names());
    if stale && let Err(error) = shared.inventories.change(shared, |_| {}, |_known, _fine| Ok::<_, CompileError>(())) {
        error!(%error, "cannot put the inventories in force");
    }
    let (first, mut all_tried) = mpsc::channel::<()>(1);
    for at in 0..shared.settings.inventories.len() {
        // Not one that is drained: whoever waits for an index would hold up the end.
        shared.tasks.spawn_until_abort(keep_fresh(Arc::clone(shared), at, first.clone()));
    }
    drop(first);
    if shared.policy().missing().next().is_some() {
        let _waited = tokio::time::timeout(PATIENCE, all_tried.recv()).await;
    }
}

/// Asks one index again and again. Lets `first` go once it has been asked.
async fn keep_fresh(shared: Arc<Shared>, at: usize, first: mpsc::Sender<()>) {
    let Some(source) = shared.settings.inventories.get(at) else { return };
    if source.url.as_url().scheme() == "http" && !is_local(source) {
        warn!(id = source.id, "the inventory is asked over plain http: whoever is on the way can change its list");
    }
    let (mut first, mut failures, mut short) = (Some(first), 0_u32, Short::default());
    loop {
        let known = shared.inventories.list(at);
        let pause = match fetch(&shared.fetcher, source, known.as_ref()).await {
            Ok(answer) => {
                failures = 0;
                shared
                    .metrics
                    .inventory_fetched(&source.id, take(&shared, at, source, known, answer, &mut short).await);
                source.refresh
            }
            Err(problem) => {
                failures += 1;
                shared.metrics.inventory_fetched(&source.id, "failed");
                let pause = FIRST_RETRY
                    .saturating_mul(1 << failures.min(16).saturating_sub(1))
                    .min(source.refresh)
                    .min(LONGEST_RETRY);
                let last_good = known.and_then(|known| known.fetched.format(&Rfc3339).ok());
                warn!(id = source.id, url = %source.url, %problem, last_good, "cannot fetch the list of an inventory");
                pause
            }
        };
        drop(first.take());
        tokio::time::sleep(jittered(pause)).await;
    }
}

/// Keeps what came and puts it in force; says in a word what became of it.
async fn take(
    shared: &Arc<Shared>,
    at: usize,
    source: &InventorySource,
    known: Option<KeptList>,
    answer: Answer,
    short: &mut Short,
) -> &'static str {
    let (list, nameless, word) = match (answer, known) {
        // Some servers show nothing instead of refusing, and nothing is no reason to open what was closed.
        (Answer::List(list, _), None) if is_doubtful(source, &list) => {
            let advice = "check as whom it is asked; if it is as empty as that, say `on-missing = \"ignore\"`";
            warn!(id = source.id, url = %source.url, advice, "the first list of an inventory lists nothing: not taken");
            return "empty";
        }
        (Answer::List(list, nameless), known) => {
            let before = known.as_ref().map_or(0, |known| known.names.len());
            if !short.believes(before, list.names.len(), Instant::now()) {
                let (id, now) = (&source.id, list.names.len());
                let kept = kept::file_of(source, &shared.settings.state_folder());
                let advice = "if it is right, delete the kept list and start anew";
                let what = "the list of an inventory has shrunk by half or more: the old one stays";
                warn!(id, before, now, kept = %kept.display(), advice, "{what}");
                return "shrunk";
            }
            let word = if known.is_some_and(|known| known.names == list.names) { "same" } else { "changed" };
            (list, nameless, word)
        }
        (Answer::Unchanged, Some(known)) => {
            // The index has said that the long list holds: what was short before is in no row any more.
            *short = Short::default();
            (KeptList { fetched: OffsetDateTime::now_utc(), ..known }, 0, "unchanged")
        }
        (Answer::Unchanged, None) => return "failed",
    };
    if word == "changed" && lists_pypi(&list.names) {
        let advice = "ask an index that serves your own projects alone, or except what you take from PyPI";
        warn!(id = source.id, advice, "the inventory lists pip, setuptools and requests, which are hidden by it now");
    }
    let (shared, source) = (Arc::clone(shared), source.clone());
    let kept = tokio::task::spawn_blocking(move || {
        let names = list.names.len();
        let put = |known: &mut Known| {
            if let Some(place) = known.lists.get_mut(at) {
                *place = Some(list.clone());
            }
        };
        let holds =
            |known: &Known, policy: &Policy| keeps_what_is_asserted(&known.assertions, &shared.policy(), policy);
        if word != "changed" {
            put(&mut shared.inventories.known());
        } else if let Err(error) = shared.inventories.change(&shared, put, holds) {
            error!(id = source.id, %error, "the new list of an inventory is not taken, the old one stays");
            return "refused";
        } else {
            info!(id = source.id, names, nameless, policy = shared.policy().fingerprint(), "inventory changed");
        }
        // Only what is in force: a restart must not bring what was refused.
        let state = shared.settings.state_folder();
        let confirmed = word == "unchanged" && kept::confirm(&source, &state).is_ok();
        if !confirmed && let Err(problem) = kept::write(&source, &state, &list) {
            error!(id = source.id, %problem, "cannot keep the list of an inventory: a restart would be without it");
        }
        word
    });
    kept.await.unwrap_or("failed")
}

/// Fetches and keeps the lists that have never come; for a command that runs once.
pub(crate) async fn fetch_unknown(settings: &Settings, fetcher: &Fetcher) -> Result<(), String> {
    for (source, known) in settings.inventories.iter().zip(settings.kept_lists()) {
        if known.is_some() {
            continue;
        }
        let failed = |problem: &dyn Display| format!("inventory {} ({}): {problem}", source.id, source.url);
        if let Answer::List(list, _) = fetch(fetcher, source, None).await.map_err(|problem| failed(&problem))? {
            if is_doubtful(source, &list) {
                return Err(failed(&"it lists nothing: check as whom it is asked"));
            }
            kept::write(source, &settings.state_folder(), &list).map_err(|problem| failed(&problem))?;
        }
    }
    Ok(())
}

/// Whether a first list that lists nothing would open what is closed until there is one.
fn is_doubtful(source: &InventorySource, first: &KeptList) -> bool {
    first.names.is_empty() && source.on_missing == OnMissing::Refuse
}

/// Whether the index seems to pass PyPI on, as the virtual repositories of some servers do.
fn lists_pypi(names: &Names) -> bool {
    let lists = |name| ProjectName::parse(name).is_ok_and(|name| names.find(name.as_name()).is_some());
    ["pip", "setuptools", "requests"].into_iter().all(lists)
}

const fn has_shrunk(before: usize, now: usize) -> bool {
    (before > 0 && now == 0) || now.saturating_mul(2) <= before && before.saturating_sub(now) >= SUSPICIOUS_LOSS
}

fn is_local(source: &InventorySource) -> bool {
    match source.url.as_url().host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Between nine and eleven tenths of `pause`: a fleet that started together must not ask together for ever.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let mut byte = [0; 1];
    // Without randomness they ask together, which harms nobody much.
    let _filled = aws_lc_rs::rand::fill(&mut byte);
    pause.mul_f64(0.9 + f64::from(byte.first().copied().unwrap_or(128)) / 255.0 * 0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_loses_half_or_all_is_suspicious() {
        for (before, now, shrunk) in [
            (100, 50, true),
            (100, 51, false),
            (10, 0, true),
            (9, 0, true),
            (1, 0, true),
            (0, 0, false),
            (18, 9, false),
            (5, 50, false),
        ] {
            assert_eq!(has_shrunk(before, now), shrunk, "{before} {now}");
        }
    }

    #[test]
    fn a_short_list_is_believed_after_a_working_day_and_an_empty_one_never() {
        let begun = Instant::now();
        let hours = |hours: u64| begun + Duration::from_secs(hours * 3600);
        let mut short = Short::default();
        for (at, now, believed) in
            [(0, 40, false), (1, 40, false), (7, 40, false), (8, 40, true), (9, 80, true), (10, 40, false)]
        {
            assert_eq!(short.believes(100, now, hours(at)), believed, "{at} {now}");
        }
        let mut short = Short::default();
        assert_eq!([0, 5, 10, 500].map(|at| short.believes(3, 0, hours(at))), [false; 4]);
        assert!(Short::default().believes(0, 0, begun), "nothing was there before");
    }

    #[test]
    fn an_index_that_passes_pypi_on_is_known_by_its_staples() {
        let names = |list: &[&str]| list.iter().map(|name| ProjectName::parse(name).unwrap()).collect::<Names>();
        assert!(lists_pypi(&names(&["acme", "pip", "requests", "setuptools"])));
        assert!(!lists_pypi(&names(&["acme", "pip", "setuptools"])));
    }

    #[test]
    fn jitter_is_a_tenth() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(100)).as_secs_f64();
            assert!((89.9..=110.1).contains(&pause), "{pause}");
        }
    }
}
