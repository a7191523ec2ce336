//! A stand-in for PyPI over real TLS: all its hosts on one loopback port, answering as the real ones do, keeping a log.

pub mod body;
mod certificate;
mod files;
mod index;
mod legacy;
mod log;
mod reply;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod upload;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use self::body::Body;
use self::certificate::Throwaway;
use self::log::Log;
pub use self::log::{Asked, Handshake, Upload};
use super::catalog::{Artifact, Catalog, Project};
use crate::name::Authority;
use crate::pypi::site::SITES;

/// A running stand-in. Dropping it closes everything.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    hosts: Vec<String>,
    root: String,
    origin: Arc<Origin>,
    _server: JoinSet<()>,
}

/// What is to stand in.
#[derive(Default)]
pub struct Builder {
    catalog: Catalog,
    responders: Vec<Responder>,
    latency: Duration,
    hosts: Option<Vec<String>>,
    alpn: Option<Vec<Vec<u8>>>,
    raw: Option<Bytes>,
    expired: bool,
    page_age: Option<Duration>,
}

/// Why it couldn't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandInError {
    /// No port, most likely.
    #[error("the stand-in for PyPI could not listen on 127.0.0.1: {0}")]
    Listen(#[from] io::Error),
    /// A host name that no certificate can hold.
    #[error("no certificate for the stand-in: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the certificate.
    #[error("the stand-in's certificate is not usable: {0}")]
    Tls(#[from] rustls::Error),
}

type Responder = Box<dyn Fn(&Asked) -> Option<Response<Body>> + Send + Sync>;

/// As PyPI has it.
const PAGE_AGE: Duration = Duration::from_secs(600);

/// What the connections share.
struct Origin {
    catalog: Catalog,
    responders: Vec<Responder>,
    latency: Duration,
    raw: Option<Bytes>,
    /// For how long clients may keep a page without asking again.
    page_age: Duration,
    log: Log,
}

impl StandIn {
    /// Begins with PyPI's hosts and no project.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its throw-away root, as PEM: what `upstream.extra-roots` takes.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root
    }

    /// Writes its root into `folder`.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_root(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join("standin-root.pem");
        std::fs::write(&path, &self.root)?;
        Ok(path)
    }

    /// What `upstream.connect-to` takes: each of its hosts, dialled here.
    #[must_use]
    pub fn connect_to(&self) -> HashMap<Authority, Authority> {
        let here: Option<Authority> = self.address.to_string().parse().ok();
        let authority = |host: &String| Authority::parse_or(host, 443).ok();
        let entry = |host| Some((authority(host)?, here.clone()?));
        self.hosts.iter().filter_map(entry).collect()
    }

    /// The `[upstream]` table of a config that takes this stand-in for PyPI; `root` is where its root was written.
    #[must_use]
    pub fn upstream_table(&self, root: &Path) -> String {
        let roots = toml::Value::from(vec![root.display().to_string()]);
        let mut table = format!("[upstream]\nextra-roots = {roots}\n[upstream.connect-to]\n");
        for host in &self.hosts {
            table.push_str(&format!("\"{host}:443\" = \"{}\"\n", self.address));
        }
        table
    }

    /// The URL of a file of `project` on the files host.
    #[must_use]
    pub fn url_of(&self, project: &str, file_name: &str) -> Option<String> {
        let project = self.origin.catalog.project(project)?;
        project.files().iter().find(|file| file.file_name == file_name).map(file_url)
    }

    /// What it holds.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.origin.catalog
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Asked> {
        self.origin.log.asked()
    }

    /// Every completed TLS handshake so far, with or without a request.
    #[must_use]
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.origin.log.handshakes()
    }

    /// Every upload so far.
    #[must_use]
    pub fn uploads(&self) -> Vec<Upload> {
        self.origin.log.uploads()
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.origin.log.clear();
    }

    /// The requests that bear `word` anywhere: host, SNI, path, query, a header; in any case and percent-encoding.
    #[must_use]
    pub fn mentions(&self, word: &str) -> Vec<Asked> {
        self.log().into_iter().filter(|asked| asked.mentions(word)).collect()
    }
}

impl Builder {
    /// Adds a project.
    #[must_use]
    pub fn project(mut self, project: Project) -> Self {
        self.catalog.push(project);
        self
    }

    /// Answers before the ordinary routes do. Several are asked in order; `None` passes the request on.
    #[must_use]
    pub fn responder(mut self, responder: impl Fn(&Asked) -> Option<Response<Body>> + Send + Sync + 'static) -> Self {
        self.responders.push(Box::new(responder));
        self
    }

    /// Waits so long before each answer.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Stands in for these hosts instead of PyPI's.
    #[must_use]
    pub fn hosts<'a>(mut self, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        self.hosts = Some(hosts.into_iter().map(ToOwned::to_owned).collect());
        self
    }

    /// Lets clients keep simple pages for so long without asking again, instead of PyPI's ten minutes.
    #[must_use]
    pub const fn pages_kept_for(mut self, age: Duration) -> Self {
        self.page_age = Some(age);
        self
    }

    /// Offers these protocols instead of `h2` and `http/1.1`.
    #[must_use]
    pub fn alpn<'a>(mut self, protocols: impl IntoIterator<Item = &'a str>) -> Self {
        self.alpn = Some(protocols.into_iter().map(|name| name.as_bytes().to_vec()).collect());
        self
    }

    /// Answers each request head with exactly these bytes and closes: for answers that no server library would write.
    /// Only HTTP/1.1 is offered then.
    #[must_use]
    pub fn raw(mut self, answer: impl Into<Bytes>) -> Self {
        self.raw = Some(answer.into());
        self.alpn(["http/1.1"])
    }

    /// Has a certificate that ran out long ago.
    #[must_use]
    pub const fn expired(mut self) -> Self {
        self.expired = true;
        self
    }

    /// Listens on a free loopback port and serves until the stand-in is dropped.
    ///
    /// # Errors
    /// [`StandInError`].
    pub async fn start(self) -> Result<StandIn, StandInError> {
        let hosts = self.hosts.unwrap_or_else(|| SITES.iter().map(|(host, _)| (*host).to_owned()).collect());
        let throwaway = Throwaway::mint(&hosts, self.expired)?;
        let alpn = self.alpn.unwrap_or_else(|| vec![b"h2".to_vec(), b"http/1.1".to_vec()]);
        let tls = throwaway.server_config(alpn)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = Arc::new(Origin {
            catalog: self.catalog,
            responders: self.responders,
            latency: self.latency,
            raw: self.raw,
            page_age: self.page_age.unwrap_or(PAGE_AGE),
            log: Log::default(),
        });
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(server::accept(listener, tls, Arc::clone(&origin)));
        Ok(StandIn { address, hosts, root: throwaway.root_pem(), origin, _server: server })
    }
}

/// Where the files host has a file.
fn file_url(file: &Artifact) -> String {
    format!("https://files.pythonhosted.org{}", file.path())
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("catalog", &self.catalog).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("catalog", &self.catalog).field("log", &self.log).finish_non_exhaustive()
    }
}
