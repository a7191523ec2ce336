//! The root list: what is kept byte for byte, what goes, and that chunks never matter.

use proptest::prelude::*;

use super::*;
use crate::name::ProjectName;
use crate::pypi::testing::Hiding;

const PYPI: &str = concat!(
    r#"{"meta":{"_last-serial":24888689,"api-version":"1.4"},"projects":["#,
    r#"{"_last-serial":3075854,"name":"0"},{"_last-serial":1,"name":"Acme"},{"_last-serial":2,"name":"zope.interface"}]}"#,
);

fn filter_in_chunks(input: &[u8], sizes: &[usize], render: Representation) -> Result<(String, u64), Malformed> {
    let (mut judge, mut out) = (Hiding::names(&["acme"]), Vec::new());
    let mut filter = RootFilter::new(render);
    let mut rest = input;
    for size in sizes.iter().cycle() {
        let (chunk, after) = rest.split_at(rest.len().min(*size));
        filter.push(chunk, &mut judge, &mut out)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    filter.finish(&mut judge, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), filter.removed()))
}

fn json(input: &str) -> Result<(String, u64), Malformed> {
    filter_in_chunks(input.as_bytes(), &[usize::MAX], Representation::Json)
}

fn kept(projects: &str) -> String {
    let (out, _) = json(&format!(r#"{{"projects":{projects}}}"#)).unwrap();
    out.strip_prefix(r#"{"projects":"#).unwrap().strip_suffix('}').unwrap().to_owned()
}

#[test]
fn pypis_list() {
    let (out, removed) = json(PYPI).unwrap();
    assert_eq!(out, PYPI.replace(r#"{"_last-serial":1,"name":"Acme"},"#, ""));
    assert_eq!(removed, 1);
    let (html, removed) = filter_in_chunks(PYPI.as_bytes(), &[7], Representation::TextHtml).unwrap();
    assert_eq!(removed, 1);
    insta::assert_snapshot!(html, @r#"
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta name="pypi:repository-version" content="1.4">
        <title>Simple index</title>
      </head>
      <body>
        <a href="/simple/0/">0</a>
        <a href="/simple/zope-interface/">zope.interface</a>
      </body>
    </html>
    "#);
}

#[test]
fn nothing_removed_nothing_changed() {
    for same in [
        PYPI.replace("Acme", "Other"),
        " {\n\t\"x\" : [1, {\"y\":null}] ,\r\n \"projects\" : [ {\"name\" : \"a\" , \"z\":-1.5e3} , {\"name\":\"b\"}\n] , \"meta\":{} } \n"
            .to_owned(),
        r#"{"projects":[]}"#.to_owned(),
        r#"{ "projects" : [ ] }"#.to_owned(),
        "{\"projects\":[{\"name\":\"\\u0061\",\"\u{e9}\":\"\\ud83d\"}],\"n\":0}".to_owned(),
    ] {
        assert_eq!(json(&same), Ok((same.clone(), 0)));
    }
}

#[test]
fn separators_go_with_their_elements() {
    for (projects, expected) in [
        (r#"[{"name":"acme"}]"#, "[]"),
        (r#"[ {"name":"acme"} ]"#, "[ ]"),
        (r#"[{"name":"acme"},{"name":"b"}]"#, r#"[{"name":"b"}]"#),
        (r#"[{"name":"acme"} , {"name":"ACME"} , {"name":"b"} , {"name":"c"} ]"#, r#"[{"name":"b"} , {"name":"c"} ]"#),
        (r#"[ {"name":"b"}, {"name":"acme"} ,{"name":"c"}]"#, r#"[ {"name":"b"} ,{"name":"c"}]"#),
        (r#"[{"name":"b"},{"name":"acme"}]"#, r#"[{"name":"b"}]"#),
        (r#"[{"name":"acme"},{"name":"b"},{"name":"acme"}]"#, r#"[{"name":"b"}]"#),
    ] {
        assert_eq!(kept(projects), expected, "{projects}");
    }
}

#[test]
fn names_are_judged_however_they_are_written() {
    for hidden in [
        r#"{"name":"\u0061cme"}"#,
        r#"{"n\u0061me":"acme"}"#,
        r#"{"x":{"name":"other"},"name":"ACME"}"#,
        r#"{"name":""}"#,
        r#"{"name":"acme "}"#,
        r#"{"name":"-acme"}"#,
        r#"{"name":"</a><a href=x>"}"#,
        "{\"name\":\"\u{212a}eras\"}",
    ] {
        assert_eq!(kept(&format!(r#"[{hidden},{{"name":"b"}}]"#)), r#"[{"name":"b"}]"#, "{hidden}");
    }
}

#[test]
fn what_is_no_root_list_is_refused() {
    for shape in [
        "{}",
        r#"{"meta":{}}"#,
        r#"{"projects":null}"#,
        r#"{"projects":{}}"#,
        r#"{"projects":["acme"]}"#,
        r#"{"projects":[{}]}"#,
        r#"{"projects":[{"name":1}]}"#,
        r#"{"meta":{"api-version":"2.0"},"projects":[]}"#,
        r#"{"projects":[],"meta":{"api-version":"2.0"}}"#,
        r#"{"projects":[],"meta":[]}"#,
        r#"{"projects":[],"projects":[]}"#,
        r#"{"projects":[],"\u0070rojects":[]}"#,
        r#"{"x":1,"x":2,"projects":[]}"#,
    ] {
        assert!(matches!(json(shape), Err(Malformed::Shape(_))), "{shape}");
    }
    for syntax in [
        "[]",
        "null",
        r#"{"projects":[]} x"#,
        r#"{"projects":[]}{}"#,
        r#"{"projects":[{"name":"a"},]}"#,
        r#"{"projects":[,{"name":"a"}]}"#,
        r#"{"projects":[{"name":"a"}{"name":"b"}]}"#,
        r#"{"projects":[{"name":"a","name":"b"}]}"#,
        r#"{"projects":[{"name":"a","n\u0061me":"b"}]}"#,
        r#"{"projects":[],}"#,
        r#"{"x":NaN,"projects":[]}"#,
        "\u{feff}{\"projects\":[]}",
    ] {
        assert!(matches!(json(syntax), Err(Malformed::Syntax { .. })), "{syntax}");
    }
    for cut in 0..PYPI.len() {
        assert_eq!(json(&PYPI[..cut]), Err(Malformed::Truncated), "{cut}");
    }
    let wide: String = PYPI.chars().flat_map(|c| [c, '\0']).collect();
    assert!(json(&wide).is_err());
}

#[test]
fn faults_are_placed_in_the_whole_document() {
    let bad = PYPI.replace("\"zope", "?zope");
    let at = bad.find('?').unwrap();
    for size in [1, 10, 1000] {
        let error = filter_in_chunks(bad.as_bytes(), &[size], Representation::Json).unwrap_err();
        assert!(matches!(error, Malformed::Syntax { at: place, .. } if place == at), "{error}");
    }
}

#[test]
fn everything_is_bounded() {
    let element = |size: usize| format!(r#"{{"projects":[{{"name":"a","x":"{}"}}]}}"#, "x".repeat(size));
    let member = |size: usize| format!(r#"{{"x":"{}","projects":[]}}"#, "x".repeat(size));
    let members = |count: usize| {
        let members: String = (0..count).map(|at| format!(r#""{at}":0,"#)).collect();
        format!(r#"{{{members}"projects":[]}}"#)
    };
    for size in [1_usize, 1000, 10_000_000] {
        let filter = |input: String| filter_in_chunks(input.as_bytes(), &[size], Representation::Json);
        assert!(filter(element(MAX_ELEMENT - 100)).is_ok());
        assert!(matches!(filter(element(MAX_ELEMENT)), Err(Malformed::Limit(_))));
        assert!(filter(member(MAX_MEMBER - 100)).is_ok());
        assert!(matches!(filter(member(MAX_MEMBER)), Err(Malformed::Limit(_))));
        assert!(filter(members(MAX_MEMBERS - 1)).is_ok());
        assert!(matches!(filter(members(MAX_MEMBERS)), Err(Malformed::Limit(_))));
    }
}

#[test]
fn after_an_error_nothing_comes_out() {
    let (mut judge, mut out) = (Hiding::default(), Vec::new());
    let mut filter = RootFilter::new(Representation::Json);
    assert!(filter.push(b"{]", &mut judge, &mut out).is_err());
    let length = out.len();
    assert!(filter.push(PYPI.as_bytes(), &mut judge, &mut out).is_err());
    assert!(filter.finish(&mut judge, &mut out).is_err());
    assert_eq!(out.len(), length);
}

#[test]
fn html_says_a_late_version_as_1_0() {
    let late = r#"{"projects":[{"name":"a"}],"meta":{"api-version":"1.4"}}"#;
    let (html, _) = filter_in_chunks(late.as_bytes(), &[3], Representation::Html).unwrap();
    assert!(html.contains(r#"content="1.0""#) && html.contains(r#"<a href="/simple/a/">a</a>"#), "{html}");
}

/// A list as an index might send it: some names hidden, some no names, keys in any order, odd spaces.
fn list() -> impl Strategy<Value = (String, Vec<String>)> {
    let name = prop_oneof![
        4 => "[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?",
        2 => "[Hh]idden[-_.]{1,2}[a-z]{1,3}",
        1 => "[ -~\u{e9}]{0,6}",
    ];
    let space = "[ \n\t]{0,2}";
    let element = (name, space, any::<bool>(), any::<bool>());
    (proptest::collection::vec(element, 0..12), space, any::<bool>()).prop_map(|(elements, space, meta_first)| {
        let mut names = Vec::new();
        let mut written = Vec::new();
        for (name, space, serial_first, escape) in elements {
            let quoted = if escape {
                let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{escaped}\"")
            } else {
                serde_json::to_string(&name).unwrap()
            };
            written.push(if serial_first {
                format!("{space}{{\"_last-serial\":12,{space}\"name\":{quoted}}}{space}")
            } else {
                format!("{{\"name\"{space}:{quoted},\"x\":[{{}}]}}")
            });
            names.push(name);
        }
        let projects = format!("\"projects\"{space}:[{space}{}]", written.join(","));
        let meta = "\"meta\":{\"api-version\":\"1.1\"}";
        let (first, second) = if meta_first { (meta, &*projects) } else { (&*projects, meta) };
        (format!("{space}{{{first}{space},{second}}}{space}"), names)
    })
}

proptest! {
    #[test]
    fn only_what_may_be_seen_is_left((input, names) in list()) {
        let (out, removed) = json(&input).unwrap();
        // An independent parser's view.
        let seen: serde_json::Value = serde_json::from_str(&out).unwrap();
        let seen: Vec<&str> = seen["projects"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        let judge = Hiding::names(&["acme"]);
        let visible = |name: &&String| ProjectName::parse(name).is_ok_and(|name| !judge.is_hidden(name.as_name()));
        let expected: Vec<&String> = names.iter().filter(visible).collect();
        prop_assert_eq!(&seen, &expected);
        prop_assert_eq!(removed as usize, names.len() - expected.len());
        if removed == 0 {
            prop_assert_eq!(out, input);
        } else {
            prop_assert_eq!(json(&out).unwrap(), (out, 0), "what was filtered once is filtered");
        }
    }

    #[test]
    fn chunks_never_change_the_output(
        (input, _) in list(),
        sizes in proptest::collection::vec(1_usize..40, 1..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let input = &input.as_bytes()[..cut.map_or(input.len(), |cut| cut.index(input.len()))];
        for render in [Representation::Json, Representation::Html] {
            prop_assert_eq!(
                filter_in_chunks(input, &sizes, render),
                filter_in_chunks(input, &[usize::MAX], render)
            );
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), size in 1_usize..9) {
        let _read = filter_in_chunks(&bytes, &[size], Representation::Json);
        let bytes = [b"{\"projects\":[{\"name\":\"a\"}", &bytes[..]].concat();
        let _read = filter_in_chunks(&bytes, &[size], Representation::Html);
    }
}
