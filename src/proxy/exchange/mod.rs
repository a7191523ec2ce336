//! One request to an intercepted host: understood, judged, and answered here or from upstream.

mod cached;
mod files;
mod leads;
mod onward;
mod pages;
mod plan;
mod root;
mod stream;
mod tell;
mod upload;
mod xmlrpc;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap};
use http::request::Parts;
use http::uri::{Authority as UriAuthority, PathAndQuery};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

pub(super) use self::tell::Fired;
use self::tell::Told;
use super::Shared;
use super::body::{Body, BodyError, empty};
use super::reply;
use super::upstream::UpstreamError;
use crate::name::{Authority, ProjectName, Subject};
use crate::policy::{Asker, Match, Policy};
use crate::pypi::resource::{Kind, Resource};
use crate::pypi::site::{Site, SiteKind, labels_below};
use crate::pypi::upload::is_multipart_form;
use crate::telemetry::access::Passage;
use crate::telemetry::metrics::TurnedAway;
use crate::telemetry::{Outcome, Surface};

/// The most of an unwanted body that is read, and for how long.
const DISCARD: usize = 16 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// Where namewall says that it is there. PyPI has nothing here, so a client that was led past it gets a 404.
pub(crate) const GREETING: &str = "/.well-known/namewall";

/// Whose connection it is, and to which host it was opened.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) client: IpAddr,
    /// As whom; `None` where nobody is asked for a name.
    pub(super) user: Option<Arc<str>>,
    pub(super) site: Site,
    pub(super) port: u16,
    /// CONNECT and SNI named different hosts.
    pub(super) misdirected: bool,
}

/// A request under way. Judged by the policy that was in force when it began.
struct Exchange {
    shared: Arc<Shared>,
    policy: Arc<Policy>,
    visit: Visit,
    id: String,
    method: Method,
    version: Version,
    path: String,
    headers: HeaderMap,
    query: Option<String>,
    resource: Resource,
    surface: Surface,
}

/// What the URL's own names say.
enum Ruling<'p> {
    Allowed,
    /// Certain: nothing is asked upstream.
    Protected(String, Match<'p>),
    /// The file name leaves a choice; upstream's owner header decides, and without one it stays protected.
    Possible(String, Match<'p>),
}

/// Answers one request of a client's.
pub(super) async fn answer(shared: Arc<Shared>, visit: Visit, request: Request<Incoming>) -> Response<Body> {
    let id = request_id();
    let (parts, body) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let expects_continue = parts.headers.contains_key(EXPECT);
    let closable = parts.version <= Version::HTTP_11;
    let mut body = Some(body);
    let mut response = match Exchange::begin(shared, visit, &id, parts) {
        Ok(exchange) => Arc::new(exchange).run(&mut body).await,
        Err(response) => *response,
    };
    if is_head {
        drop_body(&mut response);
    }
    if let Some(unread) = body
        && !discard(unread, expects_continue).await
        && closable
    {
        // What is left of the body would be taken for the next request (RFC 9112 section 9.3).
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(reply::REQUEST_ID, id);
    }
    response.extensions_mut().insert(Passage::Intercepted);
    response
}

/// An answer to HEAD tells the length that GET's would have, and has no body: over HTTP/2 nobody takes it off for us.
fn drop_body(response: &mut Response<Body>) {
    let length = response.body().size_hint().exact().filter(|length| *length > 0);
    *response.body_mut() = empty();
    if let Some(length) = length
        && !response.headers().contains_key(CONTENT_LENGTH)
    {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Reads what a client sends on although its answer is known: many listen only when they have said all. Whether the
/// connection can go on; a client that waits for `100 Continue` sends nothing before it.
pub(super) async fn discard(mut body: Incoming, expects_continue: bool) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let read_all = async {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.ok().and_then(|frame| frame.data_ref().map(Bytes::len)).unwrap_or(DISCARD);
            if length >= DISCARD {
                return false;
            }
        }
        true
    };
    !expects_continue && tokio::time::timeout(DISCARD_TIME, read_all).await.unwrap_or(false)
}

impl Exchange {
    fn begin(shared: Arc<Shared>, visit: Visit, id: &str, parts: Parts) -> Result<Self, Box<Response<Body>>> {
        let refuse = |status, reason, detail: &dyn fmt::Display| {
            Box::new(reply::bad_request(status, reason, &detail.to_string()))
        };
        check_host(&visit, &parts).map_err(|why| refuse(StatusCode::MISDIRECTED_REQUEST, "host-mismatch", &why))?;
        if parts.method == Method::CONNECT {
            return Err(refuse(StatusCode::BAD_REQUEST, "nested-connect", &"CONNECT inside a CONNECT is not served"));
        }
        let target = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let resource = Resource::of(visit.site.kind, &parts.method, target)
            .map_err(|bad| refuse(StatusCode::BAD_REQUEST, "bad-target", &bad))?;
        Ok(Self {
            policy: shared.policy_for(&Asker { client: visit.client, user: visit.user.as_deref() }),
            shared,
            visit,
            id: id.to_owned(),
            method: parts.method,
            version: parts.version,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            surface: surface_of(&resource.kind),
            resource,
        })
    }

    async fn run(self: Arc<Self>, body: &mut Option<Incoming>) -> Response<Body> {
        let response = Arc::clone(&self).dispatch(body).await;
        let status = response.status().as_u16();
        self.shared.metrics.answered(self.surface, status);
        if !response.headers().contains_key(reply::DECISION) {
            let (surface, host) = (self.surface.as_str(), &self.visit.site.host);
            tracing::debug!(request_id = self.id, surface, %host, path = self.path, status, "allowed");
        }
        response
    }

    async fn dispatch(self: Arc<Self>, body: &mut Option<Incoming>) -> Response<Body> {
        let policy = Arc::clone(&self.policy);
        if let Some(below) = below_greeting(&self.path) {
            return self.greet(&policy, below);
        }
        let possible = match self.ruling(&policy) {
            Ruling::Allowed => None,
            Ruling::Protected(name, found) => return self.deny(&name, &found),
            Ruling::Possible(name, found) => Some((name, found)),
        };
        if let Some(inventory) = policy.missing().next() {
            return self.fail_unready(inventory);
        }
        match self.resource.kind {
            Kind::Nothing => reply::not_found(self.resource.absent),
            Kind::XmlRpc => xmlrpc::answer(self, body).await,
            _ if self.is_upload() => upload::answer(&self, body).await,
            Kind::File | Kind::Metadata => files::answer(&self, possible).await,
            Kind::Provenance | Kind::Web | Kind::Upload => self.pass(body.take()).await,
            // By path, not by method: PyPI's views answer OPTIONS with the page, too.
            _ if !self.is_read() => reply::method_not_allowed(),
            Kind::Root => root::answer(self).await,
            _ => pages::answer(&self).await,
        }
    }

    /// Whether the request publishes something: by its route, or because it brings a form to the host of uploads.
    fn is_upload(&self) -> bool {
        let has_form = || {
            let types = self.headers.get_all(CONTENT_TYPE).iter();
            types.map(|value| String::from_utf8_lossy(value.as_bytes())).any(|value| is_multipart_form(&value))
        };
        self.resource.kind == Kind::Upload || (self.visit.site.kind == SiteKind::Upload && has_form())
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET || self.is_head()
    }

    fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Says that namewall is there, and below that whether it protects the project of `/project/NAME` as a whole, or
    /// the file of any other path: always in words that every client shows, and asking nobody.
    fn greet(&self, policy: &Policy, below: &str) -> Response<Body> {
        let project = below.strip_prefix("/project/").and_then(|name| ProjectName::parse(name).ok());
        let found = match (below, &project) {
            ("", _) => None,
            (_, Some(name)) => {
                policy.judge(Subject::Project(name.as_name())).protected.map(|found| (name.to_string(), found))
            }
            (_, None) => match self.ruling(policy) {
                Ruling::Protected(name, found) => Some((name, found)),
                Ruling::Allowed | Ruling::Possible(..) => None,
            },
        };
        match found {
            Some((name, found)) => self.tell_denied(&name, &found, reply::refused(&name, &found)),
            // That of all rules, whoever they are for: `doctor` compares it with what the config says.
            None => reply::greeting(self.shared.policy().fingerprint()),
        }
    }

    /// Judges the names in the URL.
    fn ruling<'p>(&self, policy: &'p Policy) -> Ruling<'p> {
        let by_owner = matches!(self.resource.kind, Kind::File | Kind::Metadata);
        let mut ruling = Ruling::Allowed;
        // A name below one of our hosts would be asked of the DNS.
        let labels: Vec<ProjectName> = labels_below(&self.shared.settings.sites, &self.visit.site.host)
            .filter_map(|label| ProjectName::parse(label).ok())
            .collect();
        let labels = labels.iter().map(|label| Subject::Project(label.as_name()));
        for subject in labels.chain(self.resource.subjects()) {
            let verdict = policy.judge(subject);
            if let Some(found) = verdict.protected {
                let name = named(policy, subject);
                if verdict.certain || !by_owner {
                    return Ruling::Protected(name, found);
                }
                ruling = Ruling::Possible(name, found);
            } else if let Some(found) = verdict.audited {
                self.record_audit(subject, &found);
            }
        }
        ruling
    }

    /// Answers as the surface demands for what is protected, and tells of it.
    fn deny(&self, name: &str, found: &Match<'_>) -> Response<Body> {
        self.tell_denied(name, found, reply::denied(&self.resource, name, found, &self.headers))
    }

    fn tell_denied(&self, name: &str, found: &Match<'_>, response: Response<Body>) -> Response<Body> {
        let file = self.resource.files.last();
        let refused = response.status() == StatusCode::FORBIDDEN;
        let outcome = if refused { Outcome::Refused } else { Outcome::Hidden };
        let told = Told::new(outcome, response.status());
        self.tell(&Told { project: Some(name), file, by: Some(found.into()), ..told });
        response
    }

    /// Answers 502 for what can't be trusted, and tells of it.
    fn fail(&self, reason: &'static str, detail: &str) -> Response<Body> {
        self.fail_with(StatusCode::BAD_GATEWAY, reason, detail)
    }

    fn fail_with(&self, status: StatusCode, reason: &'static str, detail: &str) -> Response<Body> {
        self.tell(&Told { reason: Some(reason), ..Told::new(Outcome::Failed, status) });
        tracing::debug!(request_id = self.id, reason, detail, "failed");
        reply::failed(status, reason, detail)
    }

    /// A body couldn't be read.
    fn fail_body(&self, error: &BodyError) -> Response<Body> {
        match error {
            BodyError::Crowded => self.fail_busy(),
            error => self.fail(error.reason(), &error.to_string()),
        }
    }

    /// There is no memory for a large page now.
    fn fail_busy(&self) -> Response<Body> {
        self.shared.metrics.turned_away(TurnedAway::LargePages);
        let detail = "as many large pages as may be are on their way to you, or to all";
        let mut response = self.fail_with(StatusCode::SERVICE_UNAVAILABLE, "large-pages", detail);
        reply::ask_again_later(&mut response);
        response
    }

    /// What is protected isn't known yet, so nothing is shown.
    fn fail_unready(&self, inventory: &str) -> Response<Body> {
        let detail = format!(
            "namewall has not yet learnt what the private index `{inventory}` serves, so it can't tell what to hide"
        );
        let mut response = self.fail_with(StatusCode::SERVICE_UNAVAILABLE, "inventory-missing", &detail);
        reply::ask_again_later(&mut response);
        response
    }

    fn fail_upstream(&self, error: &UpstreamError) -> Response<Body> {
        if matches!(error, UpstreamError::Crowded) {
            self.shared.metrics.turned_away(TurnedAway::Upstream);
        }
        let mut response = self.fail_with(error.status(), error.reason(), &error.to_string());
        reply::ask_again_later(&mut response);
        response
    }

    fn record_audit(&self, subject: Subject<'_>, found: &Match<'_>) {
        let (project, file) = match subject {
            Subject::Project(name) | Subject::Release(name, _) => (Some(name.as_str()), None),
            Subject::File(file) => (None, Some(file)),
        };
        self.tell(&Told { project, file, by: Some(found.into()), ..Told::new(Outcome::Allowed, StatusCode::OK) });
    }
}

/// What follows in `path` where namewall says that it is there (RFC 8615), on each of its hosts.
fn below_greeting(path: &str) -> Option<&str> {
    path.strip_prefix(GREETING).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The name under which the one who is refused knows a protected subject.
fn named(policy: &Policy, subject: Subject<'_>) -> String {
    match subject {
        Subject::Project(name) => name.to_string(),
        Subject::Release(name, version) => format!("{name} {version}"),
        Subject::File(file) => {
            let projects = file.candidates().projects;
            let protected = projects.iter().find(|p| policy.judge(Subject::Project(p.as_name())).protected.is_some());
            protected.map_or_else(|| file.as_str().to_owned(), ToString::to_string)
        }
    }
}

/// CONNECT, SNI and the request's own authority must name one host: else the verdict is on one, and the answer by another.
fn check_host(visit: &Visit, parts: &Parts) -> Result<(), &'static str> {
    if visit.misdirected {
        return Err("the TLS server name is not the host that the connection was opened to");
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err("there are several Host fields"),
        (host, None) => host.map(|value| value.to_str().unwrap_or_default()),
    };
    let authority = parts.uri.authority().map(UriAuthority::as_str);
    if host.is_none() && authority.is_none() {
        return Err("there is no Host field");
    }
    let same = |named: &str| {
        Authority::parse_or(named, 443).is_ok_and(|named| named.host == visit.site.host && named.port == visit.port)
    };
    if host.into_iter().chain(authority).all(same) {
        Ok(())
    } else {
        Err("the request names another host than its connection")
    }
}

const fn surface_of(kind: &Kind) -> Surface {
    match kind {
        Kind::Root => Surface::Root,
        Kind::Page(_) | Kind::Nothing => Surface::Page,
        Kind::LegacyJson(_) => Surface::LegacyJson,
        Kind::File => Surface::File,
        Kind::Metadata => Surface::Metadata,
        Kind::Provenance => Surface::Provenance,
        Kind::Feed | Kind::Sitemap => Surface::Feed,
        Kind::XmlRpc => Surface::XmlRpc,
        Kind::Upload => Surface::Upload,
        Kind::Stats | Kind::Listing | Kind::Web => Surface::Web,
    }
}

/// Sixteen random hex digits: enough to find one request in a day's log.
pub(super) fn request_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness ids repeat, which harms nobody.
    let _filled = aws_lc_rs::rand::fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}
