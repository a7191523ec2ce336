//! A client that installs: a page, then a file, each through a connection of its own, and once again when that dies.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

/// Nothing takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// What pip waits before it asks again (its second time; its first follows at once, and it asks five times).
const BACKOFF: Duration = Duration::from_millis(250);

/// One request on a connection of its own, from an address of its own: by that it is found in HAProxy's log.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) from: Ipv4Addr,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    /// Why it failed, if it did.
    pub(super) failure: Option<String>,
}

/// What all clients share.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) proxy: SocketAddr,
    pub(super) tls: TlsConnector,
    numbers: Arc<AtomicU32>,
}

impl Clients {
    pub(super) fn new(proxy: SocketAddr, tls: TlsConnector) -> Self {
        Self { proxy, tls, numbers: Arc::default() }
    }

    /// Asks for a page and then for a file; what it took.
    pub(super) async fn install(&self, page: &str, file: &str) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for url in [page, file] {
            let first = self.attempt(url).await;
            let died = first.failure.is_some();
            attempts.push(first);
            if died {
                tokio::time::sleep(BACKOFF).await;
                attempts.push(self.attempt(url).await);
            }
        }
        attempts
    }

    async fn attempt(&self, url: &str) -> Attempt {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number);
        let begun = Instant::now();
        let answer = tokio::time::timeout(LIMIT, self.fetch(from, url)).await;
        let failure = match answer {
            Ok(Ok(answer)) => (!answer.starts_with("HTTP/1.1 200 ")).then(|| answer.lines().next().unwrap().to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_elapsed) => Some(format!("not within {LIMIT:?}")),
        };
        Attempt { from, begun, ended: Instant::now(), failure }
    }

    async fn fetch(&self, from: Ipv4Addr, url: &str) -> std::io::Result<String> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        get(socket.connect(self.proxy).await?, &self.tls, url).await
    }
}

/// Asks a member itself, as a balancer would that brings a client.
pub(super) async fn ask(member: SocketAddr, tls: &TlsConnector, url: &str) -> std::io::Result<String> {
    let mut tcp = TcpStream::connect(member).await?;
    tcp.write_all(b"PROXY TCP4 127.0.0.9 127.0.0.1 4096 3128\r\n").await?;
    get(tcp, tls, url).await
}

/// The whole answer, or an error if it isn't whole: its end is that of its TLS.
async fn get(mut tcp: TcpStream, tls: &TlsConnector, url: &str) -> std::io::Result<String> {
    let (host, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
    tcp.write_all(format!("CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n").as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await?);
    }
    if !head.starts_with(b"HTTP/1.1 200") {
        return Ok(String::from_utf8_lossy(&head).into_owned());
    }
    let mut stream = tls.connect(ServerName::try_from(host.to_owned()).unwrap(), tcp).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
