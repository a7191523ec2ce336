//! The network namespace: loopback alone, where PyPI's hosts and one other are addresses of this machine.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpStream;
use std::process::Command;

use crate::{Result, work};

/// The hosts and where nginx answers for them.
pub(crate) const HOSTS: [(&str, &str); 3] =
    [("pypi.org", "127.0.0.10"), ("files.pythonhosted.org", "127.0.0.10"), (OTHER, "127.0.0.11")];

/// A host that has nothing to do with PyPI.
pub(crate) const OTHER: &str = "other.test";

/// Runs this program again, with the same arguments, in the namespace.
pub(crate) fn enter() -> Result<()> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount"]);
    if !is_root() {
        unshare.arg("--map-root-user");
    }
    let status = unshare.arg(env::current_exe()?).args(env::args_os().skip(1)).arg("--inside").status()?;
    if status.success() { Ok(()) } else { Err("the run has not come to its end".into()) }
}

/// Brings loopback up and gives the hosts their addresses.
pub(crate) fn furnish() -> Result<()> {
    let hosts = work().join("hosts");
    let lines =
        HOSTS.iter().fold("127.0.0.1 localhost\n".to_owned(), |all, (host, ip)| all + &format!("{ip} {host}\n"));
    fs::write(&hosts, lines)?;
    run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    run(Command::new("mount").arg("--bind").arg(&hosts).arg("/etc/hosts"))?;
    if TcpStream::connect("127.0.0.10:443").is_ok() {
        return Err("somebody is in the namespace already".into());
    }
    Ok(())
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program on one core, which ends when this one does, however that is.
pub(crate) fn pinned(core: u8, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", &core.to_string()]).arg(program);
    command
}

/// Runs a command to its end; what it says is told when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = said.lines().rev().take(5).collect();
    Err(format!("{command:?} failed: {}", lines.into_iter().rev().collect::<Vec<_>>().join("\n")).into())
}
