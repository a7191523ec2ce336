//! Three copies behind a real HAProxy: one is killed and one drained while clients install, and all follow one config.

mod client;
mod haproxy;
mod member;

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use namewall::demo::StandIn;
use namewall::demo::standin::body;
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;

use self::client::{Attempt, Clients, ask};
use self::haproxy::{Haproxy, Passed};
use self::member::{Member, said};
use crate::world::{pypi, trusting};

/// How many packages are installed, and by how many clients at a time.
const INSTALLS: usize = 2000;
const CLIENTS: usize = 16;
/// Within this time all of a fleet answer by new rules.
const IN_STEP: Duration = Duration::from_secs(5);

/// The config of all, with one protected name.
fn config(pypi: &StandIn, folder: &Path, protected: &str) -> String {
    let upstream = pypi.upstream_table(&folder.join("standin-root.pem"));
    format!(
        "[listen]\nadmin = \"127.0.0.1:0\"\ndrain = \"10s\"\ndrain-notice = \"3s\"\n[[listener]]\naddr = \"127.0.0.1:0\"\nproxy-protocol = [\"127.0.0.1/32\"]\n\
         [ca]\ndir = \"ca\"\n[[protect]]\nid = \"acme\"\nnames = [{protected:?}]\n{upstream}"
    )
}

/// PyPI, on which every file takes its time, and one takes long.
async fn slow_pypi() -> StandIn {
    let slow = pypi().latency(Duration::from_millis(30)).responder(|asked| {
        let piece = || Bytes::from_static(&[b'x'; 1000]);
        let long = asked.path().ends_with("/innocent-9.0.tar.gz");
        long.then(|| Response::new(body::pieces((0..20).map(|_| piece()), Duration::from_millis(100))))
    });
    slow.start().await.unwrap()
}

struct Fleet {
    pypi: StandIn,
    members: Vec<Member>,
    haproxy: Haproxy,
    clients: Clients,
    folder: TempDir,
}

impl Fleet {
    async fn start() -> Self {
        let (folder, pypi) = (tempfile::tempdir().unwrap(), slow_pypi().await);
        pypi.write_root(folder.path()).unwrap();
        fs::write(folder.path().join("namewall.toml"), config(&pypi, folder.path(), "acme-*")).unwrap();
        let members = Member::start(folder.path(), 3);
        let haproxy = Haproxy::before(&members, folder.path());
        let authority = CertificateDer::from_pem_file(members[0].ca()).unwrap();
        let clients = Clients::new(haproxy.address, trusting(authority, b"http/1.1"));
        Self { pypi, members, haproxy, clients, folder }
    }

    /// What a member itself answers: the status.
    async fn status(&self, member: &Member, path: &str) -> String {
        let answer = ask(member.address(), &self.clients.tls, &format!("https://pypi.org{path}")).await.unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    }

    /// Writes other rules for all; how long it takes until all go by them.
    async fn change_rules(&self) -> Duration {
        let path = "/simple/innocent/";
        for member in &self.members {
            assert_eq!(self.status(member, "/simple/acmetool/").await, "200");
        }
        let begun = Instant::now();
        fs::write(self.folder.path().join("namewall.toml"), config(&self.pypi, self.folder.path(), "acme*")).unwrap();
        for member in &self.members {
            while self.status(member, "/simple/acmetool/").await != "404" {
                assert!(begun.elapsed() < IN_STEP, "not by the new rules");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(self.status(member, path).await, "200");
        }
        begun.elapsed()
    }
}

/// What was done to one of them, and when.
#[derive(Clone, Copy, Debug)]
struct Fate {
    begun: Instant,
    gone: Instant,
}

/// `kill -9`.
fn kill(member: &mut Member) -> Fate {
    let begun = Instant::now();
    member.signal(Signal::KILL);
    assert!(!member.ended().success());
    Fate { begun, gone: Instant::now() }
}

/// What a deployment does: SIGTERM, and `/readyz` says so for as long as something runs.
async fn drain(fleet: &mut Fleet, number: usize) -> Fate {
    let url = "https://files.pythonhosted.org/packages/py3/i/innocent/innocent-9.0.tar.gz";
    let (address, tls) = (fleet.members[number].address(), fleet.clients.tls.clone());
    let download = tokio::spawn(async move { ask(address, &tls, url).await });
    // It is under way.
    while !fleet.pypi.log().iter().any(|asked| asked.path().ends_with("/innocent-9.0.tar.gz")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let begun = Instant::now();
    let mut member = fleet.members.remove(number);
    member.signal(Signal::TERM);
    let (member, says) = tokio::task::spawn_blocking(move || {
        let mut says = String::new();
        while !says.starts_with("HTTP/1.1 503") && begun.elapsed() < Duration::from_secs(10) {
            says = member.ask("/readyz").unwrap_or_else(|| panic!("it is gone before it has drained"));
        }
        assert!(member.ended().success());
        (member, says)
    })
    .await
    .unwrap();
    assert!(says.starts_with("HTTP/1.1 503") && says.contains("draining"), "{says}");
    fleet.members.insert(number, member);
    let whole = download.await.unwrap().unwrap();
    assert_eq!(whole.matches('x').count(), 20_000, "what ran when the drain began was cut off");
    Fate { begun, gone: Instant::now() }
}

/// Installs by many clients at once, until all are done.
fn install_all(fleet: &Fleet, done: &Arc<AtomicUsize>) -> tokio::task::JoinSet<Vec<Attempt>> {
    let page = "https://pypi.org/simple/innocent/";
    let file = fleet.pypi.url_of("innocent", "innocent-2.0.tar.gz").unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (next, done, file, fleet) = (Arc::clone(&next), Arc::clone(done), file.clone(), fleet.clients.clone());
        clients.spawn(async move {
            let mut attempts = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < INSTALLS {
                attempts.extend(fleet.install(page, &file).await);
                done.fetch_add(1, Ordering::Relaxed);
            }
            attempts
        });
    }
    clients
}

async fn until(done: &AtomicUsize, count: usize) {
    while done.load(Ordering::Relaxed) < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_killed_and_one_drained_while_clients_install() {
    let begun = Instant::now();
    let mut fleet = Fleet::start().await;
    let done = Arc::new(AtomicUsize::new(0));
    let clients = install_all(&fleet, &done);
    until(&done, INSTALLS / 8).await;
    let in_step = fleet.change_rules().await;
    until(&done, INSTALLS / 3).await;
    let killed = kill(&mut fleet.members[1]);
    until(&done, INSTALLS * 2 / 3).await;
    let drained = drain(&mut fleet, 2).await;
    let attempts: Vec<Attempt> = clients.join_all().await.into_iter().flatten().collect();
    let took = begun.elapsed();

    let passed = passed(&fleet, &attempts).await;
    let to = |attempt: &Attempt| passed[&attempt.from].server.as_str();
    let failed: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.failure.is_some()).collect();
    let met = |fate: &Fate, attempt: &Attempt| attempt.begun < fate.gone && attempt.ended > fate.begun;
    let in_flight = |fate: &Fate, server: &str| attempts.iter().filter(|a| to(a) == server && met(fate, a)).count();
    let lost_by = |server: &str| failed.iter().filter(|attempt| to(attempt) == server).count();
    let (by_kill, by_drain) = (lost_by("namewall-2"), lost_by("namewall-3"));
    let in_flight = (in_flight(&killed, "namewall-2"), in_flight(&drained, "namewall-3"));
    let retried = passed.values().filter(|passed| passed.retries != "0").count();
    println!(
        "{INSTALLS} installs, {} requests in {took:.1?}: kill -9 lost {by_kill} of {} in flight, the drain {by_drain} of {} that met it; \
         HAProxy tried {retried} connections again; new rules in force after {in_step:.1?}",
        attempts.len(),
        in_flight.0,
        in_flight.1
    );
    // Each had its share, and the last alone the rest.
    for server in ["namewall-1", "namewall-2", "namewall-3"] {
        assert!(attempts.iter().filter(|attempt| to(attempt) == server).count() > 100, "{server}");
    }
    for attempt in &failed {
        let excused = to(attempt) == "namewall-2" && met(&killed, attempt);
        assert!(excused, "{}: {attempt:?}", to(attempt));
    }
    assert!(in_flight.0 > 0 && in_flight.1 > 0, "nothing was under way: {in_flight:?}");
    // What had failed was asked for once more, and had.
    assert_eq!(attempts.len(), 2 * INSTALLS + failed.len());
    assert_eq!(attempts.iter().filter(|attempt| attempt.failure.is_none()).count(), 2 * INSTALLS);
    let told = said(fleet.folder.path(), 3);
    assert!(!told.contains(" ERROR ") && !told.contains("panicked"), "{told}");
}

/// HAProxy's word on where each went; it writes when a connection has ended on both sides.
async fn passed(fleet: &Fleet, attempts: &[Attempt]) -> HashMap<Ipv4Addr, Passed> {
    let begun = Instant::now();
    loop {
        let passed = fleet.haproxy.passed();
        let unknown = attempts.iter().find(|attempt| !passed.contains_key(&attempt.from));
        let Some(unknown) = unknown else { return passed };
        assert!(begun.elapsed() < Duration::from_secs(10), "HAProxy never told of {unknown:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
