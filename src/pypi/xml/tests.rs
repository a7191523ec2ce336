use std::io::BufReader;

use proptest::prelude::*;

use super::*;

/// All nodes in one line: `<name key=value>`, `</>`, text as it is.
fn read(input: impl BufRead) -> Result<String, Malformed> {
    let mut reader = Reader::new(input);
    let mut read = String::new();
    loop {
        match reader.next() {
            Ok(Node::Start(tag)) => {
                let attributes = tag.attributes.iter().map(|(key, value)| format!(" {key}={value}"));
                read += &format!("<{}{}>", tag.name, attributes.collect::<String>());
            }
            Ok(Node::End) => read += "</>",
            Ok(Node::Text(text)) => read += &text,
            Ok(Node::Eof) => return Ok(read),
            Err(ReadError::Malformed(malformed)) => return Err(malformed),
            Err(ReadError::Input(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn what_a_document_says() {
    for (raw, said) in [
        ("<a/>", "<a></>"),
        ("<a></a >\n<!-- c -->\n", "<a></>"),
        ("<?xml version='1.0'?>\n<a>x</a>", "<a>x</>"),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\" ?><a>\u{e9}</a>", "<a>\u{e9}</>"),
        ("<?xml version='1.0' encoding='ASCII'?>\n<a>&#233;</a>", "<a>\u{e9}</>"),
        ("<!-- c --><a b = '1'\n\tc=\">&lt;'\"/>", "<a b=1 c=><'></>"),
        ("<a>&lt;&amp;&gt;&apos;&quot;&#65;&#x42;</a>", "<a><&>'\"AB</>"),
        ("<a>x<!-- c -->y<![CDATA[<z>&amp;]]]]></a>", "<a>xy<z>&amp;]]</>"),
        ("<a>1\r\n2\r3<![CDATA[\r\n]]></a>", "<a>1\n2\n3\n</>"),
        ("<x:a xmlns:x='u'><x:b/></x:a>", "<x:a xmlns:x=u><x:b></></>"),
    ] {
        assert_eq!(read(raw.as_bytes()).as_deref(), Ok(said), "{raw}");
    }
}

#[test]
fn what_is_not_strictly_xml_is_refused() {
    for raw in [
        "\u{feff}<a/>",
        " <a/>",
        "\n<?xml version='1.0'?><a/>",
        "x<a/>",
        "<a/>x",
        "<a/>&#32;",
        "<a/><![CDATA[]]>",
        "<a/><b/>",
        "<a></b>",
        "</a>",
        "<a></a></a>",
        "<a></a b='1'>",
        "<a><b></a></b>",
        "<!DOCTYPE a><a/>",
        "<!doctype a [<!ENTITY x 'acme'>]><a>&x;</a>",
        "<a><!ELEMENT b></a>",
        "<?xml-stylesheet href='x'?><a/>",
        "<a><?php x?></a>",
        "<a/><?xml version='1.0'?>",
        "<?xml version='1.1'?><a/>",
        "<?xml encoding='UTF-8'?><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "<?xml version='1.0' encoding='UTF-7'?><a/>",
        "<?xml version='1.0' encoding='ASCII'?><a>\u{e9}</a>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml version='1.0' version='1.0'?><a/>",
        "<?xml version='1.0' encoding='UTF-8' encoding='UTF-7'?><a/>",
        "<?XML version='1.0'?><a/>",
        "<a b='1' b='2'/>",
        "<a b='1'c='2'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b='<'/>",
        "<a b='&x;'/>",
        "<a b='&'/>",
        "<a b='&#0;'/>",
        "<a b='\u{1}'/>",
        "<1/>",
        "<>x</>",
        "< a/>",
        "<a:/>",
        "<:a/>",
        "<\u{e9}/>",
        "<a>&nbsp;</a>",
        "<a>&</a>",
        "<a>& </a>",
        "<a>&;</a>",
        "<a>&#0;</a>",
        "<a>&#1;</a>",
        "<a>&#xD800;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&#X41;</a>",
        "<a>&#+65;</a>",
        "<a>\u{0}</a>",
        "<a>\u{b}</a>",
        "<a>\u{ffff}</a>",
        "<a>]]></a>",
        "<a><!-- - -- --></a>",
        "<a><!-- \u{1} --></a>",
        "<a><!-- ---></a>",
    ] {
        assert!(matches!(read(raw.as_bytes()), Err(Malformed::Syntax { .. })), "{raw:?} {:?}", read(raw.as_bytes()));
    }
    let utf16: Vec<u8> = "<?xml version='1.0' encoding='UTF-16'?><a/>".bytes().flat_map(|byte| [byte, 0]).collect();
    for raw in [&utf16[..], &[&[0xff, 0xfe], &utf16[..]].concat(), &[&[0], &utf16[..]].concat(), b"<a>\xff</a>"] {
        assert!(matches!(read(raw), Err(Malformed::Syntax { .. })), "{raw:?}");
    }
}

#[test]
fn every_beginning_of_a_document_is_truncated() {
    let whole = "<?xml version='1.0'?><!-- c --><a b='1'><c/>x&amp;<![CDATA[y]]></a>";
    for end in 0..whole.len() {
        assert_eq!(read(&whole.as_bytes()[..end]), Err(Malformed::Truncated), "{}", &whole[..end]);
    }
    assert!(read(whole.as_bytes()).is_ok());
}

#[test]
fn limits() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(read(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(matches!(read(nested(MAX_DEPTH + 1).as_bytes()), Err(Malformed::Limit(_))));
    let long = |length: usize| format!("<a>{}</a>", "x".repeat(length));
    assert!(read(long(MAX_EVENT - 1).as_bytes()).is_ok());
    for raw in [
        long(MAX_EVENT + 1),
        format!("<a b='{}'/>", "x".repeat(MAX_EVENT)),
        format!("<{}/>", "x".repeat(MAX_EVENT)),
        format!("<a><!--{}--></a>", "x".repeat(MAX_EVENT)),
        format!("<a><![CDATA[{}]]></a>", "x".repeat(MAX_EVENT)),
        format!("<a>&#{}65;</a>", "0".repeat(MAX_EVENT)),
    ] {
        assert!(matches!(read(raw.as_bytes()), Err(Malformed::Limit(_))));
    }
}

#[test]
fn a_broken_input_is_not_a_malformed_document() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _out: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let mut reader = Reader::new(BufReader::new(b"<a>".chain(Broken)));
    assert!(matches!(reader.next(), Ok(Node::Start(_))));
    match reader.next() {
        Err(ReadError::Input(error)) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(raw in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _read = read(&raw[..]);
    }

    #[test]
    fn nearly_xml_is_read_without_a_panic_and_in_any_chunks(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<a>"), Just("</a>"), Just("<b c='1'/>"), Just("&amp;"), Just("<!--"), Just("-->"), Just("<![CDATA["),
                Just("]]>"), Just("<?"), Just("?>"), Just("<"), Just(">"), Just("'"), Just("&"), Just(";"), Just("!"),
                Just("-"), Just("]"), Just("x"), Just("\u{e9}"), Just("<!DOCTYPE"), Just("<?xml version='1.0'?>"),
            ],
            0..12,
        ),
        capacity in 1usize..9,
    ) {
        let raw = pieces.concat();
        for raw in [raw.clone(), format!("<a>{raw}</a>")] {
            prop_assert_eq!(read(raw.as_bytes()), read(BufReader::with_capacity(capacity, raw.as_bytes())));
        }
    }

    #[test]
    fn positions_are_the_borders_of_the_nodes(texts in proptest::collection::vec("[a-z&; \u{e9}]{0,5}", 1..6)) {
        let element = |text: &String| format!("<b>{}</b>", quick_xml::escape::escape(text.as_str()));
        let elements: Vec<String> = texts.iter().map(element).collect();
        let raw = format!("<a>{}</a>", elements.concat());
        let mut reader = Reader::new(raw.as_bytes());
        let mut found = Vec::new();
        let mut starts = Vec::new();
        loop {
            let at = reader.position();
            match reader.next().unwrap() {
                Node::Start(_) => starts.push(at),
                Node::End => found.push(raw[starts.pop().unwrap()..reader.position()].to_owned()),
                Node::Text(_) => {}
                Node::Eof => break,
            }
        }
        prop_assert_eq!(found.pop(), Some(raw));
        prop_assert_eq!(found, elements);
    }
}
