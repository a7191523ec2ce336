//! One fetch of a private index's list: conditional, page by page, bounded in time and in size.

use std::collections::HashSet;
use std::time::Duration;

use http::header::{
    ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LINK,
};
use http::{HeaderName, StatusCode};
use time::OffsetDateTime;
use tokio::task::JoinError;
use url::Url;

use super::identity::{IdentityError, authorization};
use super::list::{JsonPage, MAX_NAMES, Page, html_page, next_link};
use crate::config::{InventorySource, KeptList};
use crate::name::HostName;
use crate::policy::Names;
use crate::proxy::fetch::{FetchError, Fetched, Fetcher, is_within};
use crate::pypi::Malformed;
use crate::pypi::negotiate::Representation;
use crate::pypi::site::default_sites;

const WANTED: HeaderValue = HeaderValue::from_static(
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01",
);

/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// The most pages of one list.
const MAX_PAGES: usize = 10_000;

/// The largest page in HTML: it is read as a whole.
const MAX_HTML: usize = 128 << 20;

/// What came of a fetch.
#[derive(Debug)]
pub(super) enum Answer {
    /// The list is the one that is known.
    Unchanged,
    /// The list, and how many entries in it bear no name.
    List(KeptList, u64),
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(super) enum InventoryError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("it answers {0}: check the credentials and what they may see")]
    Refused(StatusCode),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its list can't be trusted: {0}")]
    Malformed(#[from] Malformed),
    #[error("it has led to a page on another host that is no list in JSON; most likely one to sign in")]
    Elsewhere,
    #[error("it redirects to PyPI, whose projects would all be hidden")]
    PyPi,
    #[error("its list goes on at an address of another origin")]
    NextElsewhere,
    #[error("its list leads back to a page that was read before")]
    Circle,
    #[error("its list has more than {MAX_PAGES} pages")]
    Pages,
    #[error("its list took more than {} minutes", DEADLINE.as_secs() / 60)]
    Deadline,
    #[error("reading the list failed: {0}")]
    Worker(#[from] JoinError),
}

/// Asks `source` for its list, unless it is still what is `known`.
pub(super) async fn fetch(
    fetcher: &Fetcher,
    source: &InventorySource,
    known: Option<&KeptList>,
) -> Result<Answer, InventoryError> {
    tokio::time::timeout(DEADLINE, fetch_all(fetcher, source, known)).await.unwrap_or(Err(InventoryError::Deadline))
}

async fn fetch_all(
    fetcher: &Fetcher,
    source: &InventorySource,
    known: Option<&KeptList>,
) -> Result<Answer, InventoryError> {
    let authorization = authorization(source)?;
    let (mut all, mut nameless) = (Vec::new(), 0);
    let (mut etag, mut last_modified) = (None, None);
    let mut url = source.url.as_url().clone();
    let mut seen = HashSet::from([url.clone()]);
    for number in 0..MAX_PAGES {
        let headers = request_headers(known.filter(|_| number == 0));
        // The list may have gone elsewhere by a redirect, and its next page is where it has gone.
        let home = is_within(&url, source.url.as_url());
        let mut answer = fetcher.get(&url, &headers, authorization.as_ref().filter(|_| home)).await?;
        answer.elsewhere |= !home;
        if is_pypi(&answer.url) {
            return Err(InventoryError::PyPi);
        }
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if number == 0 && known.is_some() => return Ok(Answer::Unchanged),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(InventoryError::Refused(status)),
            status => return Err(InventoryError::Status(status)),
        }
        let fields = answer.headers.clone();
        let text = |name: HeaderName| fields.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (this_etag, modified, link, at) = (text(ETAG), text(LAST_MODIFIED), text(LINK), answer.url.clone());
        let mut page = read(answer).await?;
        all.append(&mut page.names);
        nameless += page.nameless;
        if all.len() > MAX_NAMES {
            return Err(Malformed::Limit("it lists more than five million projects").into());
        }
        let next = link.as_deref().and_then(next_link).map(str::to_owned).or(page.next);
        let Some(next) = next else {
            // The state of one page of several says nothing of the others.
            if number == 0 {
                (etag, last_modified) = (this_etag, modified);
            }
            let names = tokio::task::spawn_blocking(move || all.into_iter().collect::<Names>()).await?;
            let list = KeptList { names: names.into(), etag, last_modified, fetched: OffsetDateTime::now_utc() };
            return Ok(Answer::List(list, nameless));
        };
        url = following(&at, &next, source.url.as_url())?;
        if !seen.insert(url.clone()) {
            return Err(InventoryError::Circle);
        }
    }
    Err(InventoryError::Pages)
}

fn request_headers(known: Option<&KeptList>) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(ACCEPT, WANTED)]);
    let conditions = known.map(|known| [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)]);
    for (name, value) in conditions.into_iter().flatten() {
        if let Some(Ok(value)) = value.as_ref().map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Whether `url` is on one of PyPI's own hosts: servers that pass on what they don't have redirect there.
fn is_pypi(url: &Url) -> bool {
    let host = url.host_str().and_then(|host| host.parse::<HostName>().ok());
    host.is_some_and(|host| default_sites().any(|(site, _)| site == host))
}

/// Where the list goes on.
fn following(at: &Url, next: &str, asked: &Url) -> Result<Url, InventoryError> {
    let next = at.join(next).map_err(|_unusable| InventoryError::NextElsewhere)?;
    let bare = next.username().is_empty() && next.password().is_none();
    if bare && (is_within(&next, asked) || is_within(&next, at)) {
        Ok(next)
    } else {
        Err(InventoryError::NextElsewhere)
    }
}

async fn read(mut answer: Fetched) -> Result<Page, InventoryError> {
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let mut piece = Vec::new();
    if Representation::of_response(Some(&content_type))? == Representation::Json {
        let mut page = JsonPage::new();
        loop {
            answer.next(&mut piece).await?;
            if piece.is_empty() {
                return Ok(page.finish()?);
            }
            page.push(&piece)?;
            // A piece takes a millisecond; others get their turn.
            tokio::task::yield_now().await;
        }
    }
    if answer.elsewhere {
        return Err(InventoryError::Elsewhere);
    }
    let mut body = Vec::new();
    loop {
        answer.next(&mut piece).await?;
        if piece.is_empty() {
            break;
        }
        if body.len() + piece.len() > MAX_HTML {
            return Err(Malformed::Limit("a list in HTML has more than 128 MiB").into());
        }
        body.extend_from_slice(&piece);
    }
    let url = answer.url;
    Ok(tokio::task::spawn_blocking(move || html_page(&body, &url)).await??)
}
