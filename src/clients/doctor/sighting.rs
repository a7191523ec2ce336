//! Who answers at a proxy: a namewall, somebody else, nobody; and what comes through.
//!
//! A namewall is known by an answer that only it gives, on PyPI's own hosts and inside TLS: what a client would get
//! there, whatever proxies are chained before it, and with no name in the question. Its own port tells less (another
//! proxy may stand between), and the issuer of its certificates can be anybody's, where an organisation issued them.
//! A protected name is asked for only on a line that has given that answer, and first below the address at which
//! namewall asks nobody: one with other rules must not carry the name to PyPI.

use http::StatusCode;
use rustls::RootCertStore;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::line::{Answer, Broken, Line, Way};
use super::proxy_url::ProxyUrl;
use crate::name::{HostName, ProjectName};
use crate::net::dial::Dialer;
use crate::proxy::GREETING;
use crate::tls::shown::Shown;

/// The index.
pub(crate) const INDEX: &str = "pypi.org";
/// The host of its files.
pub(super) const FILES: &str = "files.pythonhosted.org";

/// What was seen at a proxy.
#[derive(Debug)]
pub(super) struct Sighting {
    pub(super) proxy: ProxyUrl,
    pub(super) seen: Seen,
}

#[derive(Debug)]
pub(super) enum Seen {
    /// A namewall.
    Namewall(Box<Wall>),
    /// A proxy that is none: it answered so where a namewall says that it is one.
    Another(StatusCode),
    /// No line.
    Broken(Broken),
}

/// A namewall, and what comes through it.
#[derive(Debug)]
pub(super) struct Wall {
    pub(super) greeting: Greeting,
    pub(super) shown: Vec<Shown>,
    pub(super) index: Result<(), String>,
    pub(super) files: Result<(), String>,
    /// What became of the protected name; `None` if there was none to ask for.
    pub(super) stopped: Option<Stopped>,
    /// PyPI's time less ours, in seconds.
    pub(super) ahead: Option<i64>,
}

/// What a namewall says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Greeting {
    pub(super) version: String,
    pub(super) policy: String,
}

#[derive(Debug)]
pub(super) enum Stopped {
    /// By this rule, page and file.
    By(String),
    /// No rule of its hides the project. PyPI was not asked.
    NoRule,
    /// It says that it protects the project, and this of it was answered so.
    NotHidden(&'static str, StatusCode),
    Broken(String),
}

impl Sighting {
    /// Asks what is at `proxy`, and asks it for `name` if it is a namewall.
    pub(super) async fn of(proxy: ProxyUrl, name: Option<&ProjectName>, roots: &RootCertStore) -> Self {
        let seen = see(&proxy, name, roots).await.unwrap_or_else(Seen::Broken);
        Self { proxy, seen }
    }

    pub(super) const fn wall(&self) -> Option<&Wall> {
        match &self.seen {
            Seen::Namewall(wall) => Some(wall),
            Seen::Another(_) | Seen::Broken(_) => None,
        }
    }
}

async fn see(proxy: &ProxyUrl, name: Option<&ProjectName>, roots: &RootCertStore) -> Result<Seen, Broken> {
    let dialer = Dialer::new(std::collections::HashMap::new(), Vec::new());
    let (Ok(index_host), Ok(files_host)) = (INDEX.parse::<HostName>(), FILES.parse::<HostName>()) else {
        return Err(Broken::NotAProxy);
    };
    let mut index = Line::open(Way::Proxy(proxy), &index_host, &dialer, roots).await?;
    let answer = index.get(GREETING).await?;
    let Some(greeting) = greeting(&answer) else { return Ok(Seen::Another(answer.status)) };
    let mut shown = vec![index.shown.clone()];
    let mut ahead = None;
    let index_reached = reached(&mut index, &mut ahead).await;
    let (files_reached, stopped) = match Line::open(Way::Proxy(proxy), &files_host, &dialer, roots).await {
        Ok(mut files) => {
            shown.push(files.shown.clone());
            match files.get(GREETING).await.map(|answer| self::greeting(&answer).is_some()) {
                Ok(true) => {
                    let reached = reached(&mut files, &mut ahead).await;
                    let stopped = match name {
                        Some(name) => Some(stopped(name, &mut index, &mut files).await),
                        None => None,
                    };
                    (reached, stopped)
                }
                Ok(false) => (Err("it answers for this host as no namewall does".to_owned()), None),
                Err(broken) => (Err(broken.to_string()), None),
            }
        }
        Err(broken) => (Err(broken.to_string()), None),
    };
    let (index, files) = (index_reached, files_reached);
    Ok(Seen::Namewall(Box::new(Wall { greeting, shown, index, files, stopped, ahead })))
}

fn greeting(answer: &Answer) -> Option<Greeting> {
    serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == StatusCode::FORBIDDEN)
}

/// Whether PyPI's host answers through the wall; what it answers is its own business.
async fn reached(line: &mut Line, ahead: &mut Option<i64>) -> Result<(), String> {
    let answer = line.get("/robots.txt").await.map_err(|broken| broken.to_string())?;
    if answer.field("namewall-decision") == "failed" || answer.status.is_server_error() {
        return Err(detail(&answer));
    }
    let date = OffsetDateTime::parse(&answer.field("date").replace("GMT", "+0000"), &Rfc2822).ok();
    *ahead = date.map(|date| (date - OffsetDateTime::now_utc()).whole_seconds()).or(*ahead);
    Ok(())
}

/// A rule that refuses a file of the name may well let its page through: only of who hides the project it is asked.
async fn stopped(name: &ProjectName, index: &mut Line, files: &mut Line) -> Stopped {
    ask_of(name, index, files).await.unwrap_or_else(|broken| Stopped::Broken(broken.to_string()))
}

async fn ask_of(name: &ProjectName, index: &mut Line, files: &mut Line) -> Result<Stopped, Broken> {
    let project = index.get(&format!("{GREETING}/project/{name}")).await?;
    let rule = project.field("namewall-rule");
    if rule.is_empty() {
        return Ok(Stopped::NoRule);
    }
    let wheel = format!("{}-0-py3-none-any.whl", name.as_str().replace('-', "_"));
    let file = files.get(&format!("{GREETING}/{wheel}")).await?;
    if file.field("namewall-rule").is_empty() {
        return Ok(Stopped::NotHidden("file", file.status));
    }
    let page = index.get(&format!("/simple/{name}/")).await?;
    if page.status != StatusCode::NOT_FOUND || page.field("namewall-decision") != "hidden" {
        return Ok(Stopped::NotHidden("page", page.status));
    }
    Ok(Stopped::By(rule.to_owned()))
}

/// What a problem document says, or the status.
fn detail(answer: &Answer) -> String {
    let problem = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    detail.map_or_else(|| format!("it answers {}", answer.status), str::to_owned)
}
