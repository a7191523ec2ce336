//! The story: the same install commands, first past a proxy without rules, then past one that protects `acme-*`.

mod cast;
mod client;
mod error;
mod keep;
mod narrator;
#[cfg(test)]
mod picture;
mod python;
mod roles;
mod stage;
mod theatre;
mod troupe;

use std::io::{self, Write};

pub use self::client::Client;
pub use self::error::DemoError;
use self::narrator::Narrator;
use self::python::Python;
use self::stage::Stage;
use self::theatre::Theatre;
use self::troupe::Troupe;
use crate::config::environment::Environment;

/// How the story is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// With colours.
    pub colours: bool,
    /// Who plays.
    pub client: Client,
    /// Waits for Enter on standard input between the scenes.
    pub pause: bool,
    /// Leaves everything in place at the end, until a signal comes.
    pub keep: bool,
}

/// What really happened.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Each install.
    pub acts: Vec<Act>,
    /// How many requests that bore a protected name reached the public index past the rules.
    pub leaked: usize,
    /// Whether the attack worked without namewall's rules, and failed with them.
    pub defended: bool,
}

/// One install of the private package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The client.
    pub client: Client,
    /// Whether the rules were in force.
    pub protected: bool,
    /// The version that it installed.
    pub version: String,
}

/// Plays the attack, telling it on `out`. Whatever it makes is gone when it returns.
///
/// # Errors
/// [`DemoError`] when the story can't be played. That the attack succeeded where it should not is an [`Outcome`].
pub async fn play(options: Options, out: &mut (dyn Write + Send)) -> Result<Outcome, DemoError> {
    let mut narrator = Narrator::new(out, options.colours);
    let story = Box::pin(perform(options, &mut narrator));
    let (outcome, stage) = tokio::select! {
        played = story => played?,
        // What the story holds is dropped with it: children are killed, folders removed.
        () = told_to_stop() => return Err(DemoError::Interrupted),
    };
    if options.keep {
        let keys = keep::hand_over(&stage).map_err(keep::failed)?;
        narrator.stay(&keys).map_err(told)?;
        told_to_stop().await;
        narrator.farewell().map_err(told)?;
    }
    stage.close().await;
    Ok(outcome)
}

/// Whether `client` could play.
pub async fn is_installed(client: Client) -> bool {
    roles::is_there(&Troupe::new(Environment::from_process()), client).await.is_ok()
}

async fn perform(options: Options, narrator: &mut Narrator<'_>) -> Result<(Outcome, Stage), DemoError> {
    let client = options.client;
    let troupe = Troupe::new(Environment::from_process());
    let python = Python::find(&troupe).await?;
    roles::is_there(&troupe, client).await?;
    let theatre = Theatre::build().await?;
    narrator.prologue(client, &theatre.private.url()).map_err(told)?;
    let stage = Stage::build(theatre, troupe, &python, client).await?;

    let mut acts = Vec::new();
    for protected in [false, true] {
        if protected {
            // From here on the public index must not hear of acme.
            stage.theatre.public.forget();
        }
        cue(options, narrator).await?;
        narrator.curtain(client, protected).map_err(told)?;
        for line in stage.lines() {
            narrator.types(&line.typed).map_err(told)?;
            let said = stage.perform(&line, protected).await?;
            narrator.says(&said).map_err(told)?;
        }
        let proof = stage.proof(protected).await?;
        narrator.shows(&proof, protected).map_err(told)?;
        acts.push(Act { client, protected, version: proof.version });
    }

    let leaked = stage.theatre.public.mentions(cast::PROTECTED_WORD).len();
    let outcome = Outcome { defended: leaked == 0 && as_told(&acts), acts, leaked };
    cue(options, narrator).await?;
    narrator.epilogue(&outcome, &stage.theatre.walled.tally()).map_err(told)?;
    Ok((outcome, stage))
}

/// Waits until the speaker presses Enter, if there is one. The end of the input is as good as Enter.
async fn cue(options: Options, narrator: &mut Narrator<'_>) -> Result<(), DemoError> {
    if options.pause {
        narrator.waits().map_err(told)?;
        let read = tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await;
        read.map_err(io::Error::other).and_then(|line| line).map_err(told)?;
    }
    Ok(())
}

/// Whether each install ended as the story has it: the stranger's without rules, the company's with them.
fn as_told(acts: &[Act]) -> bool {
    let expected = |act: &Act| if act.protected { cast::OURS } else { cast::PLANTED };
    acts.iter().any(|act| act.protected) && acts.iter().all(|act| act.version == expected(act))
}

/// Ends with the first SIGINT, SIGTERM or SIGHUP; never where signals can't be listened for.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        if let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                _ = hangup.recv() => return,
            }
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_ok() {
        return;
    }
    std::future::pending::<()>().await;
}

fn told(cause: io::Error) -> DemoError {
    DemoError::Io { what: "telling the story", cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(protected: bool, version: &str) -> Act {
        Act { client: Client::Pip, protected, version: version.to_owned() }
    }

    #[test]
    fn only_both_halves_together_are_the_story() {
        assert!(as_told(&[act(false, "99.0"), act(true, "1.0")]));
        assert!(!as_told(&[act(false, "99.0"), act(true, "99.0")]), "the attack got through");
        assert!(!as_told(&[act(false, "1.0"), act(true, "1.0")]), "there was no attack");
        assert!(!as_told(&[act(false, "99.0")]), "nothing was defended");
        assert!(!as_told(&[]));
    }
}
