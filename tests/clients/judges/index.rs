//! An index of filtered pages, and of whatever wheels they list; it stands for every host there is.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use namewall::demo::Wheel;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::pages::Rendered;

/// A running index. Dropping it closes everything.
pub(super) struct Index {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    _server: JoinSet<()>,
}

struct Shelf {
    pages: HashMap<&'static str, &'static Rendered>,
    log: Mutex<Vec<String>>,
}

impl Index {
    /// Listens on a free loopback port.
    pub(super) async fn start(pages: Vec<&'static Rendered>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = pages.into_iter().map(|rendered| (rendered.page.project.as_str(), rendered)).collect();
        let shelf = Arc::new(Shelf { pages, log: Mutex::default() });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&shelf)));
        Self { address, shelf, _server: server }
    }

    /// What `HTTP_PROXY` takes.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were asked for, in order, decoded.
    pub(super) fn log(&self) -> Vec<String> {
        self.shelf.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, shelf: Arc<Shelf>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shelf = Arc::clone(&shelf);
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let answer = shelf.answer(request.uri().path());
                async { Ok::<_, Infallible>(answer) }
            });
            // A client that breaks off is its own trouble.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.is_ok();
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Shelf {
    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        let (content_type, body) = match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "simple", project, ""] => match self.pages.get(project) {
                Some(rendered) => (&*rendered.content_type, Some(rendered.body.clone())),
                None => ("text/plain", None),
            },
            [.., file] => ("application/octet-stream", wheel(file)),
            [] => ("text/plain", None),
        };
        let status = if body.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let mut response = Response::new(Full::new(body.unwrap_or_default().into()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

/// A wheel of that file name, or its metadata.
pub(super) fn wheel(file: &str) -> Option<Vec<u8>> {
    let (name, rest) = file.split_once('-')?;
    let wheel = Wheel::new(&name.replace('_', "-"), rest.split('-').next()?);
    match file.ends_with(".metadata") {
        true => Some(wheel.metadata().into_bytes()),
        false => wheel.build().ok(),
    }
}
