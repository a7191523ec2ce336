//! Distribution files: decided by their name, or by the owner that upstream names, before the first byte of the body.

use http::header::{HeaderMap, HeaderName};
use http::{Method, Response};

use super::super::body::{Body, empty};
use super::super::reply;
use super::Exchange;
use crate::name::{ProjectName, Subject};
use crate::policy::Match;

/// The project that owns a file, as PyPI's file host says on each of its answers: authoritative, already normalized.
const OWNER: HeaderName = HeaderName::from_static("x-pypi-file-project");

/// The version that it is of, likewise.
const FILE_VERSION: HeaderName = HeaderName::from_static("x-pypi-file-version");

/// Fetches the file and passes it on. `possible` is what its name alone would have it protected by.
pub(super) async fn answer(exchange: &Exchange, possible: Option<(String, Match<'_>)>) -> Response<Body> {
    // Every range, condition and method that reads is decided alike; what writes has no business here.
    if !matches!(exchange.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return reply::method_not_allowed();
    }
    let response = match exchange.ask(exchange.method.clone(), exchange.bodiless_headers(), empty()).await {
        Ok(response) => response,
        Err(error) => return exchange.fail_upstream(&error),
    };
    let mut owners =
        response.headers().get_all(OWNER).iter().map(|owner| ProjectName::parse(owner.as_bytes())).peekable();
    if owners.peek().is_none() {
        return match possible {
            Some((name, found)) => exchange.deny(&name, &found),
            None => exchange.relay(response),
        };
    }
    // The owner's word counts more than the name's looks, both ways. Several owners are one too many each.
    for owner in owners {
        let Ok(owner) = owner else {
            return exchange.fail("bad-owner", "upstream names no project as the owner of this file");
        };
        if let Some(found) = owned_verdict(exchange, &owner, response.headers()) {
            return exchange.deny(owner.as_str(), &found);
        }
    }
    exchange.relay(response)
}

/// What protects the file now that its owner is known, and its version too if one of `headers` says it.
fn owned_verdict<'p>(exchange: &'p Exchange, owner: &ProjectName, headers: &HeaderMap) -> Option<Match<'p>> {
    let Some(file) = exchange.resource.files.last() else {
        return exchange.policy.judge(Subject::Project(owner.as_name())).protected;
    };
    let judged = |version: Option<&str>| exchange.policy.judge_owned(file, owner.as_name(), version).protected;
    let mut versions = headers.get_all(FILE_VERSION).iter().peekable();
    if versions.peek().is_none() {
        return judged(None);
    }
    // What can't be read is no version, and counts as each.
    versions.find_map(|version| judged(Some(version.to_str().unwrap_or_default())))
}
