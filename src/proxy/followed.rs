//! What is read again while we serve, beside the config: when to read it, and what is said of it.

use std::time::Duration;

use tokio::sync::watch::Receiver;
use tracing::error;

use super::Shared;
use crate::config::reload::{Look, Sight, Watch};
use crate::telemetry::standing::{Source, one_line};

/// How often files are looked at.
const PACE: Duration = Duration::from_secs(2);

/// Files of one kind that are read together.
#[derive(Debug)]
pub(super) struct Followed {
    source: Source,
    watch: Watch,
    restless: bool,
    /// The error for which what is on disk is refused.
    refused: Option<String>,
}

/// Waits until files are to be looked at: soon where something moves, at once when somebody asks, which is what it gives.
pub(super) async fn pause(asked: &mut Receiver<()>, restless: bool) -> bool {
    let pace = tokio::time::sleep(if restless { PACE / 4 } else { PACE });
    tokio::select! {
        // Nobody can ask any more when the proxy ends, and then so do we.
        Ok(()) = asked.changed() => true,
        () = pace => false,
    }
}

impl Followed {
    /// Files that were `seen` so before they were read.
    pub(super) const fn new(source: Source, seen: Look) -> Self {
        Self { source, watch: Watch::new(seen), restless: false, refused: None }
    }

    /// Whether something moves.
    pub(super) const fn is_restless(&self) -> bool {
        self.restless
    }

    /// Whether what is on disk is refused.
    pub(super) const fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Whether to read the files, which look so `now`: when they have changed and lie still, or somebody who has changed them
    /// has `asked` to; and as long as they are refused, for what was wrong may lie in another file, or in a folder.
    pub(super) fn is_due(&mut self, now: Look, asked: bool) -> bool {
        let mut sight = self.watch.sees(now.clone());
        if asked && sight == Sight::Restless {
            self.watch.has_read(now);
            sight = Sight::Changed;
        }
        self.restless = sight == Sight::Restless;
        match sight {
            Sight::Changed => true,
            Sight::Same => self.refused.is_some(),
            Sight::Restless => false,
        }
    }

    /// What was read is in force.
    pub(super) fn accepted(&mut self, shared: &Shared) {
        self.refused = None;
        shared.accepted(&self.source);
    }

    /// What was read is refused, because of this error; what was said already is not said again.
    pub(super) fn refused(&mut self, shared: &Shared, error: String) {
        if self.refused.as_ref() == Some(&error) {
            return;
        }
        error!("{} on disk is refused, the one from before stays in force: {}", self.source, one_line(&error));
        shared.refused(&self.source, &error);
        self.refused = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_when_they_lie_still_or_somebody_asks_or_as_long_as_they_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let look = || Look::at([&file]);
        let mut followed = Followed::new(Source::Authority, look());
        assert!(!followed.is_due(look(), false) && !followed.is_due(look(), true), "nothing has changed");
        std::fs::write(&file, "a").unwrap();
        assert!(!followed.is_due(look(), false) && followed.is_restless());
        assert!(followed.is_due(look(), false) && !followed.is_restless());
        std::fs::write(&file, "of another length").unwrap();
        assert!(followed.is_due(look(), true) && !followed.is_restless());
        assert!(!followed.is_due(look(), false));
        followed.refused = Some("no room for the bundle".to_owned());
        assert!(followed.is_due(look(), false) && followed.is_due(look(), true));
        std::fs::write(&file, "half").unwrap();
        assert!(!followed.is_due(look(), false), "it is being written");
    }
}
