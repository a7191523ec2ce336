//! A company's private index: plain HTTP on the loopback, one folder of files, simple pages; like pypiserver.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::catalog::{Artifact, Catalog};
use super::simple::{self, Form};

/// A running private index. Dropping it closes everything.
#[derive(Debug)]
pub struct PrivateIndex {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Shelf {
    catalog: Catalog,
    log: Mutex<Vec<String>>,
}

impl PrivateIndex {
    /// Listens on a free loopback port and serves `catalog` until it is dropped.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(catalog: Catalog) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shelf = Arc::new(Shelf { catalog, log: Mutex::default() });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&shelf)));
        Ok(Self { address, shelf, _server: server })
    }

    /// What `--extra-index-url` takes.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/simple/", self.address)
    }

    /// The paths that were asked for, in order.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.shelf.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, shelf: Arc<Shelf>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&shelf)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shelf: Arc<Shelf>) {
    let service = service_fn(move |request| {
        let shelf = Arc::clone(&shelf);
        async move { Ok::<_, Infallible>(shelf.answer(&request)) }
    });
    // A client that breaks off is its own trouble.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.is_ok();
}

impl Shelf {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone().into_owned());
        let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
        let form = Form::choose(accept, request.uri().query());
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "simple", ""] => page(form, simple::root(&self.catalog, form)),
            ["", "simple", name, ""] => match self.catalog.project(name) {
                Some(project) => page(form, simple::detail(project, form, location)),
                None => not_found(),
            },
            ["", "packages", name] => self.file(name).map_or_else(not_found, |bytes| answer(FILE, bytes)),
            _ => not_found(),
        }
    }

    fn file(&self, name: &str) -> Option<Bytes> {
        self.catalog.files().find_map(|(_, file)| match name.strip_prefix(file.file_name.as_str())? {
            "" => Some(file.bytes.clone()),
            ".metadata" => file.metadata.clone(),
            _ => None,
        })
    }
}

const FILE: &str = "application/octet-stream";

/// Relative to a project's page, as small index servers write it.
fn location(file: &Artifact) -> String {
    format!("../../packages/{}", file.file_name)
}

fn page(form: Form, body: String) -> Response<Full<Bytes>> {
    answer(form.content_type(), body.into())
}

fn answer(content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = answer("text/plain", "404 Not Found".into());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
