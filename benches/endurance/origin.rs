//! PyPI, with more pages than are kept, a long list, and files short and long.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, Response};
use namewall::demo::StandIn;
use namewall::demo::standin::body::{Body, full, pieces};

/// Of so many projects pages are asked for: together they are larger than the cache of pages.
pub(crate) const PROJECTS: usize = 10_000;
const RELEASES: usize = 60;
const LISTED: usize = 50_000;

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const HTML: &str = "application/vnd.pypi.simple.v1+html";

/// Starts it.
pub(crate) async fn start() -> StandIn {
    let list = list();
    let file = Bytes::from(vec![b'x'; 200_000]);
    let answer = |kind: &'static str, body: Body| {
        let mut answer = Response::new(body);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        answer
    };
    let responder = move |asked: &namewall::demo::standin::Asked| {
        let path = asked.path();
        if path == "/simple/" {
            return Some(answer(JSON, full(list.clone())));
        }
        if path.ends_with("/long-1.0.tar.gz") {
            let pieces = pieces((0..100).map(|_| file.clone()), std::time::Duration::from_millis(1));
            return Some(answer("application/octet-stream", pieces));
        }
        if path.starts_with("/packages/") {
            return Some(answer("application/octet-stream", full(file.clone())));
        }
        let project = path.strip_prefix("/simple/")?.strip_suffix('/')?;
        let wants_json = asked.header("accept").is_some_and(|accept| accept.contains("json"));
        let mut page = if wants_json { answer(JSON, full(json(project))) } else { answer(HTML, full(html(project))) };
        page.headers_mut().insert(ETAG, HeaderValue::try_from(format!("\"{project}\"")).ok()?);
        page.headers_mut().insert("cache-control", HeaderValue::from_static("max-age=600, public"));
        Some(page)
    };
    StandIn::builder().responder(responder).start().await.expect("a stand-in")
}

fn list() -> Bytes {
    let names: Vec<_> =
        (0..LISTED).map(|number| format!("{{\"_last-serial\":{number},\"name\":\"load-{number}\"}}")).collect();
    let projects = names.join(",");
    Bytes::from(format!("{{\"meta\":{{\"_last-serial\":1,\"api-version\":\"1.4\"}},\"projects\":[{projects}]}}"))
}

fn url(project: &str, release: usize) -> (String, String) {
    let file = format!("{project}-{release}.0.tar.gz");
    (format!("https://files.pythonhosted.org/packages/ab/cd/{project}/{file}"), file)
}

fn json(project: &str) -> String {
    let file = |release| {
        let (url, file) = url(project, release);
        let hash = "0123456789abcdef".repeat(4);
        format!(
            "{{\"filename\":\"{file}\",\"hashes\":{{\"sha256\":\"{hash}\"}},\"requires-python\":\">=3.9\",\"size\":200000,\"url\":\"{url}\",\"yanked\":false}}"
        )
    };
    let files: Vec<_> = (0..RELEASES).map(file).collect();
    format!(
        "{{\"files\":[{}],\"meta\":{{\"api-version\":\"1.4\"}},\"name\":\"{project}\",\"versions\":[]}}",
        files.join(",")
    )
}

fn html(project: &str) -> String {
    let link = |release| {
        let (url, file) = url(project, release);
        format!(
            "<a href=\"{url}#sha256={}\" data-requires-python=\"&gt;=3.9\">{file}</a><br/>\n",
            "0123456789abcdef".repeat(4)
        )
    };
    let links: String = (0..RELEASES).map(link).collect();
    format!(
        "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"1.4\"><title>Links for {project}</title></head><body>\n{links}</body></html>\n"
    )
}
