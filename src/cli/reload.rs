//! Keeps the rules in force in step with the config's files and with the date, while `serve` serves.

use std::path::PathBuf;
use std::time::Duration;

use time::{Date, OffsetDateTime};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::service::{self, Phase};
use super::{Failure, asserted_policy_on};
use crate::config::reload::{Look, Sight, Watch, doubt, needing_restart};
use crate::config::{Overrides, Settings};
use crate::policy::Policy;
use crate::proxy::Proxy;
use crate::telemetry::standing::one_line;

/// How often the files are looked at. Not by inotify: it is blind on network file systems, and it has to be told of each
/// folder on the way to a file, and told again when one of them is swapped.
pub(super) const PACE: Duration = Duration::from_secs(2);

/// Looks between two tries to read a config that was refused: what was wrong may lie in no file that we look at.
const PATIENCE: u32 = 15;

/// What has been read, and what was said of it.
struct Keeper<'p> {
    overrides: &'p Overrides,
    proxy: &'p Proxy,
    /// The config in force.
    settings: Settings,
    /// The day as of which its rules are compiled.
    day: Date,
    watch: Watch,
    /// Whether the last look saw something move.
    restless: bool,
    /// The error for which the config on disk is refused, and how many looks ago that was found.
    refused: Option<(String, u32)>,
    /// The keys of which was said last that they take a restart.
    warned: Vec<&'static str>,
}

/// Reads the config when its files have changed and whenever `asked` to; never ends.
pub(super) async fn keep_up(overrides: &Overrides, proxy: &Proxy, read: Look, asked: &Notify, pace: Duration) {
    let mut keeper = Keeper::new(overrides, proxy, read, today());
    loop {
        // What moves is looked at again soon, so that a change is in force soon.
        let pause = if keeper.restless { pace / 4 } else { pace };
        tokio::select! {
            () = asked.notified() => {
                service::tell(Phase::Reloading);
                keeper.read(today()).await;
                service::tell(Phase::Ready);
            }
            () = tokio::time::sleep(pause) => keeper.look(today()).await,
        }
    }
}

/// Looks at the files of `settings`, which have just been read.
pub(super) fn look_at(settings: &Settings) -> Look {
    Look::at(files(settings))
}

/// The files that `settings` were read from, that of the users among them.
fn files(settings: &Settings) -> Vec<PathBuf> {
    let users = settings.users.as_ref().map(|file| &file.path);
    settings.files().iter().chain(users).chain(settings.watched()).chain(settings.folders()).cloned().collect()
}

fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

impl<'p> Keeper<'p> {
    fn new(overrides: &'p Overrides, proxy: &'p Proxy, read: Look, day: Date) -> Self {
        let settings = proxy.settings().clone();
        let watch = Watch::new(read);
        Self { overrides, proxy, settings, day, watch, restless: false, refused: None, warned: Vec::new() }
    }

    /// Looks at the files and the calendar, and does what they ask for.
    async fn look(&mut self, today: Date) {
        if today != self.day {
            self.turn_to(today).await;
        }
        let files = files(&self.settings);
        let Ok(now) = aside(move || Look::at(files)).await else { return };
        let sight = self.watch.sees(now);
        self.restless = sight == Sight::Restless;
        let due = self.refused.as_mut().is_some_and(|(_, looks)| {
            *looks += 1;
            looks.is_multiple_of(PATIENCE)
        });
        match sight {
            Sight::Changed => self.read(today).await,
            Sight::Same if due => self.retry(today).await,
            Sight::Same | Sight::Restless => {}
        }
    }

    /// Reads the config and puts its rules in force, or says why not.
    async fn read(&mut self, today: Date) {
        match self.load(today).await {
            Ok((settings, policy)) => self.accept(settings, policy, today),
            Err(error) => self.refuse(error),
        }
    }

    /// Reads a config that was refused once more; is silent when it is refused for the same reason.
    async fn retry(&mut self, today: Date) {
        match self.load(today).await {
            Ok((settings, policy)) => self.accept(settings, policy, today),
            Err(error) if self.refused.as_ref().is_some_and(|(known, _)| *known == error) => {}
            Err(error) => self.refuse(error),
        }
    }

    async fn load(&mut self, today: Date) -> Result<(Settings, Policy), String> {
        let (overrides, running) = (self.overrides.clone(), self.settings.clone());
        let (seen, loaded) = aside(move || {
            // First: what changes while we read is a change.
            let seen = look_at(&running);
            let load = || load(&overrides, &running, today).map_err(|failure| failure.to_string());
            match load() {
                // Other files hold the config now. Which they are is known only after they were read.
                Ok((settings, _)) if files(&settings) != files(&running) => {
                    let seen_now = look_at(&settings);
                    match load() {
                        Ok(loaded) => (seen_now, Ok(loaded)),
                        Err(error) => (seen, Err(error)),
                    }
                }
                loaded => (seen, loaded),
            }
        })
        .await?;
        self.watch.has_read(seen);
        self.restless = false;
        loaded
    }

    fn accept(&mut self, settings: Settings, policy: Policy, today: Date) {
        let before = self.proxy.fingerprint();
        if let Err(error) = self.proxy.accept_config(&settings, policy) {
            return self.refuse(error.to_string());
        }
        info!(before, policy = self.proxy.fingerprint(), rules = settings.rules.len(), "the config was read again");
        let keys = needing_restart(&settings, self.proxy.settings());
        if !keys.is_empty() && keys != self.warned {
            warn!("these settings have changed and take a restart: {}", keys.join(", "));
        }
        self.warned = keys;
        (self.settings, self.day, self.refused) = (settings, today, None);
    }

    fn refuse(&mut self, error: String) {
        let policy = self.proxy.fingerprint();
        // Not the excerpt: a line with a password in it is for who runs `namewall check`, not for the log.
        let why = one_line(&error);
        error!(
            policy,
            "the config on disk is refused, the rules from before stay in force: {why}; `namewall check` shows all of it"
        );
        self.proxy.refuse_config(&error);
        self.refused = Some((error, 0));
    }

    /// Compiles the rules in force anew on another day: one of them may have expired.
    async fn turn_to(&mut self, today: Date) {
        self.day = today;
        let settings = self.settings.clone();
        let compiled = aside(move || asserted_policy_on(today, &settings).map_err(|failure| failure.to_string())).await;
        match compiled.and_then(|compiled| compiled) {
            Ok(policy) => {
                let before = self.proxy.fingerprint();
                if let Err(error) = self.proxy.set_policy(policy) {
                    return self.refuse(error.to_string());
                }
                let now = self.proxy.fingerprint();
                if now != before {
                    info!(before, policy = now, %today, "a rule has expired");
                }
            }
            // The same file will not start tomorrow, and whoever reads `/readyz` today can still mend it.
            Err(error) => self.refuse(error),
        }
    }
}

fn load(overrides: &Overrides, running: &Settings, today: Date) -> Result<(Settings, Policy), Failure> {
    let mut settings = Settings::load(overrides)?;
    // As at the start, or the limits would seem to have changed.
    if let Some(files) = service::open_files() {
        settings.limits.fit_into(files);
    }
    settings.knows_users().map_err(|unreadable| Failure::Usage(unreadable.to_string()))?;
    if let Some(doubt) = doubt(&settings, running) {
        return Err(Failure::Usage(doubt));
    }
    let policy = asserted_policy_on(today, &settings)?;
    Ok((settings, policy))
}

/// Runs what may wait for a disk where nobody waits for it: signals are obeyed meanwhile.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| format!("reading the config broke off: {panic}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use time::macros::date;

    use super::*;
    use crate::config::Environment;

    const EXPIRING: &str = "[[protect]]\nid = \"old\"\nnames = [\"old\"]\nexpires = 2027-06-30\n";

    async fn proxy(folder: &Path, config: &str) -> (Overrides, Proxy) {
        let path = folder.join("namewall.toml");
        let head = format!("[ca]\ndir = {:?}\n[listen]\naddr = \"127.0.0.1:0\"\n{config}", folder.join("ca"));
        std::fs::write(&path, head).unwrap();
        let overrides = Overrides { config: Some(path), ..Overrides::default() };
        let settings = Settings::load_from(&overrides, &Environment::default(), folder).unwrap();
        let policy = settings.policy(date!(2027 - 06 - 30)).unwrap();
        (overrides, Proxy::start(settings, policy).await.unwrap())
    }

    #[tokio::test]
    async fn a_rule_expires_while_it_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let (overrides, proxy) = proxy(folder.path(), EXPIRING).await;
        let mut keeper = Keeper::new(&overrides, &proxy, look_at(proxy.settings()), date!(2027 - 06 - 30));
        let before = proxy.fingerprint();
        keeper.look(date!(2027 - 06 - 30)).await;
        assert_eq!(proxy.fingerprint(), before);
        keeper.look(date!(2027 - 07 - 01)).await;
        assert_ne!(proxy.fingerprint(), before);
        assert!(keeper.refused.is_none());
    }

    #[tokio::test]
    async fn a_rule_that_is_asserted_stays_beyond_its_last_day() {
        let folder = tempfile::tempdir().unwrap();
        let config = format!("{EXPIRING}[[assert]]\nprotected = [\"old\"]\n");
        let (overrides, proxy) = proxy(folder.path(), &config).await;
        let mut keeper = Keeper::new(&overrides, &proxy, look_at(proxy.settings()), date!(2027 - 06 - 30));
        let before = proxy.fingerprint();
        keeper.look(date!(2027 - 07 - 01)).await;
        assert_eq!(proxy.fingerprint(), before);
        assert!(keeper.refused.as_ref().unwrap().0.contains("`old` is asserted"));
    }

    #[tokio::test]
    async fn what_was_refused_is_tried_again_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let (overrides, proxy) = proxy(folder.path(), "").await;
        let (settings, day) = (proxy.settings(), today());
        let mut keeper = Keeper::new(&overrides, &proxy, look_at(settings), day);
        keeper.refuse("something elsewhere".to_owned());
        for _ in 1..PATIENCE {
            keeper.look(day).await;
            assert!(keeper.refused.is_some());
        }
        keeper.look(day).await;
        assert!(keeper.refused.is_none());
    }
}
