//! What happens to the memory of a fleet over ten minutes of everything: three copies behind HAProxy, and clients that
//! install, upload, break off, dawdle, tunnel and ask for what is protected, while rules change.
//! `cargo bench --bench endurance -- MINUTES`

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "what fails ends the bench, which plays client and server itself"
)]

#[allow(dead_code, reason = "the test that it is from asks for more")]
#[path = "../../tests/it/fleet/haproxy.rs"]
mod haproxy;
mod load;
#[allow(dead_code, reason = "likewise")]
#[path = "../../tests/it/fleet/member.rs"]
mod member;
mod origin;
#[path = "../support/process.rs"]
mod process;
#[path = "../../tests/it/trust.rs"]
mod trust;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use namewall::demo::StandIn;

use self::haproxy::Haproxy;
use self::load::{Counts, Load};
use self::member::Member;

const MINUTES: u64 = 10;
const COPIES: usize = 3;
/// Between two looks at everything.
const LOOK: Duration = Duration::from_secs(30);
/// Between two changes of the rules.
const CHANGE: Duration = Duration::from_secs(20);

fn config(pypi: &StandIn, folder: &Path, protected: &str) -> String {
    let upstream = pypi.upstream_table(&folder.join("standin-root.pem"));
    format!(
        "[listen]\nadmin = \"127.0.0.1:0\"\n[[listener]]\naddr = \"127.0.0.1:0\"\nproxy-protocol = [\"127.0.0.1/32\"]\n\
         [ca]\ndir = \"ca\"\n[log]\naccess = \"access.jsonl\"\n\
         [[protect]]\nid = \"acme\"\nreason = \"Internal\"\nnames = [\"acme-*\", {protected:?}]\n{upstream}"
    )
}

/// The rules are written anew again and again, and somebody watches.
async fn disturb(members: Arc<Vec<Member>>, pypi: Arc<StandIn>, folder: std::path::PathBuf) {
    for number in 0.. {
        tokio::time::sleep(CHANGE).await;
        fs::write(folder.join("namewall.toml"), config(&pypi, &folder, &format!("other-{number}"))).unwrap();
        let watched = Arc::clone(&members);
        let look = move || watched.iter().for_each(|member| assert!(member.ask("/metrics").is_some()));
        tokio::task::spawn_blocking(look).await.unwrap();
    }
}

/// The stand-in keeps all that it is asked.
async fn forget(pypi: Arc<StandIn>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        pypi.forget();
    }
}

fn open_files(member: &Member) -> usize {
    fs::read_dir(format!("/proc/{}/fd", member.id())).unwrap().count()
}

fn line(begun: Instant, done: u64, failed: u64, members: &[Member]) {
    let memory: Vec<_> = members.iter().map(|member| format!("{:6.1}", process::memory(member.id()).0)).collect();
    let files: Vec<_> = members.iter().map(|member| format!("{:5}", open_files(member))).collect();
    let seconds = begun.elapsed().as_secs();
    println!(
        "{:2}:{:02}  {} MB  {} files  {:6} requests/s  {} failed",
        seconds / 60,
        seconds % 60,
        memory.join(" "),
        files.join(" "),
        done / LOOK.as_secs(),
        failed
    );
}

async fn endure(time: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let pypi = Arc::new(origin::start().await);
    pypi.write_root(folder.path()).unwrap();
    fs::write(folder.path().join("namewall.toml"), config(&pypi, folder.path(), "other")).unwrap();
    let members = Arc::new(Member::start(folder.path(), COPIES));
    let haproxy = Haproxy::before(&members, folder.path());
    let counts = Arc::new(Counts::default());
    let load = Load::new(haproxy.address, members[0].ca(), &counts).start().await;
    let mut beside = tokio::task::JoinSet::new();
    beside.spawn(disturb(Arc::clone(&members), Arc::clone(&pypi), folder.path().to_owned()));
    beside.spawn(forget(Arc::clone(&pypi)));

    let begun = Instant::now();
    let mut before = 0;
    while begun.elapsed() < time {
        tokio::time::sleep(LOOK.min(time)).await;
        let all = counts.all();
        line(begun, all - before, counts.failed(), &members);
        before = all;
        assert!(beside.try_join_next().is_none(), "what disturbs has ended");
    }
    println!("{counts}");
    let failed = counts.failed();
    // What was under way is broken off.
    drop(load);
    tokio::time::sleep(LOOK.min(time)).await;
    println!("and when all have gone:");
    line(begun, 0, failed, &members);
    for (number, member) in members.iter().enumerate() {
        println!("copy {}: {:.1} MB at the most", number + 1, process::memory(member.id()).1);
    }
    let told = member::said(folder.path(), COPIES);
    let bad: Vec<_> = told.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    println!("errors in the log: {}", bad.len());
    bad.iter().take(5).for_each(|line| println!("{line}"));
}

fn main() {
    let minutes = std::env::args().filter_map(|word| word.parse().ok()).next_back().unwrap_or(MINUTES);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(endure(Duration::from_secs(60 * minutes)));
}
