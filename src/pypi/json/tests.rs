//! The strict reader against tables, and against `serde_json` on random and on damaged documents.

use std::borrow::Cow;
use std::collections::HashSet;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::*;

/// What `serde_json` accepts, minus keys that stand twice: the reference, which shares no line with ours.
struct Reference;

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Reference, E> {
        Ok(Reference)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Reference, E> {
        Ok(Reference)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Reference, E> {
        Ok(Reference)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Reference, E> {
        Ok(Reference)
    }

    fn visit_str<E>(self, _: &str) -> Result<Reference, E> {
        Ok(Reference)
    }

    fn visit_unit<E>(self) -> Result<Reference, E> {
        Ok(Reference)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Reference, A::Error> {
        while elements.next_element::<Reference>()?.is_some() {}
        Ok(Reference)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Reference, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, Reference)) = members.next_entry::<String, Reference>()? {
            if !keys.insert(key) {
                return Err(serde::de::Error::custom("twice"));
            }
        }
        Ok(Reference)
    }
}

/// Every string in it, decoded: a lone surrogate is refused only there.
fn decode_all(value: Value<'_>) -> Result<(), Malformed> {
    if let Some(text) = value.text() {
        text.decode()?;
    }
    for element in value.elements()?.unwrap_or_default() {
        decode_all(element)?;
    }
    for member in value.members()?.unwrap_or_default() {
        decode_all(member.value)?;
    }
    Ok(())
}

fn accepts(bytes: &[u8]) -> bool {
    document(bytes).and_then(decode_all).is_ok()
}

#[test]
fn what_is_json() {
    for good in [
        "{}",
        " [ ] ",
        "\t\r\n\"\"",
        "0",
        "-0",
        "-0.0e-0",
        "10.25E+3",
        "1e999",
        "null",
        "true",
        "false",
        r#"{"a":1,"b":[1,2,{"a":null}]}"#,
        r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#,
        "\"\u{7f}\u{e9}\u{1f600}\"",
        r#"{"":1}"#,
    ] {
        assert!(accepts(good.as_bytes()), "{good}");
    }
}

#[test]
fn what_is_not_json() {
    for bad in [
        "NaN",
        "Infinity",
        "-Infinity",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-",
        "0x1",
        "tru",
        "nulll",
        "True",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{,}",
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "[}",
        "{]",
        "]",
        "}",
        "[1]]",
        "{} {}",
        "1 2",
        "//\n1",
        "/**/1",
        "\u{feff}{}",
        "\u{a0}1",
        "\"\t\"",
        "\"\n\"",
        "\"\0\"",
        r#""\x41""#,
        r#""\u00""#,
        r#""\u00g0""#,
        r#""\u+123""#,
        r#""\U0041""#,
        "\"abc",
        "\"\\\"",
        "",
        " ",
    ] {
        assert!(document(bad.as_bytes()).is_err(), "{bad}");
    }
    for bad in [&b"\"\xff\""[..], b"\"\xc3\"", b"\"\xed\xa0\x80\"", b"\"\xc0\xaf\"", b"\xff\xfe{\0}\0", b"{\0}\0"] {
        assert!(document(bad).is_err(), "{}", bad.escape_ascii());
    }
}

#[test]
fn a_key_stands_once_however_it_is_written() {
    for twice in [
        r#"{"a":1,"a":1}"#,
        r#"{"files":1,"\u0066iles":2}"#,
        r#"{"x":{"a":1,"b":2,"\u0061":3}}"#,
        r#"[[{"\ud83d\ude00":1,"😀":2}]]"#,
    ] {
        assert!(matches!(document(twice.as_bytes()), Err(Malformed::Syntax { what, .. }) if what.contains("twice")));
    }
    assert!(document(br#"{"a":{"a":{"a":1},"b":{"a":1}},"b":1}"#).is_ok());
    let many = |last: &str| {
        let keys: Vec<String> = (0..100).map(|at| format!("\"k{at}\":{{\"k1\":0}}")).collect();
        format!("{{{},\"{last}\":0}}", keys.join(","))
    };
    assert!(document(many("k100").as_bytes()).is_ok());
    assert!(document(many("k7").as_bytes()).is_err());
    assert!(document(many("\\u006b99").as_bytes()).is_err());
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(document(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(document(&nested(MAX_DEPTH + 1)), Err(Malformed::Limit("JSON nests deeper than 64 levels")));
    assert!(document(&vec![b'['; 10_000_000]).is_err());
    assert!(document(&b"{\"a\":".repeat(1_000_000)).is_err());
    assert!(document(&[b"[".to_vec(), b"[],".repeat(1000), b"[]]".to_vec()].concat()).is_ok());
}

#[test]
fn strings_are_decoded() {
    let decode = |raw: &str| document(raw.as_bytes()).unwrap().text().unwrap().decode().map(Cow::into_owned);
    assert_eq!(decode(r#""\u0061cme""#).as_deref(), Ok("acme"));
    assert_eq!(decode(r#""a\\u0061\/\"""#).as_deref(), Ok("a\\u0061/\""));
    assert_eq!(decode(r#""\ud83d\ude00x""#).as_deref(), Ok("\u{1f600}x"));
    for lone in [r#""\ud83d""#, r#""\ude00\ud83d""#, r#""\ud83d\u0061""#, r#""\ud83d\\ude00""#, r#""\ud83d\ud83d""#] {
        assert!(decode(lone).is_err(), "{lone}");
    }
    assert!(document(br#"{"\ud83d":1}"#).is_err(), "keys are always decoded");
    assert!(document(br#"["\ud83d"]"#).is_ok(), "a string that nobody reads is passed as it stands");
    assert!(matches!(document(br#""plain""#).unwrap().text().unwrap().decode(), Ok(Cow::Borrowed("plain"))));
}

#[test]
fn values_keep_their_bytes() {
    let value = document(br#" {"a" : [1, "x"] , "b":  null} "#).unwrap();
    assert_eq!(value.get("a").unwrap().bytes(), br#"[1, "x"]"#);
    assert!(value.get("b").unwrap().is_null());
    assert!(value.get("c").is_none());
    assert_eq!(value.get("a").unwrap().elements().unwrap().unwrap().len(), 2);
    assert!(value.elements().unwrap().is_none());
    assert!(value.get("b").unwrap().members().unwrap().is_none());
}

#[test]
fn every_stop_is_found_at_every_place() {
    for length in 0..40 {
        for stop in (0..0x20).chain([b'"', b'\\']) {
            let mut bytes = vec![b'a'; length];
            bytes.push(stop);
            bytes.extend_from_slice(b"\"\x00\\aaaaaaaa");
            assert_eq!(plain_run(&bytes).0, length, "{stop}");
        }
        for plain in [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
            let bytes = [vec![b'a'; length], vec![plain]].concat();
            assert_eq!(plain_run(&bytes), (length + 1, plain < 0x80), "{plain}");
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::vec(("[ab\u{e9}\"]{0,2}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn what_is_nested_ends_where_it_did_at_first() {
    for nested in [r#"{"a":"]}\\"}"#, r#"["\"]",[],{"b":[1,{}]}]"#, "[ \"\u{e9}}\" , [ ] ]", r#"{"\u005d":"\\\""}"#] {
        let source = format!(r#"{{"x":[{nested}, 1 ,{nested}],"y":{nested}}}"#);
        let members = members(source.as_bytes()).unwrap().unwrap();
        let elements = members[0].value.elements().unwrap().unwrap();
        let read: Vec<&[u8]> = elements.iter().map(|element| element.bytes()).collect();
        assert_eq!(read, [nested.as_bytes(), b"1", nested.as_bytes()]);
        assert_eq!(members[1].value.bytes(), nested.as_bytes());
    }
    assert_eq!(members(b" [{}] ").unwrap().map(|_| ()), None);
    assert_eq!(members(b"{} {}").unwrap_err().reason(), "page-syntax");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_serde_writes_is_read(value in json()) {
        prop_assert!(accepts(value.to_string().as_bytes()));
        prop_assert!(accepts(serde_json::to_string_pretty(&value).unwrap().as_bytes()));
    }

    #[test]
    fn damaged_documents_are_judged_as_serde_does(
        value in json(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..4),
    ) {
        let mut bytes = value.to_string().into_bytes();
        for (place, kind, byte) in damage {
            if bytes.is_empty() { break; }
            let at = place.index(bytes.len());
            let known = b"{}[],:\"\\u019-+.eEtfn \n\t\x00\x7fab\xc3\xa9";
            let byte = if byte < 0xf0 { known[usize::from(byte) % known.len()] } else { byte };
            match kind {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, byte),
                2 => bytes[at] = byte,
                _ => bytes.truncate(at),
            }
        }
        // A number too large for f64 is grammatical; only a reader that converts it can object.
        let grammatical = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok() && std::str::from_utf8(&bytes).is_ok();
        match serde_json::from_slice::<Reference>(&bytes) {
            Ok(_) => prop_assert!(accepts(&bytes), "{}", bytes.escape_ascii()),
            Err(error) if error.to_string().contains("number out of range") => prop_assert!(grammatical || !accepts(&bytes)),
            Err(error) => prop_assert!(!accepts(&bytes), "{} ({error})", bytes.escape_ascii()),
        }
    }

    #[test]
    fn what_is_laid_out_as_guessed_is_read_as_all_else_is(
        objects in proptest::collection::vec(
            proptest::collection::vec(("(a|bc|\\\\u0061|b|cd|\\\\ud83d|e{1,2})", "(1|\"x\"|[{][}]|[{]\"a\":1[}]|[{]\"a\":1,\"a\":2[}]|)", " ?"), 0..4),
            0..6,
        ),
        same in any::<bool>(),
    ) {
        let object = |members: &Vec<(String, String, String)>| {
            let members: Vec<String> = members.iter().map(|(key, value, space)| format!("{space}\"{key}\"{space}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let objects: Vec<String> = objects.iter().map(object).collect();
        let objects = if same { objects.iter().flat_map(|object| [object.clone(), object.clone()]).collect() } else { objects };
        let array = format!("[{}]", objects.join(","));
        let read = |with_layout: bool| {
            let (mut reader, mut layout, mut found) = (Reader::new(array.as_bytes()), Layout::default(), Vec::new());
            reader.array_with(|reader| {
                let mut member = |reader: &mut Reader<'_>, key: Text<'_>| {
                    found.push((key.written().to_vec(), key.escaped, reader.value()?.bytes().to_vec()));
                    Ok(())
                };
                if with_layout { reader.object_like(&mut layout, &mut member) } else { reader.object_with(&mut member) }
            })?;
            reader.end()?;
            Ok::<_, Malformed>((found, reader.at, reader.depth, reader.keys.len()))
        };
        prop_assert_eq!(read(true), read(false), "{}", array);
        prop_assert_eq!(read(true).is_ok(), document(array.as_bytes()).is_ok(), "{}", array);
    }

    #[test]
    fn a_beginning_is_only_ever_truncated(value in json(), cut in any::<prop::sample::Index>()) {
        let whole = serde_json::json!([value]).to_string();
        let cut = cut.index(whole.len());
        prop_assert_eq!(document(&whole.as_bytes()[..cut]).map(|_| ()), Err(Malformed::Truncated));
    }

    #[test]
    fn strings_are_decoded_as_serde_does(text in ".{0,20}") {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        for written in [serde_json::to_string(&text).unwrap(), format!("\"{escaped}\"")] {
            let value = document(written.as_bytes()).unwrap();
            prop_assert_eq!(value.text().unwrap().decode().unwrap(), text.as_str());
            prop_assert!(value.text().unwrap().is(&text));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _read = document(&bytes).and_then(decode_all);
    }
}
