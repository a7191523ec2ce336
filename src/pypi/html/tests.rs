//! What is, and what is not, an anchor; what is refused; what comes out.

use proptest::prelude::*;

use super::*;
use crate::pypi::testing::Hiding;

fn hrefs(html: &str) -> Result<Vec<String>, Malformed> {
    Ok(read(html.as_bytes(), None)?.anchors.into_iter().map(|anchor| anchor.href).collect())
}

#[test]
fn anchors() {
    for (html, expected) in [
        ("<a href=x>t</a>", &["x"][..]),
        ("<A HREF = 'x'>t</A >", &["x"]),
        ("<a href=\"&#97;c&#x6D;e-1.0&period;zip\">", &["acme-1.0.zip"]),
        ("<a href=&#97cme>", &["acme"]),
        ("<a\nhref=\n\"x\"\n>", &["x"]),
        ("<a href=\" x \n\">", &["x"]),
        ("<a/href=x>", &["x"]),
        ("<a title='>' href=x>", &["x"]),
        ("<a title=\"<a href=y>\" href=x>", &["x"]),
        ("<a href=x><a href=y>", &["x", "y"]),
        ("<svg><a href=x></svg>", &["x"]),
        ("<a href>", &[""]),
        ("<a><a name=x><abbr href=x><ahref=x><a:href=x>", &[]),
        ("<!-- <a href=x> --><a href=y>", &["y"]),
        ("<!--><a href=y>-->", &["y"]),
        ("<!-- --!><a href=y>", &["y"]),
        ("<![CDATA[<a href=x>]]>", &[]),
        ("<?php <a href=x>", &[]),
        ("<script><a href=x></script><a href=y>", &["y"]),
        ("<script><!--<script></script><a href=x>--></script><a href=y>", &["y"]),
        ("<style><a href=x></style>", &[]),
        ("<title><a href=x></title>", &[]),
        ("<textarea><a href=x></textarea>", &[]),
        ("<template><template></template><a href=x></template><a href=y>", &["y"]),
        ("<template><a href=x>", &[]),
        ("<plaintext><a href=x>", &[]),
        ("</a href=x><a href=y", &[]),
    ] {
        assert_eq!(hrefs(html).unwrap(), expected, "{html}");
    }
}

#[test]
fn text_and_attributes() {
    let html =
        "<a href=x data-yanked data-size=7 data-yanker=no DATA-Requires-Python='&gt;=3'> a<b>b</b>&amp; </a>rest";
    let anchors = read(html.as_bytes(), None).unwrap().anchors;
    let attributes: Vec<_> = [("data-requires-python", ">=3"), ("data-yanked", ""), ("data-size", "7")]
        .map(|(n, v)| (n, v.to_owned()))
        .into();
    assert_eq!(anchors, [Anchor { href: "x".into(), attributes, text: " ab& ".into() }]);
}

#[test]
fn what_two_parsers_could_read_in_two_ways_is_refused() {
    for html in [
        "<a href=x href=acme>",
        "<a href=x HREF=x>",
        "<a href=x data-size=1 data-size=2>",
        "<base href=x><base href=/y href=/z>",
        "<meta name=a name=b>",
        "<a href=x\0>",
    ] {
        assert!(matches!(hrefs(html), Err(Malformed::Syntax { .. })), "{html}");
    }
    assert!(hrefs("<p class=a class=b></p class=a class=b>").is_ok(), "elements that nobody reads may be wrong");
    for bytes in [&b"\xff\xfe<\0a\0"[..], b"\xfe\xff\0<", b"<\0a\0 \0", b"<a href=\xff>"] {
        assert!(read(bytes, None).is_err(), "{}", bytes.escape_ascii());
    }
    assert_eq!(hrefs("\u{feff}<a href=x>").unwrap(), ["x"]);
}

#[test]
fn charsets() {
    for fine in ["utf-8", "UTF8", "us-ascii", " utf-8 "] {
        assert!(hrefs(&format!("<meta charset='{fine}'>")).is_ok(), "{fine}");
        assert!(hrefs(&format!("<meta http-equiv=Content-Type content='text/html; charset={fine};x'>")).is_ok());
    }
    for bad in ["utf-16", "utf-7", "latin1", "shift_jis", ""] {
        assert!(hrefs(&format!("<meta charset='{bad}'>")).is_err(), "{bad}");
        assert!(hrefs(&format!("<meta content='text/html; Charset={bad}' http-equiv=content-TYPE>")).is_err(), "{bad}");
    }
}

#[test]
fn bases() {
    let page: Url = "https://mirror.example/simple/sample/".parse().unwrap();
    let with = |html: &str| -> Result<Vec<String>, Malformed> {
        Ok(read(html.as_bytes(), Some(&page))?.anchors.into_iter().map(|anchor| anchor.href).collect())
    };
    for (html, href) in [
        ("<a href=../x>", "../x"),
        ("<a href=//h/x>", "//h/x"),
        ("<base href=https://h/y/><a href=../x>", "https://h/x"),
        ("<a href=x><base href=/y/>", "https://mirror.example/y/x"),
        ("<base target=_blank><base href=/y/><base href=/z/><a href=x>", "https://mirror.example/y/x"),
        ("<base href=/y/><a href=HTTPS://H/x>", "https://h/x"),
    ] {
        assert_eq!(with(html).unwrap(), [href], "{html}");
    }
    for html in ["<base href=javascript:x>", "<base href='https://['>", "<base href=file:///x>"] {
        assert!(with(html).is_err(), "{html}");
    }
    assert!(hrefs("<base href=/y/>").is_err(), "relative to nothing");
    for html in ["<a href=javascript:x>", "<a href=mailto:x@y>", "<a href=file:///x>", "<a href='https://['>"] {
        assert_eq!(with(html).unwrap(), [""; 0], "{html}");
    }
}

#[test]
fn meta() {
    let meta = read(
        b"<meta name='pypi:repository-version' content='1.2'><meta content=archived name=PyPI:project-status>\
        <meta name='pypi:project-status-reason' content=old><meta name='pypi:tracks' content='https://x/'>",
        None,
    );
    let meta = meta.unwrap().meta;
    assert_eq!((&*meta.version, meta.status.as_deref()), ("1.2", Some("archived")));
    assert_eq!(meta.status_reason.as_deref(), Some("old"));
    assert!(read(b"<meta name='pypi:repository-version' content='2.0'>", None).is_err());
}

#[test]
fn a_root_list() {
    let source = r#"<html><body><a href="../">../</a><a href="/simple/b/">B</a><a href="ac&#109;e/">other</a>
        <a href="c-long-name/">c-long-na..&gt;</a><a href="/simple/d.d/?x#y">D_d/</a><a href="mailto:x">x</a></body>"#;
    let (html, removed) = filter_root(source.as_bytes(), None, &mut Hiding::names(&["acme"])).unwrap();
    assert_eq!(removed, 2, "the way up is no project");
    insta::assert_snapshot!(String::from_utf8(html).unwrap(), @r##"
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta name="pypi:repository-version" content="1.0">
        <title>Simple index</title>
      </head>
      <body>
        <a href="/simple/b/">B</a>
        <a href="c-long-name/">c-long-name</a>
        <a href="/simple/d.d/?x#y">D_d</a>
      </body>
    </html>
    "##);
}

#[test]
fn too_much_is_refused() {
    let page = vec![b' '; tags::MAX_PAGE + 1];
    assert!(matches!(read(&page, None), Err(Malformed::Limit(_))));
}

proptest! {
    #[test]
    fn a_link_is_resolved_as_the_url_parser_does(
        links in proptest::collection::vec(
            "(https?://(a[.]example|A[.]example|u@b|b:443|b:80|1)/|[.][.]/|ftp://a/|)([a%+=_~-]{0,2}[./]{0,3}){0,3}[a ]?(#[a=\\u{e9} #]{0,3}|[?]a)?",
            0..8,
        ),
    ) {
        let base = Url::parse("https://base.example/x/").unwrap();
        for base in [None, Some(base)] {
            let mut in_a_row = Links { base: base.clone(), origin: String::new() };
            for link in &links {
                let expected = match (Url::parse(link), &base) {
                    (Err(url::ParseError::RelativeUrlWithoutBase), None) => Some(link.clone()),
                    (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) => base.join(link).ok().map(String::from),
                    (parsed, _) => parsed.ok().filter(is_web).map(String::from),
                };
                prop_assert_eq!(in_a_row.resolve(link.clone()), expected);
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again(hrefs in proptest::collection::vec("[a-z&<>\"' =/]{1,12}", 0..5), value in "[^\r\0]{0,12}") {
        let mut html = Vec::new();
        render::page_head(&Meta::default(), "x", &mut html);
        for href in &hrefs {
            render::page_anchor(render::whole(href), [("data-yanked", render::whole(&value))], &value, &mut html);
        }
        render::page_tail(&Meta::default(), &mut html);
        let read = read(&html, None).unwrap().anchors;
        prop_assert_eq!(read.len(), hrefs.len());
        for (anchor, href) in read.iter().zip(&hrefs) {
            prop_assert_eq!(&anchor.href, href.trim());
            prop_assert_eq!(&anchor.attributes, &[("data-yanked", value.clone())]);
            prop_assert_eq!(&anchor.text, &value);
        }
    }

    #[test]
    fn nothing_hidden_survives_in_any_soup(
        pieces in proptest::collection::vec(prop::sample::select(vec![
            "<a ", "href=", "href", "'", "\"", ">", "</a>", "<!--", "-->", "acme-1.0.zip", "&#97;cme-1.0.zip", "other-1.0.zip",
            "<script>", "</script>", "<template>", "</template>", "<base href=https://h/>", "/", " ", "x", "<", "&", "#egg=acme-1",
        ]), 0..20),
    ) {
        let soup = pieces.concat();
        let project = "other".parse().unwrap();
        if let Ok(mut page) = crate::pypi::page::Page::from_html(soup.as_bytes(), Some(&project), None) {
            page.filter(&mut Hiding::names(&["acme"]));
            let html = String::from_utf8(page.to_html()).unwrap();
            for href in hrefs(&html).unwrap() {
                let path = href.split(['?', '#']).next().unwrap().trim_end_matches('/');
                // Two names run together are one name of somebody else's: PEP 440 has no version `1.0.zipacme-1.0`.
                prop_assert!(path.rsplit('/').next() != Some("acme-1.0.zip"), "{html}");
                prop_assert!(!href.contains("egg=acme"), "{html}");
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".*") {
        let _read = read(&bytes, None);
        let _filtered = filter_root(text.as_bytes(), None, &mut Hiding::default());
    }
}
