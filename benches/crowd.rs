//! What a crowd costs a gateway: the memory of 10,000 tunnels that stand still, and what an ordinary client feels of 2,000
//! connections that never end their words. Wanted: 400 MB; 50 ms at the 99th percentile.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "what fails ends the bench, which plays client and server itself"
)]

#[path = "support/process.rs"]
mod process;
#[path = "../tests/it/trust.rs"]
mod trust;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use namewall::demo::StandIn;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TUNNELS: usize = 10_000;
const HALF_OPEN: usize = 2_000;
/// Requests of the ordinary client's, each on a connection of its own.
const REQUESTS: usize = 500;

struct Gateway {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Gateway {
    fn start(pypi: &StandIn) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = pypi.write_root(folder.path()).unwrap();
        let elsewhere: Vec<_> = pypi.connect_to().iter().map(|(from, to)| format!("\"{from}\" = \"{to}\"")).collect();
        let config = format!(
            "[listen]\naddr = \"127.0.0.1:0\"\n[ca]\ndir = {:?}\n[upstream]\nproxy = \"direct\"\nextra-roots = [{root:?}]\n\
             connect-to = {{ {} }}\n[limits]\nconnections-per-client = 30000\nconnections = 30000\ntunnels = 30000\n\
             [[protect]]\nid = \"acme\"\nnames = [\"acme-*\"]\n",
            folder.path().join("ca"),
            elsewhere.join(", ")
        );
        std::fs::write(folder.path().join("namewall.toml"), config).unwrap();
        let ready = folder.path().join("ready.json");
        let child = Command::new(env!("CARGO_BIN_EXE_namewall"))
            .args(["serve", "--config", "namewall.toml", "--ready-file", "ready.json"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !ready.exists() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        let address = told["listen"][0].as_str().unwrap().parse().unwrap();
        Self { child, address, folder }
    }

    /// Its memory in MB: now, and at the most.
    fn memory(&self) -> (f64, f64) {
        process::memory(self.child.id())
    }

    fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.folder.path().join("ca/ca.pem")).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

async fn tunnel(gateway: SocketAddr, to: &str) -> TcpStream {
    let mut tcp = TcpStream::connect(gateway).await.unwrap();
    tcp.write_all(format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        tcp.read_buf(&mut head).await.unwrap();
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    tcp
}

/// Takes connections, sends back the first byte of each, and keeps them.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    stream.write_all(&byte).await.unwrap();
                }
            });
        }
    });
    address
}

async fn idle_tunnels(pypi: &StandIn, tunnels: usize) {
    let gateway = Gateway::start(pypi);
    let (before, _) = gateway.memory();
    let server = server().await;
    let mut open = Vec::with_capacity(tunnels);
    let begun = Instant::now();
    while open.len() < tunnels {
        let mut tcp = tunnel(gateway.address, &server).await;
        // Each has carried something.
        tcp.write_all(b"x").await.unwrap();
        tcp.read_u8().await.unwrap();
        open.push(tcp);
    }
    let took = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (idle, most) = gateway.memory();
    println!(
        "{TUNNELS} idle tunnels        {idle:.1} MB ({before:.1} MB before, {most:.1} MB at the most), opened in {took:.1?}"
    );
    let begun = Instant::now();
    for tcp in &mut open {
        tcp.write_all(b"x").await.unwrap();
        tcp.read_u8().await.unwrap();
    }
    println!("a byte each way through all  {:.1?}", begun.elapsed());
}

/// One ordinary request on a connection of its own: a tunnel, TLS in it, a page.
async fn page(gateway: &Gateway, connector: &tokio_rustls::TlsConnector) -> Duration {
    let begun = Instant::now();
    let tcp = tunnel(gateway.address, "pypi.org:443").await;
    let mut tls = connector.connect(ServerName::try_from("pypi.org").unwrap(), tcp).await.unwrap();
    let ask = b"GET /simple/six/ HTTP/1.1\r\nhost: pypi.org\r\naccept: application/vnd.pypi.simple.v1+json\r\nconnection: close\r\n\r\n";
    tls.write_all(ask).await.unwrap();
    let mut answer = Vec::new();
    let _close_notify = tls.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    begun.elapsed()
}

async fn ordinary(gateway: &Gateway, root: &CertificateDer<'static>) -> (Duration, Duration) {
    let mut config = rustls::ClientConfig::clone(trust::trusting(root.clone(), b"http/1.1").config());
    config.resumption = rustls::client::Resumption::disabled();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        times.push(page(gateway, &connector).await);
    }
    times.sort();
    (times[REQUESTS / 2], times[REQUESTS * 99 / 100])
}

async fn slow_clients(pypi: &StandIn) {
    let gateway = Gateway::start(pypi);
    let root = gateway.root();
    let (alone, alone_99) = ordinary(&gateway, &root).await;
    let mut open = Vec::with_capacity(HALF_OPEN);
    while open.len() < HALF_OPEN {
        let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
        tcp.write_all(b"GET http://elsewhere.example/ HTTP/1.1\r\nx: ").await.unwrap();
        open.push(tcp);
    }
    let dripping = tokio::spawn(async move {
        loop {
            for tcp in &mut open {
                let _may_be_closed = tcp.write_all(b"x").await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let (beside, beside_99) = ordinary(&gateway, &root).await;
    dripping.abort();
    println!("a page, new connection       p50 {alone:.2?}, p99 {alone_99:.2?}");
    println!("beside {HALF_OPEN} half-open ones   p50 {beside:.2?}, p99 {beside_99:.2?}");
}

fn main() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // The gateway inherits it; who may raise it beyond what it found does.
    let found = getrlimit(Resource::Nofile).maximum;
    let wanted = Some(8 * TUNNELS as u64);
    let _at_least_so_many = setrlimit(Resource::Nofile, Rlimit { current: found, maximum: found });
    let raised = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: wanted });
    let most = if raised.is_ok() { TUNNELS } else { found.map_or(TUNNELS, |most| (most as usize - 600) * 2 / 5) };
    // Each takes two here, and two there.
    let tunnels = most.min(TUNNELS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let six = namewall::demo::Project::new("six").file(namewall::demo::Artifact::raw("six-1.0.tar.gz", "1.0", "x"));
        let pypi = StandIn::builder().project(six).start().await.unwrap();
        idle_tunnels(&pypi, tunnels).await;
        slow_clients(&pypi).await;
    });
}
