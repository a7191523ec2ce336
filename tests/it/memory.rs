//! Memory stays as it is while fifty megabytes pass.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use namewall::demo::StandIn;
use namewall::demo::standin::body::pieces;

use crate::world::JSON;

/// Ends the program that a test started, whatever becomes of the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Peak resident memory of a process, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The root list of PyPI as it is in 2026, in pieces of a few TLS records each.
fn list() -> Vec<Bytes> {
    let mut all = String::from(r#"{"meta":{"_last-serial":29000001,"api-version":"1.4"},"projects":["#);
    for number in 0..886_323_u32 {
        let separator = if number == 0 { "" } else { "," };
        let name = if number % 1000 == 0 { "acme-internal" } else { "project-of-somebody" };
        all.push_str(&format!(r#"{separator}{{"_last-serial":{},"name":"{name}-{number}"}}"#, 20_000_000 + number));
    }
    all.push_str("]}");
    let all = Bytes::from(all);
    (0..all.len()).step_by(50_000).map(|at| all.slice(at..all.len().min(at + 50_000))).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_root_list_passes_in_constant_memory() {
    let list = list();
    let length: usize = list.iter().map(Bytes::len).sum();
    let standin = StandIn::builder().responder(move |asked| {
        let body = (asked.path() == "/simple/").then(|| pieces(list.clone(), Duration::ZERO))?;
        Response::builder().header("content-type", JSON).body(body).ok()
    });
    let standin = standin.start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = standin.write_root(folder.path()).unwrap();
    let config = format!(
        "[ca]\ndir = {:?}\n[upstream]\nextra-roots = [{root:?}]\nconnect-to = {{ \"pypi.org:443\" = \"{}\" }}\n{}",
        folder.path().join("ca"),
        standin.address(),
        crate::world::RULES
    );
    std::fs::write(folder.path().join("namewall.toml"), config).unwrap();
    let ready = folder.path().join("ready.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
    command.args(["serve", "--config", "namewall.toml", "--listen", "127.0.0.1:0", "--ready-file", "ready.json"]);
    let serving = Serving(command.current_dir(folder.path()).stderr(Stdio::null()).spawn().unwrap());
    crate::commands::wait_for(&ready);
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    let proxy = format!("http://{}", told["listen"][0].as_str().unwrap());
    let curl = |url: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "-H"]);
        curl.arg(format!("accept: {JSON}")).args(["--proxy", &proxy, "--cacert", told["ca"].as_str().unwrap(), url]);
        let output = curl.env_remove("NO_PROXY").env_remove("no_proxy").output().expect("curl runs");
        String::from_utf8(output.stdout).unwrap()
    };
    // A first, small request takes what every connection takes.
    assert!(curl("https://pypi.org/simple/nothing/").starts_with("404 "));
    let before = peak(serving.0.id());
    let answer = curl("https://pypi.org/simple/");
    let (status, size) = answer.split_once(' ').unwrap();
    let after = peak(serving.0.id());
    eprintln!("a list of {length} bytes left {size}: peak memory went from {before} to {after} KiB");
    assert_eq!(status, "200");
    assert!(size.parse::<usize>().unwrap() > 50_000_000);
    assert!(after - before < 24 * 1024, "{before} KiB became {after} KiB");
}
