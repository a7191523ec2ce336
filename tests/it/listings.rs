//! Feeds, sitemaps, statistics and web pages: whatever lists projects lists none that is protected.

use http::{Method, Response};
use namewall::demo::StandIn;
use namewall::demo::standin::Builder;
use namewall::demo::standin::body::full;

use crate::faults::assert_failed;
use crate::world::{Answer, Ask, RULES, World};

const UPDATES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- retrieved from PyPI -->
<rss version="2.0">
  <channel>
    <title>PyPI recent updates</title>
    <link>https://pypi.org/</link>
    <item>
      <title>Acme_Core 99.0</title>
      <link>https://pypi.org/project/acme-core/99.0/</link>
      <guid>https://pypi.org/project/acme-core/99.0/</guid>
    </item>
    <item>
      <title>six 1.17.0</title>
      <link>https://pypi.org/project/six/1.17.0/</link>
      <guid>https://pypi.org/project/six/1.17.0/</guid>
    </item>
  </channel>
</rss>
"#;

const SITEMAP: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
  <url><loc>https://pypi.org/project/acme-core/</loc><lastmod>2026-01-01</lastmod></url>
  <url><loc>https://pypi.org/project/six/</loc><lastmod>2026-01-01</lastmod></url>
</urlset>
"#;

const STATS: &str =
    r#"{"top_packages":{"Acme_Core":{"size":3},"six":{"size":2},"requests":{"size":1}},"total_packages_size":6}"#;

const SEARCH: &str = r#"<!DOCTYPE html><html><head><link rel="stylesheet" href="/static/x.css"></head><body>
<ul><li><a class="package-snippet" href="/project/acme-core/"><h3><span class="package-snippet__name">acme-core</span></h3></a></li>
<li><a class="package-snippet" href="/project/six/"><h3><span class="package-snippet__name">six</span></h3></a></li></ul>
</body></html>"#;

/// A PyPI that answers every path with this body, of this type.
fn saying(content_type: &'static str, body: &'static str) -> Builder {
    StandIn::builder().responder(move |asked| {
        let response = Response::builder().header("content-type", content_type).header("etag", "\"t\"");
        let response = response.header("content-security-policy", "default-src 'none'").header("set-cookie", "a=b");
        if asked.header("if-none-match") == Some("\"t\"") {
            return response.status(304).body(full("")).ok();
        }
        response.body(full(body)).ok()
    })
}

async fn ask(content_type: &'static str, body: &'static str, target: &str) -> Answer {
    World::with(saying(content_type, body), RULES).await.ask(Ask::get("pypi.org", target)).await
}

#[tokio::test]
async fn feeds_and_sitemaps_lose_their_protected_entries() {
    for (content_type, body, target) in [
        ("text/xml; charset=utf-8", UPDATES, "/rss/updates.xml"),
        ("application/rss+xml", UPDATES, "/rss/packages.xml"),
        ("text/xml; charset=UTF-8", UPDATES, "/rss/project/six/releases.xml"),
        ("text/xml; charset=UTF-8", SITEMAP, "/00.sitemap.xml"),
        ("text/xml; charset=UTF-8", SITEMAP, "/sitemap.xml"),
    ] {
        let answer = ask(content_type, body, target).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (200, "filtered"), "{target}");
        let text = answer.text();
        assert!(text.contains("/project/six/") && !text.to_lowercase().contains("acme"), "{target}: {text}");
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!((answer.header("cache-control"), answer.header("set-cookie")), ("no-cache", "a=b"));
        assert!(answer.header("etag").starts_with("\"nw-"), "{}", answer.header("etag"));
    }
}

#[tokio::test]
async fn what_lists_nothing_protected_keeps_its_bytes() {
    const FEED: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><item><title>six 1.0</title><link>https://pypi.org/project/six/1.0/</link></item></channel></rss>"#;
    const PAGE: &str = "<html><body><a href='/project/six/'>six</a>  <p class=x>anything</body>";
    for (content_type, body, target) in [
        ("text/xml", FEED, "/rss/updates.xml"),
        ("application/json", r#"{"top_packages": {"six":{"size":2}} }"#, "/stats/"),
        ("text/html; charset=UTF-8", PAGE, "/search/?q=six"),
        ("text/html; charset=UTF-8", PAGE, "/user/somebody/"),
        ("text/html", PAGE, "/"),
    ] {
        let answer = ask(content_type, body, target).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, body), "{target}");
        assert_eq!((answer.header("namewall-decision"), answer.header("content-type")), ("", content_type));
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'", "a page keeps its policies");
    }
}

#[tokio::test]
async fn statistics_lose_their_protected_keys() {
    let answer = ask("application/json", STATS, "/stats/").await;
    assert_eq!(answer.text(), STATS.replace(r#""Acme_Core":{"size":3},"#, ""));
    assert_eq!(answer.header("namewall-decision"), "filtered");
}

#[tokio::test]
async fn a_page_that_lists_something_protected_is_replaced_by_the_rest() {
    for target in ["/search/?q=core", "/user/somebody/", "/org/acmecorp/", "/stats/", "/"] {
        let answer = ask("text/html; charset=UTF-8", SEARCH, target).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (200, "filtered"), "{target}");
        let page = answer.text();
        assert!(!page.contains("acme-core") && page.contains(r#"href="/project/six/""#), "{target}: {page}");
        assert!(page.contains("namewall"), "it says who did that: {page}");
    }
}

#[tokio::test]
async fn lists_that_cannot_be_understood() {
    for (content_type, body, target) in [
        ("text/xml", "<rss><channel><item>", "/rss/updates.xml"),
        ("text/xml", "<!DOCTYPE rss [<!ENTITY a 'acme'>]><rss><channel/></rss>", "/rss/updates.xml"),
        ("text/html", UPDATES, "/rss/updates.xml"),
        ("text/xml; charset=utf-16", UPDATES, "/rss/updates.xml"),
        ("application/json", "{\"top_packages\":[]}", "/stats/"),
        ("application/octet-stream", STATS, "/stats/"),
        ("image/png", SEARCH, "/search/?q=x"),
    ] {
        let answer = ask(content_type, body, target).await;
        assert_eq!((answer.status.as_u16(), answer.header("namewall-decision")), (502, "failed"), "{body}: {answer:?}");
    }
    assert_failed(&ask("text/xml", "<rss/>x", "/rss/updates.xml").await, "page-syntax");
}

#[tokio::test]
async fn lists_are_revalidated_and_answer_no_other_methods() {
    let world = World::with(saying("text/xml", UPDATES), RULES).await;
    let first = world.ask(Ask::get("pypi.org", "/rss/updates.xml")).await;
    let again = Ask::get("pypi.org", "/rss/updates.xml").header("if-none-match", first.header("etag"));
    let again = world.ask(again).await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (304, first.header("etag")));
    let foreign = Ask::get("pypi.org", "/rss/updates.xml").header("if-none-match", "\"t\"");
    assert_eq!(world.ask(foreign).await.status, 200, "upstream's own tag revives nothing");
    let head = world.ask(Ask::get("pypi.org", "/rss/updates.xml").method(Method::HEAD)).await;
    assert_eq!((head.bytes().len(), head.header("content-length")), (0, first.header("content-length")));
    for method in [Method::OPTIONS, Method::POST] {
        let answer = world.ask(Ask::get("pypi.org", "/rss/updates.xml").method(method.clone())).await;
        assert_eq!(answer.status, 405, "{method}");
    }
}

#[tokio::test]
async fn a_redirect_in_place_of_a_page_has_no_body() {
    let pypi = StandIn::builder().responder(|asked| {
        let moved = Response::builder().status(302).header("location", "/help/").header("content-type", "text/html");
        (asked.path() != "/help/").then(|| moved.body(full(SEARCH)).unwrap())
    });
    let world = World::with(pypi, RULES).await;
    for target in ["/search/?q=x", "/simple/six/", "/simple/", "/pypi/six/json", "/rss/updates.xml", "/user/somebody/"]
    {
        let answer = world.ask(Ask::get("pypi.org", target)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location"), answer.text().as_str()),
            (302, "/help/", ""),
            "{target}"
        );
        assert_eq!(answer.header("content-type"), "", "{target}");
    }
}
