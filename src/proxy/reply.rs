//! The answers that are namewall's own: 404 for what is hidden, 403 for what is refused, 502 for what can't be trusted.
//!
//! 404 is the one answer to a page with which every client goes on to the private index. A refused file ends an
//! installation whatever the status, so there the words count: pip shows the reason phrase, uv the problem's title
//! and detail (RFC 9457).

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, RETRY_AFTER, USER_AGENT,
};
use http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;
use serde_json::json;
use time::OffsetDateTime;

use super::body::{Body, empty, full};
use crate::name::FileName;
use crate::policy::{Match, Mode, Policy, Rule};
use crate::pypi::render;
use crate::pypi::resource::{Absent, Resource};
use crate::pypi::xmlrpc;
use crate::shown::quoted;
use crate::telemetry::Outcome;

const HTML: &str = "text/html; charset=UTF-8";
const PROBLEM: &str = "application/problem+json";

/// The decision that an answer carries.
pub(super) const DECISION: HeaderName = HeaderName::from_static("namewall-decision");
/// The rule that an answer carries.
pub(super) const RULE: HeaderName = HeaderName::from_static("namewall-rule");
/// The request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("namewall-request-id");

/// What the ids of rules in one field may take up: servers before us bound a head at 8 KiB.
const MAX_RULES: usize = 1024;

/// Something protected, in the shape in which PyPI says on that route that there is nothing; or a refusal, where words
/// count more than looks.
pub(super) fn denied(resource: &Resource, name: &str, found: &Match<'_>, asked_with: &HeaderMap) -> Response<Body> {
    let (content_type, body) = match resource.absent {
        Absent::Refusal => return refused(name, found),
        Absent::Page => (HTML, html(name, found.rule)),
        _ if is_browser(asked_with) => (HTML, html(name, found.rule)),
        absent => nothing(absent, resource.files.last()),
    };
    let mut response = answer(StatusCode::NOT_FOUND, content_type, body);
    mark(response.headers_mut(), Outcome::Hidden, Some(&found.rule.id));
    response
}

/// The words with which PyPI says that there is nothing.
fn nothing(absent: Absent, file: Option<&FileName>) -> (&'static str, String) {
    let message = |words: &str| ("application/json", format!(r#"{{"message": {}}}"#, json!(words)));
    match absent {
        Absent::Json => message("Not Found"),
        Absent::Provenance => {
            message(&format!("No provenance available for {}", file.map_or("this file", FileName::as_str)))
        }
        Absent::Page => (HTML, people("Page not found", "PyPI has no such page.")),
        Absent::Plain | Absent::Refusal => ("text/plain; charset=UTF-8", "404 Not Found".to_owned()),
    }
}

/// A protected file.
pub(super) fn refused(name: &str, found: &Match<'_>) -> Response<Body> {
    let mut detail = advice(name, found.rule);
    match another_release(name, found) {
        Some(other) => {
            let take = format!(" Take another release: `pip install {}`;", quoted(&other));
            detail.extend([&*take, " if a lock file or a requirement names this file, lock again."]);
        }
        None => detail.push_str(" If a lock file or a requirement names this file, lock again from the private index."),
    }
    refused_because(name, found, &detail)
}

/// An upload of a protected name.
pub(super) fn refused_upload(name: &str, found: &Match<'_>) -> Response<Body> {
    let mut detail = advice(name, found.rule);
    detail
        .push_str(" Nothing of this upload has been published. Check which repository the publishing tool is set to.");
    refused_because(name, found, &detail)
}

/// What takes another release than that of the file `name`, if that is what helps.
fn another_release(name: &str, found: &Match<'_>) -> Option<String> {
    let file = FileName::parse(name).ok()?;
    let project = file.candidates().projects.into_iter().next()?;
    let versions = file.versions_for(project.as_name());
    let version = versions.and_then(|versions| versions.first().map(ToString::to_string));
    found.another_release(project.as_str(), version.as_deref())
}

fn refused_because(name: &str, found: &Match<'_>, detail: &str) -> Response<Body> {
    let title = format!("{name} is protected by namewall rule {}", found.rule.id);
    let mut response = forbidden("protected", &title, detail);
    mark(response.headers_mut(), Outcome::Refused, Some(&found.rule.id));
    response
}

/// An upload that says of itself that it is private.
pub(super) fn refused_private(detail: &str) -> Response<Body> {
    let mut response = forbidden("upload-private", "namewall publishes nothing that is classified as private", detail);
    mark(response.headers_mut(), Outcome::Refused, None);
    response
}

/// Who answers here: under a status with which every client shows the words, and whatever rules are in force.
pub(super) fn greeting(policy: &str) -> Response<Body> {
    let version = env!("CARGO_PKG_VERSION");
    let title = format!("this is namewall {version}");
    let body = json!({
        "type": "urn:namewall:greeting",
        "title": title,
        "status": StatusCode::FORBIDDEN.as_u16(),
        "detail": "Whoever gets this answer reaches PyPI's hosts through namewall; without it, this address leads nowhere.",
        "version": version,
        "policy": policy,
    });
    with_phrase(answer(StatusCode::FORBIDDEN, PROBLEM, body.to_string()), &title)
}

fn forbidden(kind: &str, title: &str, detail: &str) -> Response<Body> {
    with_phrase(problem(StatusCode::FORBIDDEN, kind, title, detail), title)
}

fn with_phrase(mut response: Response<Body>, title: &str) -> Response<Body> {
    // hyper writes it over HTTP/1.1; HTTP/2 has none.
    if let Ok(phrase) = ReasonPhrase::try_from(format!("Forbidden: {title}")) {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// An answer that can't be trusted, or couldn't be had; `reason` is a stable word.
pub(super) fn failed(status: StatusCode, reason: &'static str, detail: &str) -> Response<Body> {
    let title = format!("namewall could not get a trustworthy answer ({reason})");
    let mut response = problem(status, reason, &title, detail);
    mark(response.headers_mut(), Outcome::Failed, None);
    response
}

/// A request that is refused for its form, whatever it names.
pub(super) fn bad_request(status: StatusCode, reason: &'static str, detail: &str) -> Response<Body> {
    problem(status, reason, &format!("namewall does not serve this request ({reason})"), detail)
}

/// A request for which there is no place now: it may be made again.
pub(super) fn busy(status: StatusCode, reason: &'static str, detail: &str) -> Response<Body> {
    let mut response = problem(status, reason, &format!("namewall is busy ({reason})"), detail);
    ask_again_later(&mut response);
    response
}

/// Says when a request may be made again that only now can't be served; nothing of other answers.
pub(super) fn ask_again_later(response: &mut Response<Body>) {
    if matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
}

/// Says that the connection ends with this answer: what follows a failed CONNECT may be meant for the tunnel, not for us.
pub(super) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The client has the page: with the page's own fields, but for those of a body.
pub(super) fn not_modified(mut fields: HeaderMap) -> Response<Body> {
    for of_body in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
        fields.remove(of_body);
    }
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = fields;
    response
}

/// A page that PyPI doesn't have either.
pub(super) fn not_found(absent: Absent) -> Response<Body> {
    let (content_type, body) = nothing(absent, None);
    answer(StatusCode::NOT_FOUND, content_type, body)
}

/// A method that an index page doesn't know.
pub(super) fn method_not_allowed() -> Response<Body> {
    let mut response =
        bad_request(StatusCode::METHOD_NOT_ALLOWED, "method", "this page answers GET and HEAD, nothing else");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// An XML-RPC call that doesn't pass (the code is that of PyPI's own runtime errors).
pub(super) fn xml_rpc_fault(why: &str) -> Response<Body> {
    let mut response = answer(StatusCode::OK, "text/xml; charset=utf-8", xmlrpc::fault(-32500, why));
    mark(response.headers_mut(), Outcome::Refused, None);
    response
}

/// Writes the decision and its rule into an answer.
pub(super) fn mark(headers: &mut HeaderMap, outcome: Outcome, rules: Option<&str>) {
    headers.insert(DECISION, HeaderValue::from_static(outcome.as_str()));
    if let Some(rules) = rules.and_then(|rules| HeaderValue::try_from(rules).ok()) {
        headers.insert(RULE, rules);
    }
}

/// The rules that may hide something of an answer whose head goes before it is known which do, as many as a field holds.
pub(super) fn possible_rules(policy: &Policy) -> String {
    let today = OffsetDateTime::now_utc().date();
    let ids = policy.heard().filter(|rule| rule.mode == Mode::Enforce && rule.is_in_force(today)).map(|rule| &*rule.id);
    let mut rules = String::new();
    for id in ids {
        if rules.len() + id.len() > MAX_RULES {
            break;
        }
        rules.push_str(if rules.is_empty() { "" } else { ", " });
        rules.push_str(id);
    }
    rules
}

/// Marks such an answer.
pub(super) fn mark_possible(response: &mut Response<Body>, policy: &Policy) {
    let rules = possible_rules(policy);
    if !rules.is_empty() {
        mark(response.headers_mut(), Outcome::Filtered, Some(&rules));
    }
}

/// What the one who was refused needs to know: why, who decides, where the private copy is, what to run.
fn advice(name: &str, rule: &Rule) -> String {
    let mut text = format!("The public index may not serve {name} here");
    match &rule.reason {
        Some(reason) => text.extend([": ", reason.trim_end_matches('.'), "."]),
        None => text.push('.'),
    }
    if let Some(index) = &rule.private_index {
        text.extend([" The private copy is on ", index, "."]);
    }
    if let Some(owner) = &rule.owner {
        text.extend([" Ask ", owner, " about this rule."]);
    }
    text
}

fn problem(status: StatusCode, kind: &str, title: &str, detail: &str) -> Response<Body> {
    let body = json!({
        "type": format!("urn:namewall:{kind}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
    });
    answer(status, PROBLEM, body.to_string())
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a person is reading: pip before 22.2 asks for `text/html` too, but not as Mozilla.
fn is_browser(headers: &HeaderMap) -> bool {
    let says = |name, word: &str| headers.get(name).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(word));
    says(ACCEPT, "text/html") && says(USER_AGENT, "Mozilla/")
}

fn html(name: &str, rule: &Rule) -> String {
    let (name, id, advice) = (escape(name), escape(&rule.id), escape(&advice(name, rule)));
    people(
        &format!("{name} is hidden here"),
        &format!(
            "This is not PyPI's answer: namewall hides <b>{name}</b> on the public index by its rule <b>{id}</b>.</p>\n\
             <p>{advice}"
        ),
    )
}

/// A small page for people; heading and text are HTML.
fn people(heading: &str, text: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>404 Not Found</title></head>\n\
         <body><h1>{heading}</h1>\n<p>{text}</p></body></html>\n"
    )
}

/// `text` as HTML shows it.
fn escape(text: &str) -> String {
    let mut escaped = Vec::with_capacity(text.len());
    render::escape(text, &mut escaped);
    String::from_utf8_lossy(&escaped).into_owned()
}

#[cfg(test)]
mod tests {
    use http::Method;
    use http_body_util::BodyExt;

    use super::*;
    use crate::pypi::site::SiteKind;

    fn rule() -> Rule {
        Rule { id: "acme".into(), reason: Some("Internal to Acme".into()), ..Rule::default() }
    }

    fn found(rule: &Rule) -> Match<'_> {
        Match { rule, written: "acme-*", folded: "acme-*", place: None }
    }

    #[test]
    fn a_refusal_names_the_rule_where_each_client_looks() {
        let rule = rule();
        let response = refused("acme-core", &found(&rule));
        assert_eq!(response.status(), 403);
        let phrase = response.extensions().get::<ReasonPhrase>().unwrap();
        assert_eq!(phrase.as_bytes(), b"Forbidden: acme-core is protected by namewall rule acme");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[DECISION], "refused");
    }

    #[tokio::test]
    async fn of_a_project_with_other_releases_those_are_advised() {
        let versions = "<2".parse().ok();
        let rule = Rule { versions, ..rule() };
        let found = Match { written: "urllib3", folded: "urllib3", ..found(&rule) };
        let detail = |rule: &Rule| {
            let body = refused("urllib3-1.26.5.tar.gz", &Match { rule, ..found }).into_body();
            async { String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap() }
        };
        let public = detail(&rule).await;
        assert!(public.contains("Take another release: `pip install 'urllib3>=2'`"), "{public}");
        assert!(!public.contains("private index"), "{public}");
        let private = Rule { private_index: Some("https://pypi.acme.example/simple/".into()), ..rule.clone() };
        assert!(detail(&private).await.contains("lock again from the private index"));
    }

    /// Type and body of what a protected name's URL is answered with.
    async fn shape(target: &str, asked_with: &HeaderMap) -> (String, String) {
        let rule = rule();
        let resource = Resource::of(SiteKind::Index, &Method::GET, target).unwrap();
        let response = denied(&resource, "acme-core", &found(&rule), asked_with);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store", "{target}");
        let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_is_hidden_looks_as_what_pypi_does_not_have() {
        for (target, kind, body) in [
            ("/simple/acme-core/", "text/plain; charset=UTF-8", "404 Not Found"),
            ("/pypi/acme-core/json", "application/json", r#"{"message": "Not Found"}"#),
            ("/pypi/acme-core/1.0/json", "application/json", r#"{"message": "Not Found"}"#),
            (
                "/integrity/acme-core/1.0/acme_core-1.0.tar.gz/provenance",
                "application/json",
                r#"{"message": "No provenance available for acme_core-1.0.tar.gz"}"#,
            ),
        ] {
            assert_eq!(shape(target, &HeaderMap::new()).await, (kind.to_owned(), body.to_owned()), "{target}");
        }
        for target in ["/project/acme-core/", "/rss/project/acme-core/releases.xml", "/search/?q=acme-core", "/x/acme"]
        {
            let (kind, body) = shape(target, &HeaderMap::new()).await;
            assert!(kind == HTML && body.contains("<b>acme</b>"), "{target}: {kind} {body}");
        }
    }

    #[tokio::test]
    async fn people_are_told_why() {
        let browser = [(ACCEPT, "text/html,*/*"), (USER_AGENT, "Mozilla/5.0")];
        let browser = browser.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
        let (kind, body) = shape("/simple/acme-core/", &browser).await;
        assert!(kind == HTML && body.contains("Internal to Acme"), "{kind} {body}");
    }
}
