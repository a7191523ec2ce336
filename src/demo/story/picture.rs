//! The recorded picture of the demo, and whether it still shows what the demo says.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::narrator::Narrator;
use super::stage::Proof;
use super::{Act, Client, Outcome, cast, roles};
use crate::telemetry::decision::{Tally, TallyKey};
use crate::telemetry::{Outcome as Decided, Surface};

const PICTURE: &str = include_str!("../../../docs/demo.svg");
const PRIVATE: &str = "http://127.0.0.1:PORT/simple/";

/// What the demo says with pip when all goes well, line by line.
fn told() -> Vec<String> {
    let mut out = Vec::new();
    let mut narrator = Narrator::new(&mut out, false);
    narrator.prologue(Client::Pip, PRIVATE).unwrap();
    let mut acts = Vec::new();
    for (protected, version) in [(false, cast::PLANTED), (true, cast::OURS)] {
        narrator.curtain(Client::Pip, protected).unwrap();
        for line in roles::lines(Client::Pip, PRIVATE) {
            narrator.types(&line.typed).unwrap();
        }
        let (package, other) = (cast::PACKAGE, format!("{}-{}", cast::ORDINARY, cast::ORDINARY_VERSION));
        narrator.says(&format!("Successfully installed {package}-{version} {other}")).unwrap();
        let module = if protected { cast::OURS_SAYS } else { cast::PLANTED_SAYS };
        narrator.shows(&Proof { module: module.to_owned(), version: version.to_owned() }, protected).unwrap();
        acts.push(Act { client: Client::Pip, protected, version: version.to_owned() });
    }
    let mut tally = Tally::default();
    let rule = Some(cast::RULE.into());
    let subject = cast::PACKAGE.into();
    tally.entries.insert(TallyKey { rule, outcome: Decided::Hidden, surface: Surface::Page, subject }, 1);
    narrator.epilogue(&Outcome { acts, leaked: 0, defended: true }, &tally).unwrap();
    String::from_utf8(out).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// The text of the picture, line by line, with the port that it was recorded on left open.
fn shown() -> Vec<String> {
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let mut reader = Reader::from_str(PICTURE);
    reader.config_mut().check_end_names = true;
    let (mut lines, mut line) = (Vec::new(), None::<String>);
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(tag) if tag.name().as_ref() == "text" => line = Some(String::new()),
            Event::End(tag) if tag.name().as_ref() == "text" => lines.extend(line.take()),
            Event::Text(text) => line.iter_mut().for_each(|line| line.push_str(&text)),
            Event::GeneralRef(name) => line.iter_mut().for_each(|line| line.push_str(character(&name))),
            Event::Eof => break,
            _ => {}
        }
    }
    lines.iter().map(|line| port.replace_all(line, "127.0.0.1:PORT").into_owned()).collect()
}

/// What `docs/record-demo` escapes.
fn character(name: &str) -> &'static str {
    match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        other => panic!("docs/demo.svg: &{other};"),
    }
}

/// Columns depend on how long the port is.
fn words(lines: &[String]) -> Vec<String> {
    let squeezed = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    squeezed.filter(|line| !line.is_empty()).collect()
}

#[test]
fn it_shows_what_the_demo_says() {
    let shown = words(&shown());
    assert_eq!(shown.first().map(String::as_str), Some("$ namewall demo"));
    let again = "record it again: cargo build && docs/record-demo target/debug/namewall";
    assert_eq!(shown[1..], words(&told()), "{again}");
}

#[test]
fn it_is_self_contained_and_speaks_to_those_who_cannot_see_it() {
    for part in ["<title id=", "<desc id=", "role=\"img\"", "prefers-color-scheme: dark"] {
        assert!(PICTURE.contains(part), "{part}");
    }
    for part in ["<script", "<image", "href", "url(", "@import", "@font-face"] {
        assert!(!PICTURE.contains(part), "{part}");
    }
}
