//! The process between `run` and its command: it passes everything through, and when `run` is killed, which nobody can
//! catch, it ends what `run` has started. Without their proxy these programs would go on into nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Failure, Outcome};

/// What every process of one `run` has in its environment, whatever started it.
pub(super) const MARK: &str = "NAMEWALL_GUARD";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The process id of the `run`
    parent: i32,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// This program, to be a guard; only Linux has what it takes.
pub(super) fn guard() -> Option<PathBuf> {
    // Still this program when its file has been replaced.
    let itself = Path::new("/proc/self/exe");
    (cfg!(target_os = "linux") && itself.exists()).then(|| itself.to_owned())
}

/// A mark for one `run`, which no other has while it runs.
pub(super) fn mark() -> String {
    let mut random = [0; 8];
    // Without randomness the process id must do.
    let _filled = aws_lc_rs::rand::fill(&mut random);
    format!("{}-{:016x}", std::process::id(), u64::from_be_bytes(random))
}

#[cfg(target_os = "linux")]
pub(super) use linux::run;

#[cfg(not(target_os = "linux"))]
pub(super) fn run(_: &Arguments) -> Result<Outcome, Failure> {
    Err(Failure::Usage("only Linux ends a command with its parent".to_owned()))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

    use super::{Arguments, Failure, MARK, Outcome};
    use crate::cli::block_on;
    use crate::clients::run;
    use crate::config::environment::Environment;

    /// How long who is told to end has for it.
    const GRACE: Duration = Duration::from_secs(2);

    /// How often what may have ended is looked after.
    const PACE: Duration = Duration::from_millis(100);

    pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
        block_on(async {
            tokio::select! {
                code = run::run(&arguments.command, &[], None) => Ok(Outcome::Code(code?)),
                () = end_of(arguments.parent) => {
                    end_all().await;
                    Ok(Outcome::Code(128 + 9))
                }
            }
        })
    }

    /// Ends when the process that started us has. (A pidfd would tell at once; to wait for one takes unsafe code.)
    async fn end_of(parent: i32) {
        while getppid().is_some_and(|now| now.as_raw_pid() == parent) {
            tokio::time::sleep(PACE).await;
        }
    }

    async fn end_all() {
        let Some(mark) = Environment::from_process().var(MARK).map(|mark| mark.as_encoded_bytes().to_vec()) else {
            return;
        };
        let entry = [MARK.as_bytes(), b"=", &mark, b"\0"].concat();
        for signal in [Signal::TERM, Signal::KILL] {
            for pid in marked(&entry) {
                // It may have ended in between.
                let _sent = kill_process(pid, signal);
            }
            let mut waited = Duration::ZERO;
            while waited < GRACE && !marked(&entry).is_empty() {
                tokio::time::sleep(PACE).await;
                waited += PACE;
            }
        }
    }

    /// The processes that have `entry` in their environment, but for this one.
    fn marked(entry: &[u8]) -> Vec<Pid> {
        let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = listed.filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?));
        let is_marked = |pid: &Pid| {
            // Other users' processes can't be read; those of a `sudo` are on their own.
            let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_pid())).unwrap_or_default();
            *pid != getpid() && memchr::memmem::find(&environment, entry).is_some()
        };
        pids.filter(is_marked).collect()
    }
}
