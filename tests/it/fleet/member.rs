//! One of the fleet: a real `namewall serve` that shares its config and its authority with the others.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A running one, ended when it is dropped.
pub(super) struct Member {
    child: Child,
    ready: Value,
}

impl Member {
    /// Starts as many in `folder`, all at once, and waits until they serve.
    pub(super) fn start(folder: &Path, count: usize) -> Vec<Self> {
        let ready = |number: usize| folder.join(format!("ready-{number}.json"));
        let children: Vec<_> = (0..count).map(|number| Waiting(Some(spawn(folder, number, &ready(number))))).collect();
        let begun = Instant::now();
        while !(0..count).all(|number| ready(number).exists()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", said(folder, count));
            std::thread::sleep(Duration::from_millis(10));
        }
        let read = |number| serde_json::from_slice(&fs::read(ready(number)).unwrap()).unwrap();
        let member = |(number, mut child): (_, Waiting)| Self { child: child.0.take().unwrap(), ready: read(number) };
        children.into_iter().enumerate().map(member).collect()
    }

    /// Where it takes connections from the balancer.
    pub(super) fn address(&self) -> SocketAddr {
        self.ready["listen"][0].as_str().unwrap().parse().unwrap()
    }

    pub(super) fn admin(&self) -> SocketAddr {
        self.ready["admin"].as_str().unwrap().parse().unwrap()
    }

    /// The certificate that clients trust.
    pub(super) fn ca(&self) -> &str {
        self.ready["ca"].as_str().unwrap()
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    pub(super) fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "it doesn't end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The head of what its admin listener answers; `None` when it is gone.
    pub(super) fn ask(&self, path: &str) -> Option<String> {
        let mut tcp = TcpStream::connect(self.admin()).ok()?;
        write!(tcp, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _may_have_ended = (self.child.kill(), self.child.wait());
    }
}

/// Started, and not yet known to serve.
struct Waiting(Option<Child>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _may_have_ended = self.0.as_mut().map(|child| (child.kill(), child.wait()));
    }
}

fn spawn(folder: &Path, number: usize, ready: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
    command.arg("serve").arg("--ready-file").arg(ready).current_dir(folder).env_clear().env("HOME", folder);
    let log = File::create(folder.join(format!("log-{number}"))).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// What they have logged.
pub(super) fn said(folder: &Path, count: usize) -> String {
    let log = |number| fs::read_to_string(folder.join(format!("log-{number}"))).unwrap_or_default();
    (0..count).map(log).collect::<Vec<_>>().join("\n")
}
