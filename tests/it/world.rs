//! A proxy, a stand-in for PyPI behind it, and a client before it that says exactly what it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::ext::ReasonPhrase;
use hyper_util::rt::{TokioExecutor, TokioIo};
use namewall::config::environment::Environment;
use namewall::config::{Overrides, Settings};
use namewall::demo::standin::{Asked, Builder};
use namewall::demo::{Artifact, Project, StandIn, Wheel};
use namewall::proxy::Proxy;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) use crate::trust::trusting;

pub const JSON: &str = "application/vnd.pypi.simple.v1+json";
pub const HTML: &str = "application/vnd.pypi.simple.v1+html";

/// The rules of nearly all tests.
pub const RULES: &str = r#"
[[protect]]
id = "acme"
names = ["acme", "acme-*"]
except = ["acme-sdk"]
reason = "Internal to Acme"
private-index = "https://pypi.acme.example/simple/"
"#;

pub struct World {
    pub standin: StandIn,
    pub proxy: Proxy,
    folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub reason: Option<String>,
    pub headers: HeaderMap,
    /// The body, or why it broke off.
    pub body: Result<Bytes, String>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    pub fn bytes(&self) -> &Bytes {
        self.body.as_ref().unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.bytes()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request that a client makes through the proxy.
#[derive(Clone)]
pub struct Ask {
    pub method: Method,
    pub host: &'static str,
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    pub h2: bool,
    /// What CONNECT names, when that isn't the host.
    pub connect: Option<String>,
    /// The TLS server name, when that isn't the host.
    pub sni: Option<&'static str>,
    /// The fields of CONNECT, each with its end.
    pub fields: String,
}

impl Ask {
    pub fn get(host: &'static str, target: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            host,
            target: target.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            h2: false,
            connect: None,
            sni: None,
            fields: String::new(),
        }
    }

    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn h2(mut self) -> Self {
        self.h2 = true;
        self
    }

    pub fn by(mut self, name: &str, password: &str) -> Self {
        self.fields = proxy_authorization(name, password);
        self
    }
}

/// The field by which a client says who it is, with its end.
pub fn proxy_authorization(name: &str, password: &str) -> String {
    let token = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Proxy-Authorization: Basic {token}\r\n")
}

/// PyPI as the tests know it: a planted name, an excepted one, and innocent projects.
pub fn pypi() -> Builder {
    let wheel = |name, version| Artifact::wheel(&Wheel::new(name, version)).unwrap();
    StandIn::builder()
        .project(Project::new("acme-core").file(wheel("acme-core", "99.0")))
        .project(Project::new("Acme.SDK").file(wheel("acme-sdk", "1.0")))
        .project(Project::new("acmetool").file(wheel("acmetool", "1.0")))
        .project(
            Project::new("innocent").file(wheel("innocent", "1.0")).file(wheel("innocent", "2.0")).file(Artifact::raw(
                "innocent-2.0.tar.gz",
                "2.0",
                "an sdist",
            )),
        )
        // Somebody's page lists a file that bears a protected name.
        .project(
            Project::new("mixed").file(Artifact::raw("acme_core-0.7.tar.gz", "0.7", "!")).file(wheel("mixed", "1.0")),
        )
        .project(Project::new("disguise").file(Artifact::raw("acme-core-8.0.zip", "8.0", "!")))
}

impl World {
    pub async fn new() -> Self {
        Self::with(pypi(), RULES).await
    }

    pub async fn with(pypi: Builder, config: &str) -> Self {
        Self::reaching(pypi, config, &[]).await
    }

    /// A world in which `more` authorities lead to the same PyPI.
    pub async fn reaching(pypi: Builder, config: &str, more: &[&str]) -> Self {
        let standin = pypi.start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let proxy = start(&standin, folder.path(), config, more).await;
        Self { standin, proxy, folder }
    }

    /// A world whose settings are changed before its proxy starts.
    pub async fn adjusted(pypi: Builder, config: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        let standin = pypi.start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&standin, folder.path(), config, &[]);
        adjust(&mut settings);
        let proxy = start_with(settings).await;
        Self { standin, proxy, folder }
    }

    /// A world that serves the users of a file with this text, and has an admin listener.
    pub async fn of_users(pypi: Builder, users: &str, config: &str) -> Self {
        let standin = pypi.start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users"), users).unwrap();
        let mut settings = settings(&standin, folder.path(), config, &[]);
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        let proxy = start_with(settings).await;
        Self { standin, proxy, folder }
    }

    /// Another proxy with other rules, of the same machine and before the same PyPI.
    pub async fn restarted(self, config: &str) -> Self {
        let Self { standin, proxy, folder } = self;
        proxy.stop(std::future::ready(())).await;
        let proxy = start(&standin, folder.path(), config, &[]).await;
        Self { standin, proxy, folder }
    }

    /// The parts, for a test that ends the proxy itself.
    pub fn into_parts(self) -> (StandIn, Proxy, TempDir) {
        (self.standin, self.proxy, self.folder)
    }

    pub fn address(&self) -> SocketAddr {
        self.proxy.addresses()[0]
    }

    /// Requests that reached upstream and name what is protected.
    pub fn leaked(&self) -> Vec<Asked> {
        self.standin.mentions("acme")
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.ask(Ask::get("pypi.org", target).header("accept", JSON)).await
    }

    /// Makes one request on a connection of its own.
    pub async fn ask(&self, ask: Ask) -> Answer {
        let to = ask.connect.clone().unwrap_or_else(|| format!("{}:443", ask.host));
        let tcp = self.connect_with(&to, &ask.fields).await.unwrap_or_else(|answer| panic!("CONNECT {to}: {answer}"));
        let tls = self.tls(tcp, ask.sni.unwrap_or(ask.host), ask.h2).await.unwrap();
        exchange(tls, &ask).await
    }

    /// Opens a tunnel; gives the stream, or the head of the refusal.
    pub async fn connect(&self, to: &str) -> Result<TcpStream, String> {
        self.connect_with(to, "").await
    }

    /// As `connect`, with these fields, each with its end.
    pub async fn connect_with(&self, to: &str, fields: &str) -> Result<TcpStream, String> {
        let mut tcp = TcpStream::connect(self.address()).await.unwrap();
        // As pip on Python 3.11 does: HTTP/1.0, and not one field.
        tcp.write_all(format!("CONNECT {to} HTTP/1.0\r\n{fields}\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.map_err(|error| error.to_string())?);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status == "200" { Ok(tcp) } else { Err(head) }
    }

    pub async fn tls(
        &self,
        tcp: TcpStream,
        name: &'static str,
        h2: bool,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let authority = CertificateDer::from_pem_file(self.proxy.ca()).unwrap();
        let connector = trusting(authority, if h2 { b"h2" } else { b"http/1.1" });
        connector.connect(ServerName::try_from(name).unwrap(), tcp).await
    }

    /// What the admin listener answers, head and all.
    pub async fn admin(&self, path: &str) -> String {
        let mut tcp = TcpStream::connect(self.proxy.admin().unwrap()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Sends bytes to the proxy port as they are and gives all that comes back.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut tcp = TcpStream::connect(self.address()).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an answer too, and so is silence: the proxy may wait for more.
        let _end = tokio::time::timeout(Duration::from_millis(700), tcp.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn start(standin: &StandIn, folder: &std::path::Path, config: &str, more: &[&str]) -> Proxy {
    start_with(settings(standin, folder, config, more)).await
}

async fn start_with(settings: Settings) -> Proxy {
    let policy = settings.policy(time::OffsetDateTime::now_utc().date()).unwrap();
    Proxy::start(settings, policy).await.unwrap()
}

fn settings(standin: &StandIn, folder: &std::path::Path, config: &str, more: &[&str]) -> Settings {
    let root = standin.write_root(folder).unwrap();
    let path = folder.join("namewall.toml");
    let users = if folder.join("users").exists() { "users = \"users\"\n" } else { "" };
    let head = format!(
        "[listen]\naddr = \"127.0.0.1:0\"\n{users}drain = \"2s\"\n[ca]\ndir = {:?}\n[upstream]\nproxy = \"direct\"\nextra-roots = [{root:?}]\n{config}",
        folder.join("ca")
    );
    std::fs::write(&path, head).unwrap();
    let environment = Environment::from_pairs(HashMap::<String, String>::new());
    let overrides = Overrides { config: Some(path), ..Overrides::default() };
    let mut settings = Settings::load_from(&overrides, &environment, folder).unwrap_or_else(|error| panic!("{error}"));
    settings.connect_to.extend(standin.connect_to());
    let here = standin.address().to_string();
    settings.connect_to.extend(more.iter().map(|to| (to.parse().unwrap(), here.parse().unwrap())));
    settings
}

/// A server that sends back whatever it gets.
pub async fn echo() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

/// Ends the program that a test started, whatever becomes of the test.
pub struct Serving(pub std::process::Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// One request and its answer on an open connection.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, ask: &Ask) -> Answer {
    let mut request = Request::builder().method(ask.method.clone());
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    let body = Full::new(ask.body.clone());
    let io = TokioIo::new(stream);
    let response = if ask.h2 {
        let request = request.uri(format!("https://{}{}", ask.host, ask.target)).body(body).unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let named = ask.headers.iter().any(|(name, _)| *name == "host");
        let request = if named { request } else { request.header(header::HOST, ask.host) };
        let request = request.uri(ask.target.as_str()).body(body).unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    let (parts, body) = response.unwrap().into_parts();
    let reason = parts.extensions.get::<ReasonPhrase>();
    Answer {
        status: parts.status,
        reason: reason.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned()),
        headers: parts.headers,
        body: body.collect().await.map(|body| body.to_bytes()).map_err(|error| error.to_string()),
    }
}
