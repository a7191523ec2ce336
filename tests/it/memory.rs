//! Memory stays as it is while lists of fifty megabytes and uploads of three hundred pass.

use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use namewall::demo::StandIn;
use namewall::demo::standin::body::{full, pieces};

use crate::world::{JSON, Serving};

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

/// `namewall serve` before `standin`, and how curl reaches it.
struct Run {
    serving: Serving,
    proxy: String,
    ca: String,
    _folder: tempfile::TempDir,
}

impl Run {
    fn before(standin: &StandIn) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = standin.write_root(folder.path()).unwrap();
        let (ca, upstream) = (folder.path().join("ca"), standin.upstream_table(&root));
        let config = format!("[ca]\ndir = {ca:?}\n{upstream}{}", crate::world::RULES);
        std::fs::write(folder.path().join("namewall.toml"), config).unwrap();
        let ready = folder.path().join("ready.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.args(["serve", "--config", "namewall.toml", "--listen", "127.0.0.1:0", "--ready-file", "ready.json"]);
        let serving = Serving(command.current_dir(folder.path()).stderr(Stdio::null()).spawn().unwrap());
        crate::commands::wait_for(&ready);
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        let proxy = format!("http://{}", told["listen"][0].as_str().unwrap());
        let run = Self { serving, proxy, ca: told["ca"].as_str().unwrap().to_owned(), _folder: folder };
        // A first, small request takes what every connection takes.
        assert!(run.curl("https://pypi.org/simple/nothing/", &[]).starts_with("404 "));
        run
    }

    /// The status, and how many bytes came.
    fn curl(&self, url: &str, more: &[&str]) -> String {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "100", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "-H"]);
        curl.arg(format!("accept: {JSON}")).args(["--proxy", &self.proxy, "--cacert", &self.ca, url]).args(more);
        let output = curl.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Peak memory before and after `work`, in KiB; it may not have grown much.
    fn grows_little(&self, work: impl FnOnce()) {
        let before = peak(self.serving.0.id());
        work();
        let after = peak(self.serving.0.id());
        assert!(after - before < 24 * 1024, "{before} KiB became {after} KiB");
    }
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
    let run = Run::before(&standin);
    run.grows_little(|| {
        let answer = run.curl("https://pypi.org/simple/", &[]);
        let (status, size) = answer.split_once(' ').unwrap();
        assert_eq!(status, "200");
        assert!(size.parse::<usize>().unwrap() > 50_000_000, "of {length} bytes {size} are left");
    });
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_upload_passes_in_constant_memory() {
    const LENGTH: usize = 300_000_000;
    let standin = StandIn::builder().start().await.unwrap();
    let run = Run::before(&standin);
    let folder = tempfile::tempdir().unwrap();
    let wheel = folder.path().join("paint-1.0-py3-none-any.whl");
    std::fs::write(&wheel, vec![b'x'; LENGTH]).unwrap();
    run.grows_little(|| {
        let content = format!("content=@{}", wheel.display());
        let fields = ["--form", "name=paint", "--form", ":action=file_upload", "--form", &content];
        assert_eq!(run.curl("https://upload.pypi.org/legacy/", &fields), "200 0");
    });
    assert!(standin.uploads().pop().unwrap().length > LENGTH as u64);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_to_a_mirrors_call_passes_in_constant_memory() {
    let member = |n: usize| format!("<member>\n<name>project-{n}</name>\n<value><int>{n}</int></value>\n</member>\n");
    let mut all = vec![Bytes::from("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><struct>\n")];
    all.extend((0..600_000).step_by(1000).map(|from| (from..from + 1000).map(member).collect::<String>().into()));
    all.push("</struct></value>\n</param>\n</params>\n</methodResponse>\n".into());
    let length: usize = all.iter().map(Bytes::len).sum();
    let standin = StandIn::builder().responder(move |asked| {
        let body = (asked.path() == "/pypi").then(|| pieces(all.clone(), Duration::ZERO))?;
        Response::builder().header("content-type", "text/xml").body(body).ok()
    });
    let standin = standin.start().await.unwrap();
    let run = Run::before(&standin);
    let call = "<methodCall><methodName>list_packages_with_serial</methodName></methodCall>";
    run.grows_little(|| {
        let answer = run.curl("https://pypi.org/pypi", &["-H", "content-type: text/xml", "--data-raw", call]);
        let (status, size) = answer.split_once(' ').unwrap();
        assert_eq!(status, "200");
        assert!(size.parse::<usize>().unwrap() > length * 9 / 10, "{size} of {length}");
    });
}

/// Pages wait for room, so that those who ask for many and read none don't fill the memory.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_pages_that_nobody_reads_are_few() {
    const LENGTH: usize = 24_000_000;
    const READERS: u64 = 40;
    let page = format!(r#"{{"meta":{{"api-version":"1.4"}},"name":"six","files":[],"x":"{}"}}"#, "y".repeat(LENGTH));
    let page = Bytes::from(page);
    let standin = StandIn::builder().responder(move |asked| {
        let body = (asked.path() == "/simple/six/").then(|| full(page.clone()))?;
        Response::builder().header("content-type", JSON).body(body).ok()
    });
    let standin = standin.start().await.unwrap();
    let run = Run::before(&standin);
    let before = peak(run.serving.0.id());
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| run.curl("https://pypi.org/simple/six/", &["--limit-rate", "1k", "--max-time", "15"]));
        }
    });
    let grown = peak(run.serving.0.id()) - before;
    eprintln!("peak memory grew by {grown} KiB");
    assert!(grown < READERS * LENGTH as u64 / 1024 * 5 / 6, "{grown} KiB");
}

/// Who reads slowly, or not at all, doesn't stand in the way of others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_pages_that_nobody_reads_stop_no_others() {
    let page = |name: &str, length: usize| {
        let filling = "y".repeat(length);
        Bytes::from(format!(r#"{{"meta":{{"api-version":"1.4"}},"name":"{name}","files":[],"x":"{filling}"}}"#))
    };
    let (vast, large) = (page("vast", 40_000_000), page("six", 700_000));
    let standin = StandIn::builder().responder(move |asked| {
        let page = match asked.path() {
            "/simple/vast/" => vast.clone(),
            "/simple/six/" => large.clone(),
            _ => return None,
        };
        Response::builder().header("content-type", JSON).body(full(page)).ok()
    });
    let standin = standin.start().await.unwrap();
    let run = Run::before(&standin);
    std::thread::scope(|scope| {
        // A query keeps them out of the cache: each is a page of its own.
        let ask = |number| {
            let url = format!("https://pypi.org/simple/vast/?{number}");
            run.curl(&url, &["--limit-rate", "1k", "--max-time", "30"])
        };
        for number in 0..6 {
            scope.spawn(move || ask(number));
        }
        std::thread::sleep(Duration::from_secs(5));
        let answer = run.curl("https://pypi.org/simple/six/", &["--max-time", "5"]);
        assert!(answer.starts_with("200 "), "{answer}");
        // One more is too many, and hears when to come again.
        let answer = run.curl("https://pypi.org/simple/vast/?x", &["--max-time", "60"]);
        assert!(answer.starts_with("503 "), "{answer}");
    });
}
