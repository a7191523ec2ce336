//! What a service manager is told (sd_notify(3)), and the limit of open files that it left us. Without one, nobody is told.

#[cfg(unix)]
use sd_notify::NotifyState;
use tracing::warn;

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It serves.
    Ready,
    /// It reads its config again; [`Phase::Ready`] follows.
    Reloading,
    /// It ends.
    Stopping,
}

/// Tells what is done now.
#[cfg(unix)]
pub(super) fn tell(phase: Phase) {
    let told = match phase {
        Phase::Ready => sd_notify::notify(&[NotifyState::Ready]),
        Phase::Reloading => {
            NotifyState::monotonic_usec_now().and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now]))
        }
        Phase::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
    };
    if let Err(error) = told {
        warn!(%error, ?phase, "the service manager can't be told");
    }
}

/// There is no such service manager here.
#[cfg(not(unix))]
pub(super) fn tell(_: Phase) {}

/// Tells again and again that we live, twice as often as we are asked to; never ends. Whoever polls this polls all that
/// keeps the proxy in step with its config: if that hangs, nobody is told.
#[cfg(unix)]
pub(super) async fn keep_alive() {
    let Some(within) = sd_notify::watchdog_enabled().filter(|within| !within.is_zero()) else {
        return std::future::pending().await;
    };
    loop {
        let _told_next_time = sd_notify::notify(&[NotifyState::Watchdog]);
        tokio::time::sleep(within / 2).await;
    }
}

/// Nobody asks.
#[cfg(not(unix))]
pub(super) async fn keep_alive() {
    std::future::pending().await
}

/// Lets us open as many files as we may: the usual limit is a thousand, out of care for programs that use select(2). Gives
/// how many that are now, if there is a limit.
#[cfg(unix)]
pub(super) fn raise_open_files() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        warn!(%error, "the limit of open files can't be raised");
    }
    open_files()
}

/// How many files we may open, if there is a limit.
#[cfg(unix)]
pub(super) fn open_files() -> Option<usize> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.and_then(|files| files.try_into().ok())
}

/// There is no such limit here.
#[cfg(not(unix))]
pub(super) fn open_files() -> Option<usize> {
    None
}

/// There is no such limit here.
#[cfg(not(unix))]
pub(super) fn raise_open_files() -> Option<usize> {
    None
}
