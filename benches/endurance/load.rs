//! Clients of every kind, each doing its own thing until the end.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::origin::PROJECTS;
use super::trust::trusting;

/// Nothing takes longer.
const LIMIT: Duration = Duration::from_secs(30);
const KINDS: usize = 8;
const NAMES: [&str; KINDS] =
    ["pages, as pip", "files", "pages, as uv", "protected", "lists", "broken off", "tunnels", "half heads"];
/// The first failures are told, and no more.
const TOLD: u64 = 20;

/// How often each kind was done, and how often it failed.
#[derive(Default)]
pub(crate) struct Counts {
    done: [AtomicU64; KINDS],
    failed: AtomicU64,
}

impl Counts {
    pub(crate) fn all(&self) -> u64 {
        self.done.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    fn count(&self, kind: usize, result: io::Result<()>) {
        self.done[kind].fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result
            && self.failed.fetch_add(1, Ordering::Relaxed) < TOLD
        {
            println!("{}: {error}", NAMES[kind]);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds =
            NAMES.iter().zip(&self.done).map(|(name, count)| format!("{} {name}", count.load(Ordering::Relaxed)));
        write!(f, "{}; {} failed", kinds.collect::<Vec<_>>().join(", "), self.failed())
    }
}

/// What all clients share.
#[derive(Clone)]
pub(crate) struct Load {
    proxy: SocketAddr,
    h1: TlsConnector,
    h2: TlsConnector,
    counts: Arc<Counts>,
}

/// A number that is anything; good enough for a load.
fn any(below: usize) -> usize {
    use std::hash::{BuildHasher, Hasher};
    let number = std::collections::hash_map::RandomState::new().build_hasher().finish();
    usize::try_from(number % below as u64).unwrap()
}

impl Load {
    pub(crate) fn new(proxy: SocketAddr, ca: &str, counts: &Arc<Counts>) -> Self {
        let root = CertificateDer::from_pem_file(ca).unwrap();
        Self { proxy, h1: trusting(root.clone(), b"http/1.1"), h2: trusting(root, b"h2"), counts: Arc::clone(counts) }
    }

    /// Starts all; they end when what is returned is dropped.
    pub(crate) async fn start(self) -> JoinSet<()> {
        let mut running = JoinSet::new();
        let echo = echo(&mut running).await;
        for _ in 0..4 {
            self.spawn(&mut running, Duration::from_millis(4), |load| async move { load.install().await });
        }
        for _ in 0..2 {
            self.spawn(&mut running, Duration::from_millis(20), |load| async move { load.resolve().await });
        }
        self.spawn(&mut running, Duration::from_millis(10), |load| async move { load.protected().await });
        self.spawn(&mut running, Duration::from_secs(1), |load| async move { load.list().await });
        self.spawn(&mut running, Duration::from_millis(100), |load| async move { load.broken_off().await });
        self.spawn(&mut running, Duration::from_millis(20), move |load| async move { load.tunnel(echo) });
        self.spawn(&mut running, Duration::from_millis(50), |load| async move { load.half_head() });
        running
    }

    fn spawn<F: Future<Output = ()> + Send>(
        &self,
        running: &mut JoinSet<()>,
        pause: Duration,
        one: impl Fn(Self) -> F + Send + Sync + 'static,
    ) {
        let load = self.clone();
        running.spawn(async move {
            loop {
                one(load.clone()).await;
                tokio::time::sleep(pause).await;
            }
        });
    }

    async fn bounded(&self, kind: usize, work: impl Future<Output = io::Result<()>>) {
        let late = io::Error::new(io::ErrorKind::TimedOut, "it takes too long");
        self.counts.count(kind, tokio::time::timeout(LIMIT, work).await.unwrap_or(Err(late)));
    }

    async fn install(&self) {
        let project = format!("load-{}", any(PROJECTS));
        let accept = ["application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"][any(2)];
        self.bounded(0, self.expect("pypi.org", &format!("/simple/{project}/"), accept, 200)).await;
        let file = format!("/packages/ab/cd/{project}/{project}-{}.0.tar.gz", any(60));
        self.bounded(1, self.expect("files.pythonhosted.org", &file, "*/*", 200)).await;
    }

    async fn protected(&self) {
        let path = format!("/simple/acme-{}/", any(1_000_000));
        self.bounded(3, self.expect("pypi.org", &path, "*/*", 404)).await;
        let path = format!("/packages/ab/cd/e/acme_{0}-{0}.0.tar.gz", any(1_000_000));
        self.bounded(3, self.expect("files.pythonhosted.org", &path, "*/*", 403)).await;
    }

    async fn list(&self) {
        self.bounded(4, self.expect("pypi.org", "/simple/", "application/vnd.pypi.simple.v1+json", 200)).await;
    }

    /// A hundred pages on one connection, sixteen at a time.
    async fn resolve(&self) {
        let Ok(stream) = self.tls("pypi.org", &self.h2).await else {
            return self.counts.count(2, Err(io::Error::other("no connection")));
        };
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let Ok((sender, connection)) = handshake else {
            return self.counts.count(2, Err(io::Error::other("no HTTP/2")));
        };
        let driven = tokio::spawn(connection);
        let mut asked = JoinSet::new();
        for _ in 0..100 {
            if asked.len() == 16 {
                asked.join_next().await;
            }
            let (load, mut sender) = (self.clone(), sender.clone());
            asked.spawn(async move {
                let url = format!("https://pypi.org/simple/load-{}/", any(PROJECTS));
                let request = Request::get(url).header("accept", "application/vnd.pypi.simple.v1+json");
                let request = request.body(Empty::<Bytes>::new()).unwrap();
                let page = async {
                    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
                    let status = answer.status();
                    let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
                    let is_whole = status == 200 && body.ends_with(b"}");
                    is_whole.then_some(()).ok_or_else(|| io::Error::other(format!("{status}, {} bytes", body.len())))
                };
                load.bounded(2, page).await;
            });
        }
        asked.join_all().await;
        driven.abort();
    }

    async fn broken_off(&self) {
        let read = async {
            let mut stream = self.tls("files.pythonhosted.org", &self.h1).await?;
            let request = "GET /packages/ab/cd/l/long-1.0.tar.gz HTTP/1.1\r\nhost: files.pythonhosted.org\r\n\r\n";
            stream.write_all(request.as_bytes()).await?;
            stream.read_exact(&mut vec![0; 100_000]).await.map(|_| ())
        };
        self.bounded(5, read).await;
    }

    /// Opens a tunnel that lives for up to ten seconds and carries 64 KiB both ways now and then.
    fn tunnel(self, to: SocketAddr) {
        tokio::spawn(async move {
            let carry = async {
                let mut stream = self.connect(&to.to_string()).await?;
                for _ in 0..any(10) {
                    let bytes = vec![b'x'; 64 * 1024];
                    stream.write_all(&bytes).await?;
                    let mut back = vec![0; bytes.len()];
                    stream.read_exact(&mut back).await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            };
            self.bounded(6, carry).await;
        });
    }

    /// Begins a request and never ends it.
    fn half_head(self) {
        tokio::spawn(async move {
            let dawdle = async {
                let mut stream = TcpStream::connect(self.proxy).await?;
                stream.write_all(b"CONNECT pypi.org:443 HTTP/1.1\r\nx: ").await?;
                tokio::time::sleep(Duration::from_secs(10)).await;
                Ok(())
            };
            self.bounded(7, dawdle).await;
        });
    }

    async fn connect(&self, to: &str) -> io::Result<TcpStream> {
        let mut tcp = TcpStream::connect(self.proxy).await?;
        tcp.write_all(format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await?);
        }
        let refused = || io::Error::other(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned());
        head.starts_with(b"HTTP/1.1 200").then_some(tcp).ok_or_else(refused)
    }

    async fn tls(&self, host: &str, connector: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        let tcp = self.connect(&format!("{host}:443")).await?;
        connector.connect(ServerName::try_from(host.to_owned()).unwrap(), tcp).await
    }

    /// A request on a connection of its own, whose answer has to be whole and of this status.
    async fn expect(&self, host: &str, path: &str, accept: &str, status: u16) -> io::Result<()> {
        let mut stream = self.tls(host, &self.h1).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let line = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
        let is_so = line == format!("HTTP/1.1 {status}");
        is_so.then_some(()).ok_or_else(|| io::Error::other(format!("{host}{path}: {line}")))
    }
}

/// Sends back what comes.
async fn echo(running: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    running.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            open.spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ended = tokio::io::copy(&mut from, &mut to).await;
            });
            while open.try_join_next().is_some() {}
        }
    });
    address
}
