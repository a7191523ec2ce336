//! `/decisions`: the last decisions as JSON, in the very words of the decision log; newest first.

use http::StatusCode;
use serde_json::json;
use url::form_urlencoded;

use super::reply::{Answer, text, typed};
use crate::telemetry::recent::{Id, KEPT, Recent};

/// How many are shown to who does not say.
const USUAL: usize = 100;

/// Answers with as many as the query asks for.
pub(super) fn answer(recent: &Recent, query: Option<&str>) -> Answer {
    let limit = match parameter(query, "limit").map(|limit| limit.parse::<usize>()) {
        None => USUAL,
        Some(Ok(limit)) => limit.min(KEPT),
        Some(Err(_)) => return text(StatusCode::BAD_REQUEST, "limit is a number, such as /decisions?limit=20\n"),
    };
    let (last, id) = recent.last(limit);
    let decisions: Vec<_> = last.iter().map(|numbered| &*numbered.decision).collect();
    typed("application/json", json!({ "decisions": decisions, "last": id.to_string() }).to_string())
}

/// The decision that the query says is known already.
pub(super) fn known(query: Option<&str>) -> Option<Id> {
    parameter(query, "after").map(|id| Id::parse(&id))
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
