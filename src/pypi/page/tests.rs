//! Project pages: kept entries keep their bytes, hidden ones go by whichever name, and both representations agree.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pypi::testing::Hiding;

const PYPI: &str = r#"{"meta":{"_last-serial":7,"api-version":"1.4"},"name":"sample","project-status":{"status":"active"},"versions":["1.0","2.0"],"files":[{"core-metadata":{"sha256":"aa"},"data-dist-info-metadata":{"sha256":"aa"},"filename":"sample-1.0-py3-none-any.whl","hashes":{"md5":"00","sha256":"11"},"provenance":"https://i/integrity/sample/1.0/sample-1.0-py3-none-any.whl/provenance","requires-python":">=3.7, <4","size":10,"upload-time":"2024-01-01T00:00:00.000000Z","url":"https://f/packages/sample-1.0-py3-none-any.whl","yanked":false},{"core-metadata":false,"filename":"sample-2.0.tar.gz","hashes":{"sha256":"22"},"provenance":null,"requires-python":null,"size":11,"url":"https://f/packages/sample-2.0.tar.gz","yanked":"a \"bad\" <one>","x":[1]}],"x":{"y":1}}"#;

fn sample() -> ProjectName {
    "sample".parse().unwrap()
}

fn filtered(source: &str) -> Result<Page<'_>, Malformed> {
    let mut page = Page::from_json(source.as_bytes(), Some(&sample()))?;
    page.filter(&mut Hiding::names(&["acme"]));
    Ok(page)
}

fn page_of(files: &[serde_json::Value]) -> String {
    json!({"meta": {"api-version": "1.4"}, "name": "sample", "files": files}).to_string()
}

fn file(filename: &str, url: &str) -> serde_json::Value {
    json!({"filename": filename, "url": url, "hashes": {}})
}

#[test]
fn a_page_without_a_finding_is_its_source() {
    for source in [PYPI, r#" { "name" : "Sample" ,"files" : [ ] } "#] {
        let page = filtered(source).unwrap();
        assert!(matches!(page.to_json(), Some(Cow::Borrowed(bytes)) if bytes == source.as_bytes()));
        assert!(!page.is_emptied());
    }
}

#[test]
fn fields_are_reachable_by_name() {
    let page = filtered(PYPI).unwrap();
    let [wheel, sdist] = page.entries() else { panic!() };
    assert_eq!(wheel.filename(), "sample-1.0-py3-none-any.whl");
    assert_eq!(wheel.url(), "https://f/packages/sample-1.0-py3-none-any.whl");
    assert_eq!(wheel.upload_time().as_deref(), Some("2024-01-01T00:00:00.000000Z"));
    assert_eq!((wheel.size(), sdist.size()), (Some(10), Some(11)));
    assert_eq!((wheel.yanked(), sdist.yanked().as_deref()), (None, Some("a \"bad\" <one>")));
    assert!(wheel.provenance().is_some() && sdist.provenance().is_none() && sdist.upload_time().is_none());
    assert!(matches!(sdist.get("x"), Some(Field::Json(value)) if value.bytes() == b"[1]"));
}

#[test]
fn html_looks_as_pypis() {
    let page = filtered(PYPI).unwrap();
    insta::assert_snapshot!(String::from_utf8(page.to_html()).unwrap(), @r##"
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta name="pypi:repository-version" content="1.4">
        <meta name="pypi:project-status" content="active">
        <title>Links for sample</title>
      </head>
      <body>
        <h1>Links for sample</h1>
        <a href="https://f/packages/sample-1.0-py3-none-any.whl#sha256=11" data-requires-python="&gt;=3.7, &lt;4" data-dist-info-metadata="sha256=aa" data-core-metadata="sha256=aa" data-provenance="https://i/integrity/sample/1.0/sample-1.0-py3-none-any.whl/provenance">sample-1.0-py3-none-any.whl</a><br />
        <a href="https://f/packages/sample-2.0.tar.gz#sha256=22" data-yanked="a &#34;bad&#34; &lt;one&gt;">sample-2.0.tar.gz</a><br />
      </body>
    </html>
    <!--SERIAL 7-->
    "##);
}

#[test]
fn only_a_hash_becomes_a_fragment() {
    for hashes in
        [json!({"egg": "acme"}), json!({"EGG": "ace"}), json!({"sha256": "00&egg=acme"}), json!({"a&egg=ace&x": "00"})]
    {
        let file =
            json!({"filename": "sample-1.0.zip", "url": "sample-1.0.zip", "hashes": hashes, "core-metadata": hashes});
        let html = String::from_utf8(filtered(&page_of(&[file])).unwrap().to_html()).unwrap();
        assert!(html.contains(r#"href="sample-1.0.zip" "#) && html.contains(r#"data-core-metadata="true""#), "{html}");
    }
}

#[test]
fn odd_fields_in_html() {
    for (fields, attributes) in [
        (json!({"yanked": true}), r#" data-yanked="""#),
        (json!({"yanked": ""}), ""),
        (json!({"yanked": false, "gpg-sig": true}), r#" data-gpg-sig="true""#),
        (json!({"gpg-sig": false}), r#" data-gpg-sig="false""#),
        (json!({"core-metadata": true}), r#" data-dist-info-metadata="true" data-core-metadata="true""#),
        (json!({"dist-info-metadata": {"md5": "1"}}), r#" data-dist-info-metadata="md5=1" data-core-metadata="md5=1""#),
        (json!({"core-metadata": {}}), r#" data-dist-info-metadata="true" data-core-metadata="true""#),
        (json!({"core-metadata": 1, "requires-python": ""}), ""),
    ] {
        let mut entry = file("sample-1.0.zip", "sample-1.0.zip#egg=sample");
        entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let source = page_of(&[entry]);
        let html = String::from_utf8(filtered(&source).unwrap().to_html()).unwrap();
        let anchor = format!(r#"<a href="sample-1.0.zip"{attributes}>sample-1.0.zip</a>"#);
        assert!(html.contains(&anchor), "{anchor} in {html}");
    }
}

#[test]
fn an_entry_goes_for_any_of_its_names() {
    let good = file("sample-1.0.zip", "https://f/sample-1.0.zip");
    for (filename, url) in [
        ("acme-1.0.tar.gz", "https://f/sample-1.0.tar.gz"),
        ("sample-1.0.tar.gz", "https://f/acme-1.0.tar.gz"),
        ("sample-1.0.tar.gz", "https://f/%61cme-1.0.tar.gz#sha256=0"),
        ("sample-1.0.tar.gz", "https://f/sample-1.0.tar.gz#egg=acme-9.9"),
        ("sample-1.0.tar.gz", "../acme-1.0.tar.gz/"),
        ("", "https://f/sample-1.0.tar.gz"),
        ("sample-1.0.tar.gz", ""),
    ] {
        let source = page_of(&[file(filename, url), good.clone()]);
        let page = filtered(&source).unwrap();
        assert_eq!((page.removed(), page.entries().len(), page.is_emptied()), (1, 1, false), "{filename} {url}");
        let out: serde_json::Value = serde_json::from_slice(&page.to_json().unwrap()).unwrap();
        assert_eq!(out["files"], json!([good]));
        let alone = page_of(&[file(filename, url)]);
        assert!(filtered(&alone).unwrap().is_emptied());
    }
}

#[test]
fn a_hash_says_nothing_but_a_hash_in_html() {
    for (hashes, fragment) in [
        (json!({"egg": "acme-9.9"}), ""),
        (json!({"sha256": "00&egg=acme-9.9"}), ""),
        (json!({"sha256&egg": "00"}), ""),
        (json!({"sha256": "00#egg=acme"}), ""),
        (json!({"sha256": ""}), ""),
        (json!({"sha256": "00&egg=acme", "egg": "acme", "md5": "0F"}), "#md5=0F"),
        (json!({"md5": "01", "sha3_256": "02", "sha256": "03"}), "#sha256=03"),
        (json!({"blake2b": "02", "md5": "01"}), "#blake2b=02"),
    ] {
        let mut entry = file("sample-1.0.zip", "sample-1.0.zip");
        entry["hashes"] = hashes.clone();
        entry["core-metadata"] = json!({"sha256": "00&egg=acme"});
        let source = page_of(&[entry]);
        let html = String::from_utf8(filtered(&source).unwrap().to_html()).unwrap();
        assert!(html.contains(&format!(r#"<a href="sample-1.0.zip{fragment}" data-dist"#)), "{hashes}: {html}");
        assert!(html.contains(r#"data-core-metadata="true""#) && !html.contains("egg"), "{hashes}: {html}");
    }
}

#[test]
fn a_hidden_project_has_no_page() {
    let source = PYPI.replace("\"name\":\"sample\"", "\"name\":\"ACME\"");
    let mut page = Page::from_json(source.as_bytes(), Some(&"acme".parse().unwrap())).unwrap();
    page.filter(&mut Hiding::names(&["acme"]));
    assert!(page.is_emptied() && page.entries().is_empty());
    let mut page = Page::from_html(b"", Some(&"acme".parse().unwrap()), None).unwrap();
    page.filter(&mut Hiding::names(&["acme"]));
    assert!(page.is_emptied());
}

#[test]
fn members_keep_their_order_and_bytes() {
    let source = r#"{"x": [1 , 2], "files": [ {"filename":"acme-1.0.zip","url":"acme-1.0.zip"}, { "url": "sample-1.0.zip", "filename": "\u0073ample-1.0.zip" } ],
        "n\u0061me": "sample", "meta": {"a" : 1, "tracks": ["https://other/"]}, "alternate-locations": ["https://other/"], "versions": ["1.0"]}"#;
    let page = filtered(source).unwrap();
    let out = String::from_utf8(page.to_json().unwrap().into_owned()).unwrap();
    assert_eq!(
        out,
        r#"{"x":[1 , 2],"files":[{ "url": "sample-1.0.zip", "filename": "\u0073ample-1.0.zip" }],"n\u0061me":"sample","meta":{"a":1},"versions":["1.0"]}"#
    );
}

#[test]
fn other_repositories_are_never_named() {
    for member in [r#""alternate-locations":["https://other/"]"#, r#""meta":{"\u0074racks":["https://other/"]}"#] {
        let source = format!(r#"{{"name":"sample","files":[],{member}}}"#);
        let page = filtered(&source).unwrap();
        let out = page.to_json().unwrap();
        assert!(!String::from_utf8_lossy(&out).contains("other"), "{member}");
        assert!(!page.is_emptied() && page.removed() == 0);
        assert!(!String::from_utf8(page.to_html()).unwrap().contains("other"));
    }
}

#[test]
fn versions_follow_their_files() {
    for (files, versions, left) in [
        (&["sample-1.0.zip", "acme-2.0.zip"][..], json!(["1.0", "2.0"]), json!(["1.0"])),
        (&["sample-1.zip", "acme-2.0.zip"], json!(["1.0.0", "2.0", "weird"]), json!(["1.0.0"])),
        (&["sample-1.0-1.zip", "acme-2.0.zip"], json!(["1.0.post1", "1.0"]), json!(["1.0.post1"])),
        (
            &["sample-1.0-a-b-c.whl", "sample-1.0-d-e-f.whl", "sample-2.0-a-b-c.WHL", "acme-3.0.zip"],
            json!(["1.0", "2.0", "3.0"]),
            json!(["1.0", "2.0"]),
        ),
        (&["sample-x-a-b-c.whl", "sample-x-d-e-f.whl", "acme-2.0.zip"], json!(["1.0", "2.0"]), json!(["1.0", "2.0"])),
        // The version of an `.exe` can't be told: what isn't known to be gone stays.
        (&["sample-1.0.exe", "acme-2.0.zip"], json!(["1.0", "2.0", "weird"]), json!(["1.0", "2.0", "weird"])),
        (&["sample-3.0.exe", "sample-1.0.zip#"], json!(["1.0", "2.0"]), json!(["1.0", "2.0"])),
    ] {
        let files: Vec<_> = files.iter().map(|name| file(name.trim_end_matches('#'), name)).collect();
        let hidden = files.iter().any(|file| file["url"].as_str().unwrap().contains("acme"));
        let mut source: serde_json::Value = serde_json::from_str(&page_of(&files)).unwrap();
        source["versions"] = versions.clone();
        let source = source.to_string();
        let page = filtered(&source).unwrap();
        let out: serde_json::Value = serde_json::from_slice(&page.to_json().unwrap()).unwrap();
        assert_eq!(out["versions"], if hidden { left } else { versions }, "{source}");
    }
    let source = json!({"name": "sample", "versions": ["1.0", "2.0"], "files": [
        file("sample-1.0.exe", "sample-1.0.exe"), file("sample-2.0.zip", "acme-2.0.zip")]});
    let source = source.to_string();
    let out: serde_json::Value = serde_json::from_slice(&filtered(&source).unwrap().to_json().unwrap()).unwrap();
    assert_eq!(out["versions"], json!(["1.0"]), "2.0 is known to be gone");
}

#[test]
fn what_is_no_page_is_refused() {
    for shape in [
        "[]",
        "{}",
        r#"{"name":"sample"}"#,
        r#"{"files":[]}"#,
        r#"{"name":"other","files":[]}"#,
        r#"{"name":1,"files":[]}"#,
        r#"{"name":"sample ","files":[]}"#,
        r#"{"name":"sample","files":{}}"#,
        r#"{"name":"sample","files":null}"#,
        r#"{"name":"sample","files":["a"]}"#,
        r#"{"name":"sample","files":[{}]}"#,
        r#"{"name":"sample","files":[{"filename":"sample-1.0.zip"}]}"#,
        r#"{"name":"sample","files":[{"url":"sample-1.0.zip"}]}"#,
        r#"{"name":"sample","files":[{"filename":1,"url":"sample-1.0.zip"}]}"#,
        r#"{"name":"sample","files":[{"filename":"a-1.zip","url":["a-1.zip"]}]}"#,
        r#"{"name":"sample","files":[{"filename":"\ud83d","url":"a-1.zip"}]}"#,
        r#"{"name":"sample","files":[{"filename":"a-1.zip","url":"a-1.zip","provenance":true}]}"#,
        r#"{"name":"sample","files":[],"versions":{}}"#,
        r#"{"name":"sample","files":[],"versions":[1]}"#,
        r#"{"name":"sample","files":[],"meta":{"api-version":"2.0"}}"#,
        r#"{"name":"sample","files":[],"project-status":"active"}"#,
    ] {
        assert!(matches!(filtered(shape), Err(Malformed::Shape(_))), "{shape}");
    }
    for syntax in [
        r#"{"name":"sample","files":[],"\u0066iles":[]}"#,
        r#"{"name":"sample","files":[{"filename":"a","url":"b","url":"c"}]}"#,
        r#"{"name":"sample","files":[],"x":NaN}"#,
        r#"{"name":"sample","files":[]}{}"#,
        "\u{feff}{\"name\":\"sample\",\"files\":[]}",
    ] {
        assert!(matches!(filtered(syntax), Err(Malformed::Syntax { .. })), "{syntax}");
    }
    assert_eq!(filtered(&PYPI[..PYPI.len() - 1]).unwrap_err(), Malformed::Truncated);
}

#[test]
fn an_empty_list_of_other_repositories_is_no_reason_to_write_a_page_anew() {
    let source = r#"{"alternate-locations":[],"files":[],"meta":{"api-version":"1.4"},"name":"sample","versions":[]}"#;
    assert_eq!(filtered(source).unwrap().to_json().unwrap(), source.as_bytes());
    let named = source.replace("[],\"files", "[\"https://evil.example/simple/sample/\"],\"files");
    assert!(!String::from_utf8_lossy(&filtered(&named).unwrap().to_json().unwrap()).contains("evil"));
}

#[test]
fn html_in_html_out() {
    let source = br#"<a HREF='&#104;idden-x-1.0.zip'>a</a><a href="sample-1.0.zip#sha256=00&amp;x" data-yanked
        data-requires-python='&gt;3' onclick=evil data-size=7>whatever</a><a>no link</a>"#;
    let mut page = Page::from_html(source, Some(&sample()), None).unwrap();
    page.filter(&mut Hiding::default());
    assert_eq!((page.removed(), page.to_json()), (1, None));
    assert_eq!(page.entries()[0].size(), Some(7));
    assert_eq!(page.entries()[0].yanked().as_deref(), Some(""));
    let html = String::from_utf8(page.to_html()).unwrap();
    let anchors: Vec<&str> = html.lines().filter(|line| line.contains("<a")).collect();
    assert_eq!(
        anchors,
        [
            r#"    <a href="sample-1.0.zip#sha256=00&amp;x" data-requires-python="&gt;3" data-yanked="" data-size="7">sample-1.0.zip</a><br />"#
        ]
    );
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "sample-[0-9]\\.[0-9]\\.(zip|tar\\.gz)",
        "(acme|Acme)-[0-9]\\.[0-9](-py3-none-any\\.whl|\\.zip)",
        "hidden-x-[0-9]\\.[0-9]\\.zip",
        "[a-z%#?./-]{0,8}"
    ]
}

proptest! {
    #[test]
    fn only_what_may_be_seen_is_left(
        links in proptest::collection::vec((name(), name(), "(https://f/|\\.\\./|)", "(#egg=acme-1.0|#sha256=0|)"), 0..8),
    ) {
        let files: Vec<_> = links.iter().map(|(a, b, before, after)| file(a, &format!("{before}{b}{after}"))).collect();
        let source = page_of(&files);
        let page = filtered(&source).unwrap();
        let out: serde_json::Value = serde_json::from_slice(&page.to_json().unwrap()).unwrap();
        let left = out["files"].as_array().unwrap();
        prop_assert_eq!(left.len() as u64 + page.removed(), files.len() as u64);
        prop_assert_eq!(page.is_emptied(), left.is_empty() && !files.is_empty());
        for entry in left {
            prop_assert!(files.contains(entry), "kept as it was");
            let written = entry.to_string().to_lowercase();
            prop_assert!(!written.contains("\"acme-") && !written.contains("/acme-") && !written.contains("egg=acme"));
            prop_assert!(!written.contains("hidden-x-"));
        }
        // What the HTML lists is what the JSON lists.
        let html = page.to_html();
        let again = Page::from_html(&html, Some(&sample()), None).unwrap();
        let name = |entry: &Entry<'_>| crate::pypi::link::last_segment(entry.url()).unwrap().into_owned();
        let names = |page: &Page<'_>| page.entries().iter().map(name).collect::<Vec<_>>();
        prop_assert_eq!(names(&again), names(&page));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _read = Page::from_json(&bytes, Some(&sample()));
        if let Ok(mut page) = Page::from_html(&bytes, Some(&sample()), None) {
            page.filter(&mut Hiding::default());
            let _html = page.to_html();
        }
    }
}
