//! A real HAProxy with the very config that is in `config/`, but for the addresses.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::member::Member;

const CONFIG: &str = include_str!("../../../config/haproxy.cfg");

/// A running HAProxy, ended when it is dropped.
pub(super) struct Haproxy {
    child: Child,
    pub(super) address: SocketAddr,
    log: PathBuf,
}

/// What HAProxy says of a connection.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    /// Where it went.
    pub(super) server: String,
    /// How often connecting was tried again.
    pub(super) retries: String,
}

impl Haproxy {
    /// Starts one before `members`. The socket is handed over as its standard input: nobody else gets the port.
    pub(super) fn before(members: &[Member], folder: &Path) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (config, log) = (folder.join("haproxy.cfg"), folder.join("haproxy.log"));
        fs::write(&config, for_this_machine(members)).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&config).stdin(Stdio::from(OwnedFd::from(socket)));
        let output = File::create(&log).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("haproxy (Debian's) is needed: {error}"));
        Self { child, address, log }
    }

    /// All it has said.
    pub(super) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What became of the connections that have ended, each by the client's address.
    pub(super) fn passed(&self) -> HashMap<Ipv4Addr, Passed> {
        self.said().lines().filter_map(line).collect()
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ended = (self.child.kill(), self.child.wait());
        if std::thread::panicking() {
            // Without the lines of single connections.
            let told: Vec<_> = self.said().lines().filter(|text| line(text).is_none()).map(ToOwned::to_owned).collect();
            let _told = std::io::Write::write_all(&mut std::io::stderr(), told.join("\n").as_bytes());
        }
    }
}

/// The config with other addresses, each of which has to be there.
fn for_this_machine(members: &[Member]) -> String {
    let mut config = swapped(CONFIG, "bind :3128\n", "bind fd@0\n");
    for (index, member) in members.iter().enumerate() {
        let number = index + 1;
        let there = format!("namewall-{number}:3130 port 3129\n");
        config = swapped(&config, &there, &format!("{} port {}\n", member.address(), member.admin().port()));
    }
    config
}

fn swapped(config: &str, text: &str, by: &str) -> String {
    assert_eq!(config.matches(text).count(), 1, "{text}");
    config.replace(text, by)
}

/// A line of `option tcplog`, such as `127.1.0.5:4096 [26/Nov/2026:10:11:12.123] proxy fleet/namewall-2 1/0/9 123 -- 5/5/4/1/0 0/0`.
fn line(text: &str) -> Option<(Ipv4Addr, Passed)> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [client, _, "proxy", server, _, _, _, counts, _] = words[..] else { return None };
    let client = client.split(':').next()?.parse().ok()?;
    let server = server.strip_prefix("fleet/")?.to_owned();
    Some((client, Passed { server, retries: counts.rsplit('/').next()?.to_owned() }))
}
