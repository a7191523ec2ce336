//! The one way in: which reader and which writer are chosen.

use proptest::prelude::*;

use super::*;
use crate::pypi::testing::Hiding;

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const ROOT: &str = r#"{"meta":{"api-version":"1.0"},"projects":[{"name":"b"}]}"#;
const PAGE: &str = r#"{"name":"b","files":[{"filename":"b-1.0.zip","url":"b-1.0.zip"}]}"#;
const HTML: &str = "<a href='b-1.0.zip'>x</a>";
const LEGACY: &str = r#"{"info":{"name":"b"},"urls":[]}"#;

fn filter<'a>(
    kind: Kind<'a>,
    content_type: &'a str,
    body: &'a str,
    wanted: Representation,
) -> Result<Filtered<'a>, Malformed> {
    let page = Received { kind, content_type: Some(content_type), body: body.as_bytes(), url: None, wanted };
    filter_page(&page, &mut Hiding::names(&["acme"]))
}

#[test]
fn every_way_through() {
    use Representation::{Html, Json, TextHtml};
    let b = "b".parse().unwrap();
    for (kind, content_type, body, wanted, written, unchanged) in [
        (Kind::Root, JSON, ROOT, Json, Json.content_type(), true),
        (Kind::Root, JSON, ROOT, Html, Html.content_type(), false),
        (Kind::Root, "text/html", "<a href=b/>b</a>", Json, TextHtml.content_type(), false),
        (Kind::Root, "text/html", "<a href=b/>b</a>", Html, Html.content_type(), false),
        (Kind::Project(Some(&b)), JSON, PAGE, Json, Json.content_type(), true),
        (Kind::Project(Some(&b)), JSON, PAGE, TextHtml, TextHtml.content_type(), false),
        (Kind::Project(Some(&b)), "text/html; charset=utf-8", HTML, Json, TextHtml.content_type(), false),
        (Kind::Project(Some(&b)), Html.content_type(), HTML, Html, Html.content_type(), false),
        (Kind::Legacy(Some(&b)), "application/json", LEGACY, TextHtml, "application/json", true),
    ] {
        let filtered = filter(kind, content_type, body, wanted).unwrap();
        assert_eq!((filtered.content_type, filtered.is_unchanged()), (written, unchanged), "{kind:?} {content_type}");
        assert_eq!((filtered.removed, filtered.emptied), (0, false));
        assert!(!unchanged || *filtered.body == *body.as_bytes());
        assert!(filtered.content_type.contains("json") || filtered.body.starts_with(b"<!DOCTYPE html>"));
    }
}

#[test]
fn the_content_type_alone_decides() {
    let b = "b".parse().unwrap();
    for (kind, content_type, body) in [
        (Kind::Root, "application/json", ROOT),
        (Kind::Root, "application/vnd.pyx.simple.v1+msgpack", ROOT),
        (Kind::Project(Some(&b)), "text/html; charset=utf-16", HTML),
        (Kind::Project(Some(&b)), JSON, HTML),
        (Kind::Legacy(Some(&b)), JSON, LEGACY),
        (Kind::Legacy(Some(&b)), "text/html", LEGACY),
    ] {
        assert!(filter(kind, content_type, body, Representation::Json).is_err(), "{kind:?} {content_type}");
    }
    let untyped = Received {
        kind: Kind::Root,
        content_type: None,
        body: ROOT.as_bytes(),
        url: None,
        wanted: Representation::Json,
    };
    assert!(filter_page(&untyped, &mut Hiding::default()).is_err());
    // JSON that calls itself HTML has no anchors.
    let filtered = filter(Kind::Project(Some(&b)), "text/html", PAGE, Representation::Json).unwrap();
    assert!(!String::from_utf8_lossy(&filtered.body).contains("b-1.0"));
}

#[test]
fn what_goes_is_counted() {
    let acme = ROOT.replace("\"b\"", "\"acme\"");
    let filtered = filter(Kind::Root, JSON, &acme, Representation::Json).unwrap();
    assert_eq!((filtered.removed, filtered.emptied, filtered.is_unchanged()), (1, false, false));
    let b = "b".parse().unwrap();
    let acme = PAGE.replace("\"b-1.0", "\"acme-1.0");
    let filtered = filter(Kind::Project(Some(&b)), JSON, &acme, Representation::Json).unwrap();
    assert_eq!((filtered.removed, filtered.emptied, filtered.is_unchanged()), (1, true, false));
}

proptest! {
    #[test]
    fn any_page_is_read_without_a_panic(body in "(\\PC|[<>a\"'{}:,\\[\\]&;= ]){0,60}", kind in 0..3) {
        let b = "b".parse().unwrap();
        let kind = [Kind::Root, Kind::Project(Some(&b)), Kind::Legacy(Some(&b))][kind as usize];
        for content_type in [JSON, "text/html", "application/json"] {
            for wanted in [Representation::Json, Representation::Html] {
                let _read = filter(kind, content_type, &body, wanted);
            }
        }
    }
}
