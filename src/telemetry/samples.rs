//! The last hour's measurements, minute by minute: what went through, how fast upstream was. In constant memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::histogram::Steps;
use super::metrics::Metrics;

/// Between two measurements.
pub(crate) const PACE: Duration = Duration::from_secs(10);
/// Measurements that make a minute.
const OF_A_MINUTE: usize = 6;
/// Minutes that are kept.
const MINUTES: usize = 60;
/// What counts as now.
const NOW: usize = 1;

/// The measurements of the last hour.
#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<VecDeque<Sample>>);

/// What the counters said at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    requests: u64,
    up: u64,
    down: u64,
    upstream: Steps,
    tunnels: i64,
    connections: i64,
}

/// What happened between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    /// A second.
    pub(crate) requests: f64,
    /// Bytes a second, from clients and to them.
    pub(crate) up: f64,
    pub(crate) down: f64,
    /// Answers of upstream's, by how long they took.
    pub(crate) upstream: Steps,
    /// At its end.
    pub(crate) tunnels: i64,
    pub(crate) connections: i64,
}

impl Sample {
    fn of(metrics: &Metrics, at: Instant) -> Self {
        let [up, down] = metrics.carried.totals();
        Self {
            at,
            requests: metrics.all_requests(),
            up,
            down,
            upstream: metrics.upstream.steps(),
            tunnels: metrics.tunnels.get(),
            connections: metrics.connections.get(),
        }
    }

    fn since(&self, before: &Self) -> Span {
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64().max(0.001);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Span {
            requests: rate(self.requests, before.requests),
            up: rate(self.up, before.up),
            down: rate(self.down, before.down),
            upstream: self.upstream.since(&before.upstream),
            tunnels: self.tunnels,
            connections: self.connections,
        }
    }
}

impl Samples {
    /// Measures.
    pub(crate) fn take(&self, metrics: &Metrics) {
        self.add(Sample::of(metrics, Instant::now()));
    }

    fn add(&self, sample: Sample) {
        let mut samples = self.samples();
        if samples.len() > MINUTES * OF_A_MINUTE {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// The last seconds.
    pub(crate) fn now(&self, metrics: &Metrics) -> Span {
        let now = Sample::of(metrics, Instant::now());
        let samples = self.samples();
        let before = samples.iter().rev().nth(NOW).or_else(|| samples.front());
        before.map(|before| now.since(before)).unwrap_or_default()
    }

    /// The minutes of the last hour, oldest first, of which the last has just begun or is about to end. As many as there are.
    pub(crate) fn minutes(&self, metrics: &Metrics) -> Vec<Span> {
        let now = Sample::of(metrics, Instant::now());
        let samples = self.samples();
        let mut ends: Vec<&Sample> = samples.iter().rev().step_by(OF_A_MINUTE).collect();
        ends.reverse();
        let mut minutes: Vec<Span> = ends
            .windows(2)
            .filter_map(|pair| if let [before, after] = pair { Some(after.since(before)) } else { None })
            .collect();
        minutes.extend(ends.last().map(|last| now.since(last)));
        minutes.drain(..minutes.len().saturating_sub(MINUTES));
        minutes
    }

    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Surface;

    #[test]
    fn minutes_are_made_of_samples_and_an_hour_is_kept() {
        let (samples, metrics, start) = (Samples::default(), Metrics::default(), Instant::now());
        assert!(samples.minutes(&metrics).is_empty());
        for number in 0..1000 {
            samples.add(Sample::of(&metrics, start + PACE * number));
            (0..10).for_each(|_| metrics.answered(Surface::Page, 200));
        }
        let minutes = samples.minutes(&metrics);
        assert_eq!(minutes.len(), MINUTES);
        assert!(minutes[..MINUTES - 1].iter().all(|minute| (minute.requests - 1.0).abs() < 0.01), "{minutes:?}");
        assert_eq!(samples.samples().len(), MINUTES * OF_A_MINUTE + 1);
    }
}
