//! Inside the TLS of a host of ours: its end, and the requests in it.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use super::Shared;
use super::account::{Entry, Ticket};
use super::connection::{Progress, UnderWay, drained, http1_builder, http2_builder, read_preface};
use super::exchange::{self, Visit};
use super::reply::closing;
use super::serve::looped;
use crate::net::deadline::WriteDeadline;
use crate::net::prefixed::Prefixed;
use crate::net::stream::Stream;

/// Ends the client's TLS with a leaf of our own, and serves the requests in it. Where a CONNECT led here, it has a line in
/// the log if no request has.
pub(super) async fn intercept(shared: Arc<Shared>, visit: Visit, ticket: Option<Ticket>, client: Prefixed<Stream>) {
    let config: Arc<ServerConfig> = match shared.leaves.server_config(&visit.site.host) {
        Ok(config) => config,
        Err(error) => return warn!(host = %visit.site.host, %error, "no certificate for an intercepted host"),
    };
    match timeout(shared.settings.limits.opening, TlsAcceptor::from(config).accept(client)).await {
        Ok(Ok(stream)) => {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            serve_site(shared, visit, ticket, stream, h2).await;
        }
        Ok(Err(error)) => {
            // An alert at this point nearly always says that the client does not trust the authority.
            info!(client = %visit.client, host = %visit.site.host, %error, "TLS handshake with a client failed");
        }
        Err(_elapsed) => debug!(client = %visit.client, "TLS handshake with a client timed out"),
    }
}

/// Serves the requests to one of our hosts, in `stream`.
pub(super) async fn serve_site<S>(shared: Arc<Shared>, visit: Visit, ticket: Option<Ticket>, stream: S, h2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = visit.client;
    let tasks = shared.tasks.clone();
    let limits = shared.settings.limits.clone();
    let progress = Arc::new(Progress::new(&limits));
    let progressing = Arc::clone(&progress);
    let service = service_fn(move |request: Request<Incoming>| {
        // Over HTTP/2 it is told by GOAWAY.
        let is_last = progressing.another() && !h2;
        let (shared, visit) = (Arc::clone(&shared), visit.clone());
        if let Some(ticket) = &ticket {
            ticket.has_request();
        }
        let mut entry = Entry::begin(&shared, client, Some(&visit.site.host), &request);
        if h2 {
            entry.keeps(UnderWay::begin(&progressing));
        }
        if let Some(user) = &visit.user {
            entry.belongs_to(user);
        }
        async move {
            let looped = looped(&shared, request.headers());
            let answer = match looped {
                Some(looped) => looped,
                None => exchange::answer(shared, visit, request).await,
            };
            let answer = if is_last { closing(answer) } else { answer };
            Ok::<_, std::convert::Infallible>(entry.answered(answer))
        }
    });
    let mut stream = WriteDeadline::new(stream);
    let outcome = if h2 {
        // hyper waits for the preface without a deadline.
        let Ok(Ok(preface)) = timeout(limits.opening, read_preface(&mut stream)).await else { return };
        let stream = TokioIo::new(Prefixed::new(preface, stream));
        let connection = http2_builder(&tasks, &limits).serve_connection(stream, service);
        let idle = Some(limits.idle);
        drained(connection, &tasks, &progress, idle, |connection| connection.graceful_shutdown()).await
    } else {
        let connection = http1_builder(&limits).serve_connection(TokioIo::new(stream), service);
        // Idle it may be for as long as a head may take: hyper sees to that.
        drained(connection, &tasks, &progress, None, |connection| connection.graceful_shutdown()).await
    };
    if let Some(Err(error)) = outcome {
        debug!(%client, %error, "an intercepted connection ended");
    }
}
