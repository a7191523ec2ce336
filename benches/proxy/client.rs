//! The load client, a process of its own: connections through a proxy or past it, and how long each answer took.
//!
//! It takes its order as an argument, makes its connections, says `ready`, and waits for a line before it begins, so that
//! whoever started it can read the proxy's clocks between.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::TlsConnector;

use crate::Result;
use crate::sandbox::pinned;

/// What the client is to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) proxy: Option<SocketAddr>,
    /// The authority that is trusted.
    pub(crate) ca: PathBuf,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) accept: String,
    pub(crate) gzip: bool,
    pub(crate) h2: bool,
    /// How many bytes a second it takes at most.
    pub(crate) pace: Option<f64>,
    pub(crate) work: Work,
}

/// How it asks.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum Work {
    /// Over and over on so many connections.
    Load { connections: usize, seconds: f64, most: Option<u64> },
    /// A new connection for each request, so many at a time.
    Connect { at_a_time: usize, seconds: f64 },
    /// One after the other on one connection, as often as time allows.
    Download { times: u64, seconds: f64 },
}

/// What came of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Milliseconds until the answer was there as a whole, and until its first byte.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) first_byte: f64,
    /// Of one answer.
    pub(crate) bytes: u64,
}

/// No order takes longer, whatever a proxy does.
const LONGEST: Duration = Duration::from_secs(120);

// What the others see of it.

/// A client that has made its connections.
#[derive(Debug)]
pub(crate) struct Client {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts it on the origin's core, and waits for its connections.
    pub(crate) fn start(order: &Order) -> Result<Self> {
        let mut command = pinned(0, std::env::current_exe()?);
        command.arg("--client").arg(serde_json::to_string(order)?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = child.stdout.take().map(BufReader::new).ok_or("no pipe")?;
        let mut client = Self { child, output };
        client.line().map(|_ready| client)
    }

    /// Lets it begin.
    pub(crate) fn begin(&mut self) -> Result<()> {
        Ok(self.child.stdin.as_mut().ok_or("no pipe")?.write_all(b"go\n")?)
    }

    /// Waits for its end.
    pub(crate) fn outcome(mut self) -> Result<Outcome> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? > 0 {
            return Ok(line);
        }
        let said = self.child.stderr.take().map(std::io::read_to_string).transpose()?;
        Err(said.unwrap_or_default().trim().trim_start_matches("error: ").into())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

/// One answer's body, for a look at it.
pub(crate) fn look(order: &Order) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let way = Way::of(order)?;
        let mut body = Vec::new();
        let exchange = async { way.open().await?.exchange(&way, Some(&mut body)).await };
        tokio::time::timeout(LONGEST, exchange).await??;
        if !body.starts_with(&[0x1f, 0x8b]) {
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
        Ok(std::io::read_to_string(flate2::read::GzDecoder::new(body.as_slice()))?)
    })
}

// What it does.

/// Is the client.
pub(crate) fn run(order: &str) -> Result<()> {
    let order: Order = serde_json::from_str(order)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bounded = async { tokio::time::timeout(LONGEST, work(&order)).await };
    let outcome = LocalSet::new().block_on(&runtime, bounded)??;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

async fn work(order: &Order) -> Result<Outcome> {
    let way = Rc::new(Way::of(order)?);
    let (connections, at_once) = match order.work {
        Work::Load { connections, .. } => (connections, connections),
        Work::Connect { at_a_time, .. } => (0, at_a_time),
        Work::Download { .. } => (1, 1),
    };
    // The first request on each is no part of the row: certificates, caches and windows are what they are from then on.
    let mut open = Vec::new();
    for _ in 0..connections.max(1) {
        let mut connection = way.open().await?;
        connection.exchange(&way, None).await?;
        open.push(connection);
    }
    // And a row of new connections has no use for this one.
    open.truncate(connections);
    ready()?;
    let limit = Rc::new(Limit::of(order.work));
    let tally = Rc::new(RefCell::new(Tally::default()));
    let mut running = JoinSet::new();
    for _ in 0..at_once {
        running.spawn_local(ask(Rc::clone(&way), open.pop(), Rc::clone(&limit), Rc::clone(&tally)));
    }
    while let Some(done) = running.join_next().await {
        done?.map_err(|error| error.to_string())?;
    }
    let tally = Rc::try_unwrap(tally).map_err(|_shared| "a task is left")?.into_inner();
    Ok(tally.outcome(limit.begun.elapsed()))
}

/// Says that all connections are there, and waits for the word.
fn ready() -> Result<()> {
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

/// Asks until the limit, on the connection that it has, or on a new one each time.
async fn ask(way: Rc<Way>, mut kept: Option<Connection>, limit: Rc<Limit>, tally: Rc<RefCell<Tally>>) -> Result<()> {
    let keeps = kept.is_some();
    while limit.allows(tally.borrow().total.len()) {
        let begun = Instant::now();
        let connection = match &mut kept {
            Some(connection) => connection,
            none => none.insert(way.open().await?),
        };
        let (first, bytes) = match connection.exchange(&way, None).await {
            Ok(answer) => answer,
            // A proxy may close a connection that has been idle, or after so many requests.
            Err(_) if keeps && tally.borrow_mut().may_reopen() => {
                kept = Some(way.open().await?);
                continue;
            }
            Err(error) => return Err(error),
        };
        tally.borrow_mut().add(first - begun, begun.elapsed(), bytes);
        if !keeps {
            kept = None;
        }
    }
    Ok(())
}

/// When to stop.
struct Limit {
    begun: Instant,
    time: Duration,
    requests: usize,
}

impl Limit {
    fn of(work: Work) -> Self {
        let (seconds, requests) = match work {
            Work::Load { seconds, most, .. } => (seconds, most.unwrap_or(u64::MAX)),
            Work::Connect { seconds, .. } => (seconds, u64::MAX),
            Work::Download { times, seconds } => (seconds, times),
        };
        let requests = usize::try_from(requests).unwrap_or(usize::MAX);
        Self { begun: Instant::now(), time: Duration::from_secs_f64(seconds), requests }
    }

    fn allows(&self, done: usize) -> bool {
        done < self.requests && self.begun.elapsed() < self.time
    }
}

/// How long each took.
#[derive(Default)]
struct Tally {
    first: Vec<Duration>,
    total: Vec<Duration>,
    bytes: u64,
    reopened: usize,
}

impl Tally {
    fn add(&mut self, first: Duration, total: Duration, bytes: u64) {
        self.first.push(first);
        self.total.push(total);
        self.bytes = bytes;
    }

    /// Not when that is the rule.
    fn may_reopen(&mut self) -> bool {
        self.reopened += 1;
        self.reopened <= 10 + self.total.len() / 50
    }

    fn outcome(mut self, elapsed: Duration) -> Outcome {
        Outcome {
            requests: self.total.len() as u64,
            seconds: elapsed.as_secs_f64(),
            p50: percentile(&mut self.total, 50),
            p99: percentile(&mut self.total, 99),
            first_byte: percentile(&mut self.first, 50),
            bytes: self.bytes,
        }
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).map_or(0.0, |t| t.as_secs_f64() * 1e3)
}

/// Where an order leads.
struct Way {
    order: Order,
    first_hop: SocketAddr,
    connector: TlsConnector,
}

impl Way {
    fn of(order: &Order) -> Result<Self> {
        let host = || (order.host.as_str(), 443).to_socket_addrs()?.next().ok_or_else(|| "no address".into());
        let first_hop = order.proxy.map_or_else(host, Result::Ok)?;
        Ok(Self { connector: TlsConnector::from(trusting(order)?), first_hop, order: order.clone() })
    }

    async fn open(&self) -> Result<Connection> {
        let mut stream = TcpStream::connect(self.first_hop).await?;
        stream.set_nodelay(true)?;
        if self.order.proxy.is_some() {
            tunnel(&mut stream, &self.order.host).await?;
        }
        let stream = self.connector.connect(self.order.host.clone().try_into()?, stream).await?;
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if is_h2 != self.order.h2 {
            return Err("no HTTP/2".into());
        }
        if is_h2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.initial_stream_window_size(4 << 20).initial_connection_window_size(16 << 20);
            let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            return Ok(Connection::Two(sender));
        }
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok(Connection::One(sender))
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>> {
        let Order { host, path, accept, gzip, h2, .. } = &self.order;
        let request = Request::get(if *h2 { format!("https://{host}{path}") } else { path.clone() });
        let request = if *h2 { request.version(Version::HTTP_2) } else { request.header("host", host) };
        let coding = if *gzip { "gzip, deflate" } else { "identity" };
        let request = request.header("accept", accept).header("accept-encoding", coding);
        Ok(request.header("user-agent", "namewall-bench").body(Empty::new())?)
    }
}

fn trusting(order: &Order) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&fs::read(&order.ca)?) {
        // Bundles hold one or the other that rustls doesn't read.
        let _unreadable = roots.add(certificate.map_err(|error| error.to_string())?);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![if order.h2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

async fn tunnel(stream: &mut TcpStream, host: &str) -> Result<()> {
    stream.write_all(format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n").as_bytes()).await?;
    let mut head = Vec::new();
    // The proxy has nothing more to say before the client has.
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let head = String::from_utf8_lossy(&head);
    if head.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(format!("CONNECT: {head}").into()) }
}

/// A connection that takes requests.
enum Connection {
    One(http1::SendRequest<Empty<Bytes>>),
    Two(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    /// One request: when the first byte of its answer's body came, and how many there were.
    async fn exchange(&mut self, way: &Way, kept: Option<&mut Vec<u8>>) -> Result<(Instant, u64)> {
        let request = way.request()?;
        let answer = match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        if answer.status() != StatusCode::OK {
            return Err(format!("{}{} was answered {}", way.order.host, way.order.path, answer.status()).into());
        }
        read(answer.into_body(), way.order.pace, kept).await
    }
}

async fn read(mut body: Incoming, pace: Option<f64>, mut kept: Option<&mut Vec<u8>>) -> Result<(Instant, u64)> {
    let begun = tokio::time::Instant::now();
    let (mut first, mut bytes) = (None, 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        first = first.or_else(|| (!data.is_empty()).then(Instant::now));
        bytes += data.len() as u64;
        if let Some(pace) = pace {
            tokio::time::sleep_until(begun + Duration::from_secs_f64(bytes as f64 / pace)).await;
        }
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(&data);
        }
    }
    Ok((first.ok_or("an empty answer")?, bytes))
}
