//! Legacy JSON: what goes, what stays as it was, and when nothing may be shown.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pypi::testing::Hiding;

fn sample() -> ProjectName {
    "sample".parse().unwrap()
}

fn pruned(source: &str) -> Result<Pruned<'_>, Malformed> {
    prune(source.as_bytes(), Some(&sample()), &mut Hiding::names(&["acme"]))
}

fn file(filename: &str) -> serde_json::Value {
    json!({"filename": filename, "url": format!("https://f/{filename}"), "size": 1})
}

#[test]
fn nothing_hidden_nothing_changed() {
    for source in [
        r#" {"info": {"name":"Sample","version":"1.0"},"last_serial":1, "releases":{"0.1": [ ],"1.0":[{"filename":"sample-1.0.zip","url":"https://f/sample-1.0.zip"}]},"urls":[]} "#,
        r#"{"info":{"name":"sample"},"urls":null,"releases":null}"#,
        r#"{"info":{"name":"sample"}}"#,
    ] {
        assert_eq!(pruned(source), Ok(Pruned { body: Cow::Borrowed(source.as_bytes()), removed: 0, emptied: false }));
    }
}

#[test]
fn files_and_emptied_releases_go() {
    let source = concat!(
        r#"{"vulnerabilities": [ ], "info":{"name":"sample"},"releases":{"0.1": [ ],"\u0032.0":[{"filename":"acme-2.0.zip","url":"x-2.0.zip"}],"#,
        r#""1.0":[{"url" : "sample-1.0.zip", "filename":"sample-1.0.zip"},{"filename":"sample-1.0.tar.gz","url":"https://f/acme-1.0.tar.gz"}]},"#,
        r#""urls":[{"filename":"sample-1.0.zip","url":"sample-1.0.zip"},{"filename":"sample-1.0.tar.gz","url":"%61cme-1.0.tar.gz"}]}"#,
    );
    let pruned = pruned(source).unwrap();
    assert_eq!((pruned.removed, pruned.emptied), (3, false));
    assert_eq!(
        String::from_utf8(pruned.body.into_owned()).unwrap(),
        concat!(
            r#"{"vulnerabilities":[ ],"info":{"name":"sample"},"releases":{"0.1":[ ],"#,
            r#""1.0":[{"url" : "sample-1.0.zip", "filename":"sample-1.0.zip"}]},"#,
            r#""urls":[{"filename":"sample-1.0.zip","url":"sample-1.0.zip"}]}"#,
        )
    );
}

#[test]
fn what_must_be_a_404() {
    let gone = json!({"info": {"name": "sample"}, "urls": [file("acme-1.0.zip")], "releases": {"0.1": [file("sample-0.1.zip")]}});
    assert!(pruned(&gone.to_string()).unwrap().emptied, "the release that `info` describes has lost its files");
    let source = r#"{"info":{"name":"ACME"},"urls":[]}"#;
    let hidden = prune(source.as_bytes(), Some(&"acme".parse().unwrap()), &mut Hiding::names(&["acme"])).unwrap();
    assert!(hidden.emptied && hidden.body.is_empty());
}

#[test]
fn what_is_no_legacy_json_is_refused() {
    for shape in [
        "[]",
        "{}",
        r#"{"message":"Not Found"}"#,
        r#"{"info":{}}"#,
        r#"{"info":{"name":null}}"#,
        r#"{"info":{"name":"other"}}"#,
        r#"{"info":{"name":"sample"},"urls":{}}"#,
        r#"{"info":{"name":"sample"},"urls":[1]}"#,
        r#"{"info":{"name":"sample"},"urls":[{"filename":"a"}]}"#,
        r#"{"info":{"name":"sample"},"urls":[{"filename":"a","url":null}]}"#,
        r#"{"info":{"name":"sample"},"releases":[]}"#,
        r#"{"info":{"name":"sample"},"releases":{"1.0":null}}"#,
    ] {
        assert!(matches!(pruned(shape), Err(Malformed::Shape(_))), "{shape}");
    }
    for syntax in [r#"{"info":{"name":"sample"},"urls":[],"ur\u006cs":[]}"#, r#"{"info":{"name":"sample","name":"x"}}"#]
    {
        assert!(matches!(pruned(syntax), Err(Malformed::Syntax { .. })), "{syntax}");
    }
}

proptest! {
    #[test]
    fn only_what_may_be_seen_is_left(
        releases in proptest::collection::btree_map("[0-9]\\.[0-9]", proptest::collection::vec("(sample|acme|Hidden-x)-1\\.0\\.zip", 0..4), 0..4),
        urls in proptest::collection::vec("(sample|acme)-1\\.0\\.zip", 0..4),
    ) {
        let list = |names: &Vec<String>| names.iter().map(|name| file(name)).collect::<Vec<_>>();
        let visible = |names: &Vec<String>| names.iter().filter(|name| name.starts_with("sample")).cloned().collect::<Vec<_>>();
        let source = json!({
            "info": {"name": "sample"},
            "releases": releases.iter().map(|(version, names)| (version.clone(), list(names))).collect::<std::collections::BTreeMap<_, _>>(),
            "urls": list(&urls),
        }).to_string();
        let pruned = pruned(&source).unwrap();
        let out: serde_json::Value = serde_json::from_slice(&pruned.body).unwrap();
        prop_assert_eq!(&out["urls"], &json!(list(&visible(&urls))));
        prop_assert_eq!(pruned.emptied, !urls.is_empty() && visible(&urls).is_empty());
        for (version, names) in &releases {
            let left = visible(names);
            let gone = left.is_empty() && !names.is_empty();
            prop_assert_eq!(out["releases"].get(version).cloned(), (!gone).then(|| json!(list(&left))));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _read = prune(&bytes, Some(&sample()), &mut Hiding::default());
    }
}

#[test]
fn hidden_releases_go_whatever_files_they_have() {
    let source = json!({
        "info": {"name": "sample", "version": "1.0"},
        "releases": {"666.0": [file("sample-1.0.zip")], "1.0": [file("sample-1.0.zip")], "666.1": [], "0.1": []},
        "urls": [file("sample-1.0.zip")],
    })
    .to_string();
    let pruned = pruned(&source).unwrap();
    let left: serde_json::Value = serde_json::from_slice(&pruned.body).unwrap();
    assert_eq!(left["releases"], json!({"1.0": [file("sample-1.0.zip")], "0.1": []}));
    assert_eq!((pruned.removed, pruned.emptied), (2, false));
}

#[test]
fn a_document_about_a_hidden_release_is_not_there() {
    let about = |version: serde_json::Value| {
        let source = json!({"info": {"name": "sample", "version": version}, "urls": [file("sample-1.0.zip")]});
        pruned(&source.to_string()).map(|pruned| pruned.emptied)
    };
    assert_eq!(about("666.0".into()), Ok(true));
    assert_eq!(about("1.0".into()), Ok(false));
    assert_eq!(about(serde_json::Value::Null), Ok(false));
    assert!(about(1.into()).is_err());
}
