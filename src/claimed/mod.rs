//! Which protected names strangers hold on the public index, found in its one list, so that no name is ever asked for.

mod read;
pub(crate) mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use http::{HeaderName, StatusCode};
use url::Url;

pub(crate) use self::read::{JsonList, is_list, of_html, of_names};
use crate::config::Settings;
use crate::net::dial::Dialer;
use crate::policy::Policy;
use crate::proxy::fetch::{FetchError, Fetcher};
use crate::pypi::Malformed;
use crate::pypi::negotiate::Representation;
use crate::tls::bundle::SystemRoots;
use crate::tls::trust::UpstreamTrust;
use crate::tls::{CaError, InForce};

/// The list of all that is on the public index.
pub(crate) const LIST: &str = "https://pypi.org/simple/";

/// How long the list may take.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// A protected name on the public index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    /// As it is compared.
    pub(crate) name: String,
    /// As its holder writes it.
    pub(crate) written: String,
    /// The pattern that matches it.
    pub(crate) pattern: String,
    /// The index's count of changes when the project changed last.
    pub(crate) last_serial: Option<u64>,
    /// `enforce` or `audit`.
    pub(crate) mode: &'static str,
}

/// What was found on one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// By rule, in the order of their ids; names in order.
    pub(crate) by_rule: BTreeMap<String, Vec<Claim>>,
    /// How many names the list has.
    pub(crate) listed: u64,
}

/// Why nobody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimedError {
    #[error("the list of {LIST} can't be fetched: {0}")]
    Fetch(#[from] FetchError),
    #[error("{LIST} answers {0}")]
    Status(StatusCode),
    #[error("the list of {LIST} took more than {} minutes", DEADLINE.as_secs() / 60)]
    Deadline,
    #[error("the list can't be trusted: {0}")]
    Malformed(#[from] Malformed),
}

impl Claims {
    /// How many protected names there are.
    pub(crate) fn count(&self) -> usize {
        self.by_rule.values().map(Vec::len).sum()
    }
}

/// A way upstream without a proxy that runs.
pub(crate) fn fetcher(settings: &Settings) -> Result<Fetcher, CaError> {
    let system = SystemRoots::load();
    let ours = settings.ca.existing().ok().map(|ours| InForce::new(Arc::new(ours)));
    let trust = UpstreamTrust::of(&settings.extra_roots, ours, &system)?;
    let dialer = Dialer::new(settings.connect_to.clone(), Vec::new());
    let dialer = Arc::new(dialer.through(settings.parents.clone(), &trust.usual));
    Ok(Fetcher::new(&dialer, &trust))
}

/// Fetches the public list and finds what `policy` protects, with the list's tag; `None` if it is still that of `tag`.
pub(crate) async fn fetch(
    fetcher: &Fetcher,
    policy: &Policy,
    tag: Option<&str>,
) -> Result<Option<(Claims, Option<String>)>, ClaimedError> {
    tokio::time::timeout(DEADLINE, fetch_all(fetcher, policy, tag)).await.unwrap_or(Err(ClaimedError::Deadline))
}

async fn fetch_all(
    fetcher: &Fetcher,
    policy: &Policy,
    tag: Option<&str>,
) -> Result<Option<(Claims, Option<String>)>, ClaimedError> {
    let url = Url::parse(LIST).map_err(|_never| FetchError::Address)?;
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(Representation::Json.content_type()))]);
    if let Some(Ok(tag)) = tag.map(HeaderValue::try_from) {
        headers.insert(IF_NONE_MATCH, tag);
    }
    let mut answer = fetcher.get(&url, &headers, None).await?;
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if tag.is_some() => return Ok(None),
        status => return Err(ClaimedError::Status(status)),
    }
    let fields = answer.headers.clone();
    let field = |name: HeaderName| fields.get(name).and_then(|value| value.to_str().ok());
    if Representation::of_response(field(CONTENT_TYPE))? != Representation::Json {
        return Err(Malformed::Shape("it is not in JSON").into());
    }
    let mut list = JsonList::new(policy);
    let mut piece = Vec::new();
    loop {
        answer.next(&mut piece).await?;
        if piece.is_empty() {
            return Ok(Some((list.finish()?, field(ETAG).map(str::to_owned))));
        }
        list.push(&piece)?;
        // A piece takes a millisecond; others get their turn.
        tokio::task::yield_now().await;
    }
}
