//! Our own tasks are spawned and tracked here, and all of them end in two phases: drain, then abort.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the last tasks may take when all others have ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The proxy's tasks. Cheap to clone; all clones are the same tasks.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    last: TaskTracker,
    notice: CancellationToken,
    drain: CancellationToken,
    abort: CancellationToken,
}

impl Tasks {
    /// Runs `task` in the background until it ends or the abort phase drops it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        let tracked = self.tracker.track_future(async move {
            tokio::select! {
                () = abort.cancelled() => {}
                () = task => {}
            }
        });
        #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
        drop(tokio::spawn(tracked));
    }

    /// Runs `task` in the background until the abort phase drops it; the drain phase doesn't wait for it.
    pub fn spawn_until_abort(&self, task: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
        drop(tokio::spawn(async move {
            tokio::select! {
                () = abort.cancelled() => {}
                () = task => {}
            }
        }));
    }

    /// Runs `task` in the background to its own end, which comes when all other tasks have ended.
    pub fn spawn_last(&self, task: impl Future<Output = ()> + Send + 'static) {
        #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
        drop(tokio::spawn(self.last.track_future(task)));
    }

    /// Completes when the drain phase begins: finish what runs, begin nothing new.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Whether the drain phase has begun, or is announced.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.notice.is_cancelled()
    }

    /// Announces the drain phase: who asks is told so, and all goes on.
    pub fn announce(&self) {
        self.notice.cancel();
    }

    /// Begins the drain phase, waits for the tasks at most `grace` (or until `hurry` completes), then drops the rest.
    /// Gives the number of tasks that were cut off.
    pub async fn shut_down(&self, grace: Duration, hurry: impl Future<Output = ()>) -> usize {
        self.notice.cancel();
        self.drain.cancel();
        self.tracker.close();
        tokio::select! {
            () = self.tracker.wait() => {}
            () = tokio::time::sleep(grace) => {}
            () = hurry => {}
        }
        let cut_off = self.tracker.len();
        self.abort.cancel();
        self.tracker.wait().await;
        self.last.close();
        let _in_time = tokio::time::timeout(LAST_WORDS, self.last.wait()).await;
        cut_off
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_ends_in_time_is_not_cut_off() {
        let tasks = Tasks::default();
        let running = tasks.clone();
        tasks.spawn(async move {
            running.draining().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        });
        assert_eq!(tasks.shut_down(Duration::from_secs(30), pending()).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_cut_off() {
        let tasks = Tasks::default();
        tasks.spawn(pending());
        assert_eq!(tasks.shut_down(Duration::from_secs(30), pending()).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_hurries() {
        let tasks = Tasks::default();
        tasks.spawn(pending());
        assert_eq!(tasks.shut_down(Duration::MAX, async {}).await, 1);
    }
}
