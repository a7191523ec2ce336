//! What was decided lately, in bounded memory, for who looks: the last decisions one by one, and an hour's by rule and name.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use time::OffsetDateTime;
use tokio::sync::broadcast;

use super::decision::{Decision, Outcome};

/// Decisions that are kept one by one.
pub(crate) const KEPT: usize = 1000;
/// Decisions that a follower may lie behind; one who is slower is told how many it has missed.
const BEHIND: usize = 256;
/// Minutes that are looked back.
pub(crate) const MINUTES: u64 = 60;
/// Names, each with its rule, that are told apart in one minute.
const NAMES: usize = 256;

/// What was decided lately.
#[derive(Debug)]
pub(crate) struct Recent {
    lately: Mutex<Lately>,
    news: broadcast::Sender<Arc<Numbered>>,
    began: Instant,
    /// Tells the numbers of this process from those of the one before.
    era: u64,
}

/// A decision and its place among all.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) id: Id,
    pub(crate) decision: Arc<Decision>,
}

/// Which decision it is, of which process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    era: u64,
    number: u64,
}

#[derive(Debug, Default)]
struct Lately {
    count: u64,
    last: VecDeque<Arc<Numbered>>,
    minutes: VecDeque<Minute>,
}

/// What a minute's decisions were about.
#[derive(Debug, Default)]
struct Minute {
    at: u64,
    counts: HashMap<About, u64>,
    by_outcome: [u64; 5],
}

/// What decisions are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct About {
    pub(crate) outcome: Outcome,
    /// `None` for failures.
    pub(crate) rule: Option<String>,
    /// The file, the project, the reason of a failure, or the surface in parentheses; `None` stands for the many that
    /// found no room.
    pub(crate) subject: Option<String>,
}

/// The last hour.
#[derive(Debug, Default)]
pub(crate) struct Hour {
    /// How often each thing, most first; what was only audited comes last.
    pub(crate) counts: Vec<(About, u64)>,
    /// For each of the last minutes, oldest first, how often each outcome, in the order of [`Outcome`].
    pub(crate) minutes: Vec<[u64; 5]>,
}

/// What a follower is behind with, and what comes after it.
pub(crate) struct Following {
    /// The decisions since the one that it knew last.
    pub(crate) missed: Vec<Arc<Numbered>>,
    /// Whether there were more than these, or nobody knows.
    pub(crate) gap: bool,
    pub(crate) news: broadcast::Receiver<Arc<Numbered>>,
}

impl Default for Recent {
    fn default() -> Self {
        let era = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        Self {
            lately: Mutex::default(),
            news: broadcast::Sender::new(BEHIND),
            began: Instant::now(),
            era: u64::try_from(era).unwrap_or_default(),
        }
    }
}

impl Recent {
    /// Keeps a decision, and tells who follows.
    pub(crate) fn add(&self, decision: Arc<Decision>) {
        let mut lately = self.lately();
        // Under the lock: whoever gets it later comes from no earlier minute.
        lately.count(self.minute(), &decision);
        lately.count += 1;
        let numbered = Arc::new(Numbered { id: Id { era: self.era, number: lately.count }, decision });
        if lately.last.len() == KEPT {
            lately.last.pop_front();
        }
        lately.last.push_back(Arc::clone(&numbered));
        // Under the lock, so that a follower misses none and sees none twice. Nobody follows: nobody is told.
        let _followers = self.news.send(numbered);
    }

    /// The last decisions, newest first, and the id of the last.
    pub(crate) fn last(&self, limit: usize) -> (Vec<Arc<Numbered>>, Id) {
        let lately = self.lately();
        let last = lately.last.iter().rev().take(limit).cloned().collect();
        (last, Id { era: self.era, number: lately.count })
    }

    /// Follows what is decided, after what is known; from now on if that is `None`.
    pub(crate) fn follow(&self, after: Option<Id>) -> Following {
        let lately = self.lately();
        let news = self.news.subscribe();
        let Some(after) = after else { return Following { missed: Vec::new(), gap: false, news } };
        let is_ours = after.era == self.era && after.number <= lately.count;
        let after = if is_ours { after.number } else { 0 };
        let missed: Vec<_> = lately.last.iter().filter(|numbered| numbered.id.number > after).cloned().collect();
        let gap = !is_ours || (missed.len() as u64) < lately.count - after;
        Following { missed, gap, news }
    }

    /// What was decided within the last hour.
    pub(crate) fn hour(&self) -> Hour {
        let lately = self.lately();
        let now = self.minute();
        let mut hour = Hour { counts: Vec::new(), minutes: vec![[0; 5]; MINUTES as usize] };
        let mut counts: HashMap<About, u64> = HashMap::new();
        for minute in lately.minutes.iter().filter(|minute| now.saturating_sub(minute.at) < MINUTES) {
            for (about, count) in &minute.counts {
                *counts.entry(about.clone()).or_default() += count;
            }
            let place = (MINUTES - 1 - now.saturating_sub(minute.at)) as usize;
            if let Some(place) = hour.minutes.get_mut(place) {
                *place = minute.by_outcome;
            }
        }
        drop(lately);
        hour.counts = counts.into_iter().collect();
        let audited = |about: &About| about.outcome == Outcome::Allowed;
        hour.counts.sort_by(|(one, ones), (other, others)| {
            audited(one).cmp(&audited(other)).then_with(|| others.cmp(ones)).then_with(|| one.cmp(other))
        });
        hour
    }

    fn minute(&self) -> u64 {
        self.began.elapsed().as_secs() / 60
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lately {
    fn count(&mut self, at: u64, decision: &Decision) {
        if self.minutes.back().is_none_or(|minute| minute.at != at) {
            self.minutes.push_back(Minute { at, ..Minute::default() });
            self.minutes.retain(|minute| at.saturating_sub(minute.at) < MINUTES);
        }
        let Some(minute) = self.minutes.back_mut() else { return };
        if let Some(count) = minute.by_outcome.get_mut(decision.decision as usize) {
            *count += 1;
        }
        let mut about = About::of(decision);
        if minute.counts.len() >= NAMES && !minute.counts.contains_key(&about) {
            about.subject = None;
        }
        // Rules can be as many as names, when a config is changed all the time.
        if minute.counts.len() >= 2 * NAMES && !minute.counts.contains_key(&about) {
            about.rule = None;
        }
        *minute.counts.entry(about).or_default() += 1;
    }
}

impl About {
    fn of(decision: &Decision) -> Self {
        let subject = match decision.decision {
            Outcome::Failed => decision.reason.map(str::to_owned),
            _ => decision.file.clone().or_else(|| decision.project.clone()),
        };
        let subject = subject.unwrap_or_else(|| format!("({})", decision.surface.as_str()));
        Self { outcome: decision.decision, rule: decision.rule.clone(), subject: Some(subject) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.era, self.number)
    }
}

impl Id {
    /// Reads what [`Id`] is shown as. What was never one is one of an unknown process.
    pub(crate) fn parse(text: &str) -> Self {
        let (era, number) = text.split_once('-').unwrap_or_default();
        let id = era.parse().ok().zip(number.parse().ok());
        id.map_or(Self { era: 0, number: 0 }, |(era, number)| Self { era, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::decision::tests::decision;

    fn add(recent: &Recent, name: &str) {
        recent.add(Arc::new(decision(Outcome::Hidden, name)));
    }

    fn names(numbered: &[Arc<Numbered>]) -> Vec<&str> {
        numbered.iter().map(|numbered| numbered.decision.project.as_deref().unwrap_or_default()).collect()
    }

    #[test]
    fn the_last_are_kept_and_no_more() {
        let recent = Recent::default();
        (0..KEPT + 5).for_each(|number| add(&recent, &number.to_string()));
        let (last, id) = recent.last(2);
        assert_eq!(names(&last), ["1004", "1003"]);
        assert_eq!(id, last[0].id);
        assert_eq!(recent.last(usize::MAX).0.len(), KEPT);
    }

    #[test]
    fn who_follows_misses_none_and_is_told_what_is_gone() {
        let recent = Recent::default();
        add(&recent, "a");
        let known = recent.last(1).1;
        assert_eq!(Id::parse(&known.to_string()), known);
        add(&recent, "b");
        let mut following = recent.follow(Some(known));
        assert_eq!((names(&following.missed), following.gap), (vec!["b"], false));
        add(&recent, "c");
        assert_eq!(names(&[following.news.try_recv().unwrap()]), ["c"]);
        assert!(recent.follow(None).missed.is_empty());
        (0..KEPT).for_each(|number| add(&recent, &number.to_string()));
        let following = recent.follow(Some(known));
        assert_eq!((following.missed.len(), following.gap), (KEPT, true));
        assert!(recent.follow(Some(Id::parse("another process"))).gap);
        assert!(recent.follow(Some(Id { era: recent.era, number: 9_999 })).gap);
    }

    #[test]
    fn an_hour_is_counted_by_name_and_the_many_together() {
        let recent = Recent::default();
        (0..3).for_each(|_| add(&recent, "often"));
        (0..2 * NAMES).for_each(|number| add(&recent, &number.to_string()));
        let hour = recent.hour();
        assert_eq!(hour.counts.len(), NAMES + 1);
        assert_eq!((&hour.counts[0].0.subject, hour.counts[0].1), (&None, NAMES as u64 + 1));
        assert_eq!((hour.counts[1].0.subject.as_deref(), hour.counts[1].1), (Some("often"), 3));
        assert_eq!(hour.minutes.iter().map(|by| by[Outcome::Hidden as usize]).sum::<u64>(), 2 * NAMES as u64 + 3);
        let mut lately = recent.lately();
        lately.count(MINUTES + 5, &decision(Outcome::Refused, "late"));
        assert_eq!(lately.minutes.len(), 1, "what is older than an hour is gone");
    }

    #[test]
    fn what_was_counted_a_minute_ahead_does_no_harm() {
        let recent = Recent::default();
        recent.lately().count(recent.minute() + 1, &decision(Outcome::Hidden, "ahead"));
        assert_eq!(recent.hour().minutes.last().unwrap()[Outcome::Hidden as usize], 1);
        add(&recent, "behind");
        assert_eq!(recent.hour().counts.len(), 2);
    }
}
