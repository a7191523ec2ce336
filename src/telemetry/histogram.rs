//! How long things took, counted in steps: without a lock on the way of a request, and readable for who wants a percentile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The upper bounds of the steps in seconds; above the last there is one more.
const BOUNDS: [f64; 15] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
const STEPS: usize = BOUNDS.len() + 1;

/// A histogram of durations. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    steps: [AtomicU64; STEPS],
    micros: AtomicU64,
}

/// How many durations fell into each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps([u64; STEPS]);

impl Histogram {
    /// Counts a duration.
    pub(crate) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let step = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(step) = self.0.steps.get(step) {
            step.fetch_add(1, Ordering::Relaxed);
        }
        self.0.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn steps(&self) -> Steps {
        Steps(self.0.steps.each_ref().map(|step| step.load(Ordering::Relaxed)))
    }
}

impl Steps {
    /// What came since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        since.0.iter_mut().zip(&before.0).for_each(|(now, before)| *now = now.saturating_sub(*before));
        since
    }

    /// Both together.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut sum = *self;
        sum.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one += other);
        sum
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The seconds within which this part of all (of 1) ended, between the bounds of its step; nothing if there is none.
    pub(crate) fn quantile(&self, part: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = part * count as f64;
        let (mut before, mut lower) = (0.0, 0.0);
        for (step, bound) in self.0.iter().zip(BOUNDS) {
            let step = *step as f64;
            if step > 0.0 && before + step >= wanted {
                return Some(lower + (bound - lower) * ((wanted - before) / step).clamp(0.0, 1.0));
            }
            (before, lower) = (before + step, bound);
        }
        // Longer than the last bound: nobody knows how long.
        BOUNDS.last().copied()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let steps = self.steps();
        let bounds = BOUNDS.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(steps.0).collect();
        let sum = self.0.micros.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, steps.count(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_within_their_steps() {
        let histogram = Histogram::default();
        assert_eq!(histogram.steps().quantile(0.5), None);
        let before = histogram.steps();
        (0..99).for_each(|_| histogram.observe(Duration::from_millis(30)));
        histogram.observe(Duration::from_secs(3600));
        let steps = histogram.steps().since(&before);
        let half = steps.quantile(0.5).unwrap();
        assert!((0.025..=0.05).contains(&half), "{half}");
        assert_eq!(steps.quantile(1.0), Some(60.0));
        assert_eq!(steps.and(&steps).count(), 200);
    }
}
