//! Plain HTTP requests in absolute form to hosts that are not ours: passed on untouched but for the hop's own fields.

use std::net::IpAddr;

use http::uri::Scheme;
use http::{Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;

use super::Shared;
use super::account::counted;
use super::body::{Body, passed, streamed};
use super::headers::strip_hop_by_hop;
use super::reply;
use super::upstream::{LONG_ANSWER, Size, UpstreamError};
use crate::telemetry::access::Passage;
use crate::telemetry::metrics::TurnedAway;

/// Answers from the origin server that the target names (RFC 9112 section 3.2.2).
pub(super) async fn answer(shared: &Shared, client: IpAddr, mut request: Request<Incoming>) -> Response<Body> {
    if request.uri().scheme() != Some(&Scheme::HTTP) {
        return reply::bad_request(
            StatusCode::BAD_REQUEST,
            "bad-scheme",
            "this proxy passes http:// requests on; for https:// a client opens a tunnel with CONNECT",
        );
    }
    strip_hop_by_hop(request.headers_mut());
    // The target's authority counts; the pool writes Host from it.
    request.headers_mut().remove(header::HOST);
    // Answered on this hop, when the body was asked for.
    request.headers_mut().remove(header::EXPECT);
    *request.version_mut() = Version::HTTP_11;
    request.extensions_mut().clear();
    let up = &shared.metrics.carried.forwarded.up;
    let request = request.map(|body| counted(passed(body), up));
    match shared.outside.of(client).send(request, Size::Long, LONG_ANSWER).await {
        Ok(mut response) => {
            strip_hop_by_hop(response.headers_mut());
            *response.version_mut() = Version::default();
            response.extensions_mut().insert(Passage::Forward);
            response.map(streamed)
        }
        Err(error) => {
            match error {
                UpstreamError::Refused(_) => shared.metrics.turned_away(TurnedAway::Destination),
                UpstreamError::Crowded => shared.metrics.turned_away(TurnedAway::Tunnels),
                _ => {}
            }
            let mut response = reply::bad_request(error.status(), error.reason(), &error.to_string());
            reply::ask_again_later(&mut response);
            response
        }
    }
}
