//! A line to one of PyPI's hosts: through a proxy or directly, TLS ended at whoever is there, requests on it one by one.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::proxy_url::ProxyUrl;
use crate::name::{Authority, HostName};
use crate::net::dial::{DialError, Dialer};
use crate::net::parent::connect::reply;
use crate::tls::shown::{Recorder, Shown};

/// How long opening a line, and each answer on it, may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most that is read of a body.
const MAX_BODY: usize = 64 * 1024;

/// An open line.
#[derive(Debug)]
pub(super) struct Line {
    host: HostName,
    /// What the other end showed, and our roots believed.
    pub(super) shown: Shown,
    sender: SendRequest<Empty<Bytes>>,
    _driver: JoinSet<()>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// As much of it as was looked at.
    pub(super) body: Bytes,
}

/// Why there is no line, or no answer on it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{0}")]
    Unreachable(#[from] DialError),
    #[error("it answers CONNECT with {0}")]
    Refused(u16),
    #[error("it is no HTTP proxy")]
    NotAProxy,
    #[error("it shows a certificate issued by {}, which nothing here trusts", .0.issuer())]
    Untrusted(Box<Shown>),
    #[error("it broke off the TLS handshake: {0}")]
    Tls(std::io::Error),
    #[error("it did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("the connection broke: {0}")]
    Lost(String),
}

/// Where lines lead through.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    Proxy(&'a ProxyUrl),
    Direct,
}

impl Line {
    /// Opens a line to port 443 of `host` and believes what `roots` vouch for.
    pub(super) async fn open(
        way: Way<'_>,
        host: &HostName,
        dialer: &Dialer,
        roots: &RootCertStore,
    ) -> Result<Self, Broken> {
        timeout(PATIENCE, Self::open_at_leisure(way, host, dialer, roots)).await.unwrap_or(Err(Broken::Silent))
    }

    async fn open_at_leisure(
        way: Way<'_>,
        host: &HostName,
        dialer: &Dialer,
        roots: &RootCertStore,
    ) -> Result<Self, Broken> {
        let to = Authority { host: host.clone(), port: 443 };
        let tcp = match way {
            Way::Direct => dialer.dial(&to).await?,
            Way::Proxy(proxy) => through(proxy, &to, dialer.dial(&proxy.address).await?).await?,
        };
        let lost = |error: &dyn std::fmt::Display| Broken::Lost(error.to_string());
        let (config, recorder) = Recorder::over(roots).map_err(|error| lost(&error))?;
        let name = ServerName::try_from(host.as_str().to_owned()).map_err(|error| lost(&error))?;
        let connected = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        let (stream, shown) = match (connected, recorder.shown()) {
            (Ok(stream), Some(shown)) => (stream, shown),
            (Err(_), Some(shown)) => return Err(Broken::Untrusted(Box::new(shown))),
            (Err(error), None) => return Err(Broken::Tls(error)),
            (Ok(_), None) => return Err(Broken::Lost("the server showed no certificate".to_owned())),
        };
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // What ends it ends the request under way, which says so.
            let _ended = connection.await;
        });
        Ok(Self { host: host.clone(), shown, sender, _driver: driver })
    }

    /// GETs `path`.
    pub(super) async fn get(&mut self, path: &str) -> Result<Answer, Broken> {
        timeout(PATIENCE, self.get_at_leisure(path)).await.unwrap_or(Err(Broken::Silent))
    }

    async fn get_at_leisure(&mut self, path: &str) -> Result<Answer, Broken> {
        let lost = |error: &dyn std::fmt::Display| Broken::Lost(error.to_string());
        let request = Request::get(path)
            .header(header::HOST, self.host.as_str())
            .header(header::USER_AGENT, concat!("namewall-doctor/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "*/*")
            .body(Empty::new())
            .map_err(|error| lost(&error))?;
        self.sender.ready().await.map_err(|error| lost(&error))?;
        let response = self.sender.send_request(request).await.map_err(|error| lost(&error))?;
        let (parts, body) = response.into_parts();
        // A longer body has said enough, too.
        let body = Limited::new(body, MAX_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

impl Answer {
    /// A field, or nothing.
    pub(super) fn field(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Asks `proxy` for a tunnel.
async fn through(proxy: &ProxyUrl, to: &Authority, mut tcp: TcpStream) -> Result<TcpStream, Broken> {
    let lost = |error: std::io::Error| Broken::Lost(error.to_string());
    let mut head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(authorization) = &proxy.authorization {
        head.push_str(&format!("Proxy-Authorization: {}\r\n", authorization.expose()));
    }
    head.push_str("\r\n");
    tcp.write_all(head.as_bytes()).await.map_err(lost)?;
    let mut answer = BytesMut::new();
    // Byte by byte: what follows the head is the tunnel's.
    let reply = loop {
        match reply(&answer) {
            Ok(Some((reply, _length))) => break reply,
            Ok(None) => {}
            Err(_other) => return Err(Broken::NotAProxy),
        }
        let mut byte = [0];
        let length = tcp.read(&mut byte).await.map_err(lost)?;
        answer.extend_from_slice(byte.get(..length).unwrap_or_default());
        if length == 0 {
            return Err(Broken::NotAProxy);
        }
    };
    match reply.status {
        200..=299 => Ok(tcp),
        status => Err(Broken::Refused(status)),
    }
}
