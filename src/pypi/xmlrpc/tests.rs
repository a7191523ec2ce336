use std::cell::Cell;
use std::io::{self, BufReader, Read};

use proptest::prelude::*;

use super::*;
use crate::pypi::testing::Hiding;

/// What Python's `xmlrpc.client.dumps` writes.
const LAST_SERIAL: &str = "<?xml version='1.0'?>\n<methodCall>\n<methodName>changelog_last_serial</methodName>\n<params>\n\
                           </params>\n</methodCall>\n";
const SINCE_SERIAL: &str = "<?xml version='1.0'?>\n<methodCall>\n<methodName>changelog_since_serial</methodName>\n\
                            <params>\n<param>\n<value><int>5</int></value>\n</param>\n</params>\n</methodCall>\n";

/// What aiohttp-xmlrpc, and so bandersnatch, writes.
const FROM_LXML: &str = "<?xml version='1.0' encoding='ASCII'?>\n<methodCall><methodName>changelog_since_serial\
                         </methodName><params><param><value><i4>5</i4></value></param></params></methodCall>";

fn call(method: &str, params: &str) -> Result<Call, Denied> {
    Call::parse(format!("<methodCall><methodName>{method}</methodName>{params}</methodCall>").as_bytes())
}

#[test]
fn calls_that_are_understood() {
    assert_eq!(Call::parse(LAST_SERIAL.as_bytes()), Ok(Call::LastSerial));
    assert_eq!(Call::parse(SINCE_SERIAL.as_bytes()), Ok(Call::ChangesSince(5)));
    assert_eq!(Call::parse(FROM_LXML.as_bytes()), Ok(Call::ChangesSince(5)));
    for params in ["", "<params/>", "<params>\n</params>", "<!-- none -->"] {
        assert_eq!(call("list_packages_with_serial", params), Ok(Call::AllProjects), "{params}");
    }
    for (value, serial) in [
        ("<int>0</int>", 0),
        ("\n<int>-1</int>\n", -1),
        ("<i8>9223372036854775807</i8>", i64::MAX),
        ("<int>&#53;</int>", 5),
    ] {
        let params = format!("<params><param><value>{value}</value></param></params>");
        assert_eq!(call("changelog_since_serial", &params), Ok(Call::ChangesSince(serial)), "{value}");
    }
    assert_eq!(call("list_packages<![CDATA[_with_serial]]>", ""), Ok(Call::AllProjects));
}

#[test]
fn what_goes_upstream_is_canonical() {
    assert_eq!(Call::LastSerial.render(), LAST_SERIAL.as_bytes());
    assert_eq!(Call::ChangesSince(5).render(), SINCE_SERIAL.as_bytes());
    for call in [Call::LastSerial, Call::ChangesSince(i64::MIN), Call::ChangesSince(1 << 40), Call::AllProjects] {
        assert_eq!(Call::parse(&call.render()), Ok(call));
    }
}

#[test]
fn other_methods_are_denied_by_name() {
    for method in ["package_roles", "user_packages", "search", "system.multicall", "Changelog_last_serial"] {
        let denied = call(method, "<params><param><value><boolean>1</boolean></value></param></params>").unwrap_err();
        assert_eq!(denied, Denied::Method(method.to_owned()));
        assert!(denied.to_string().contains(method));
    }
    for method in
        ["", " changelog_last_serial", "changelog_last_serial\n", "<x/>", &"x".repeat(MAX_METHOD + 1), "&lt;b&gt;"]
    {
        assert!(matches!(call(method, ""), Err(Denied::Unreadable(_))), "{method:?}");
    }
}

#[test]
fn wrong_parameters_are_denied() {
    let param = |value: &str| format!("<param><value>{value}</value></param>");
    let params =
        |values: &[&str]| format!("<params>{}</params>", values.iter().map(|value| param(value)).collect::<String>());
    for (method, params) in [
        ("changelog_last_serial", params(&["<int>1</int>"])),
        ("list_packages_with_serial", params(&["acme"])),
        ("changelog_since_serial", String::new()),
        ("changelog_since_serial", params(&[])),
        ("changelog_since_serial", params(&["5"])),
        ("changelog_since_serial", params(&["<string>5</string>"])),
        ("changelog_since_serial", params(&["<nil/>"])),
        ("changelog_since_serial", params(&["<int>1</int>", "<int>1</int>"])),
    ] {
        assert!(matches!(call(method, &params), Err(Denied::Parameters(_))), "{method} {params}");
    }
    for params in [
        params(&["<double>5</double>"]),
        params(&["<int></int>"]),
        params(&["<int> 5</int>"]),
        params(&["<int>5_0</int>"]),
        params(&["<int>9223372036854775808</int>"]),
        params(&["5<int>5</int>"]),
        params(&["<int>5</int>5"]),
        params(&["<int>5</int><int>5</int>"]),
        params(&["<int x='1'>5</int>"]),
        params(&["<x:int xmlns:x='u'>5</x:int>"]),
        params(&["<nil>5</nil>"]),
        params(&["<array><data/></array>"]),
        "<params><param/></params>".to_owned(),
        "<params><value>5</value></params>".to_owned(),
        "<params/><params/>".to_owned(),
        "<methodName>changelog_last_serial</methodName>".to_owned(),
    ] {
        assert!(matches!(call("changelog_since_serial", &params), Err(Denied::Unreadable(_))), "{params}");
    }
}

#[test]
fn unreadable_calls_are_denied() {
    for body in [
        "",
        "{}",
        "<methodCall/>",
        "<methodCall><params/></methodCall>",
        "<methodResponse><methodName>changelog_last_serial</methodName></methodResponse>",
        "<!DOCTYPE x [<!ENTITY m 'changelog_last_serial'>]><methodCall><methodName>&m;</methodName></methodCall>",
        &LAST_SERIAL.replace("?>", " encoding='UTF-16'?>"),
        &LAST_SERIAL[..LAST_SERIAL.len() - 2],
        &(LAST_SERIAL.to_owned() + LAST_SERIAL),
        &(LAST_SERIAL.to_owned() + "x"),
    ] {
        let denied = Call::parse(body.as_bytes()).unwrap_err();
        assert!(matches!(denied, Denied::Unreadable(_)), "{body} {denied:?}");
        assert!(denied.to_string().starts_with("namewall does not pass"));
    }
}

fn filtered(call: Call, source: &str) -> Result<(String, u64), ResponseError> {
    let mut output = Vec::new();
    let removed = filter_response(call, source.as_bytes(), &mut output, &mut Hiding::names(&["acme"]))?;
    Ok((String::from_utf8(output).unwrap(), removed))
}

fn answer(value: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{value}</param>\n</params>\n</methodResponse>\n"
    )
}

/// The answer to `list_packages_with_serial` as Python writes it; the names are escaped already.
fn projects(members: &[(&str, i64)]) -> String {
    let member = |(name, serial): &(&str, i64)| {
        format!("<member>\n<name>{name}</name>\n<value><int>{serial}</int></value>\n</member>\n")
    };
    answer(&format!("<value><struct>\n{}</struct></value>\n", members.iter().map(member).collect::<String>()))
}

type Change<'a> = (&'a str, Option<&'a str>, &'a str);

/// The answer to `changelog_since_serial` as Python writes it.
fn changes(changes: &[Change<'_>]) -> String {
    let string = |text: &str| format!("<value><string>{text}</string></value>\n");
    let change = |(name, version, action): &Change<'_>| {
        let (name, action) = (string(name), string(action));
        let version = version.map_or("<value><nil/></value>".to_owned(), string);
        format!(
            "<value><array><data>\n{name}{version}<value><int>7</int></value>\n{action}<value><int>5</int></value>\n\
             </data></array></value>\n"
        )
    };
    let changes: String = changes.iter().map(change).collect();
    answer(&format!("<value><array><data>\n{changes}</data></array></value>\n"))
}

#[test]
fn all_projects_but_the_hidden_are_listed() {
    let source =
        projects(&[("Acme", 1), ("other", 2), ("hidden.x", 3), ("b", -4), ("no name", 5), ("", 6), ("a&lt;b", 7)]);
    assert_eq!(filtered(Call::AllProjects, &source).unwrap(), (projects(&[("other", 2), ("b", -4)]), 5));
    for members in [&[][..], &[("other", 2)], &[("A.b", 2), ("c", i64::from(i32::MAX))]] {
        assert_eq!(filtered(Call::AllProjects, &projects(members)).unwrap(), (projects(members), 0));
    }
    let long = "<member><name>b</name><value><i8>2147483648</i8></value></member>";
    let source = format!(
        "<methodResponse><params><param><value><struct>{long}</struct></value></param></params></methodResponse>"
    );
    let (output, _) = filtered(Call::AllProjects, &source).unwrap();
    assert!(output.contains("<name>b</name>\n<value><i8>2147483648</i8></value>\n"), "{output}");
}

#[test]
fn changes_of_hidden_projects_and_files_are_not_told() {
    let kept = [
        ("other", None, "create"),
        ("other", Some("1.0"), "new release"),
        ("other", Some("1.0"), "add py3 file other-1.0-py3-none-any.whl"),
        ("other", Some(""), "add Owner acme"),
        ("Zope.X", Some("1.0 &lt;x&gt;"), "remove &amp; \"add\" acme"),
    ];
    let hidden = [
        ("acme", None, "create"),
        ("ACME", Some("1.0"), "new release"),
        ("hidden_x", Some("1.0"), "x"),
        ("other", Some("666.0"), "new release"),
        ("not a name", Some("1.0"), "create"),
        ("", None, "create"),
        ("other", Some("1.0"), "add py3 file acme-1.0-py3-none-any.whl"),
        ("other", Some("1.0"), "add source file Acme-1.0.tar.gz"),
        ("other", Some("1.0"), "remove file acme-1.0.tar.gz.asc"),
        ("other", Some("1.0"), "remove file other-1.0.zip, acme-1.0.zip."),
        ("other", Some("1.0"), "add 'acme-1.0.zip'"),
        ("other", Some("1.0"), "add https://f.example/acme-1.0.zip"),
        ("other", Some("1.0"), "add\u{a0}acme-1.0.zip\u{e9}"),
    ];
    let mut all = Vec::new();
    for (index, change) in hidden.iter().enumerate() {
        assert_eq!(filtered(Call::ChangesSince(1), &changes(&[*change])).unwrap(), (changes(&[]), 1), "{change:?}");
        all.extend([*change, kept[index % kept.len()]]);
    }
    let rest: Vec<Change<'_>> = all.iter().skip(1).step_by(2).copied().collect();
    assert_eq!(filtered(Call::ChangesSince(1), &changes(&all)).unwrap(), (changes(&rest), hidden.len() as u64));
    assert_eq!(filtered(Call::ChangesSince(1), &changes(&kept)).unwrap(), (changes(&kept), 0));
}

#[test]
fn the_last_serial_is_a_number() {
    let source = answer("<value><int>31415926</int></value>\n");
    assert_eq!(filtered(Call::LastSerial, &source).unwrap(), (source, 0));
}

#[test]
fn a_fault_stays_one() {
    let source = "<methodResponse><fault><value><struct><member><name>faultString</name><value>no &lt;x&gt;&#13;</value>\
                  </member><member><name>faultCode</name><value><i4>-32500</i4></value></member></struct></value>\
                  </fault></methodResponse>";
    let written = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n\
                   <value><int>-32500</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>no \
                   &lt;x&gt;&#13;</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n";
    for call in [Call::LastSerial, Call::ChangesSince(1), Call::AllProjects] {
        assert_eq!(filtered(call, source).unwrap(), (written.to_owned(), 0));
        assert_eq!(filtered(call, written).unwrap(), (written.to_owned(), 0));
    }
    assert_eq!(fault(-32500, "no <x>\r"), written.as_bytes());
    assert_eq!(fault(-32500, "no <x>\r\0\u{ffff}"), written.replace("&#13;", "&#13;\u{fffd}\u{fffd}").as_bytes());
    for wrong in [
        source.replace("faultCode", "faultString"),
        source.replace("faultCode", "code"),
        source.replace("<i4>-32500</i4>", "-32500"),
        source.replace("no &lt;x&gt;&#13;", "<int>1</int>"),
        source.replace("<member><name>faultCode</name><value><i4>-32500</i4></value></member>", ""),
        source.replace("</struct>", "<member><name>faultCode</name><value><i4>1</i4></value></member></struct>"),
        source.replace("</fault>", "</fault><params/>"),
    ] {
        assert!(matches!(filtered(Call::LastSerial, &wrong), Err(ResponseError::Malformed(_))), "{wrong}");
    }
}

#[test]
fn answers_of_another_shape_are_malformed() {
    let (list, log) = (projects(&[("other", 2)]), changes(&[("other", Some("1.0"), "create")]));
    let number = answer("<value><int>1</int></value>\n");
    let (all, since) = (Call::AllProjects, Call::ChangesSince(1));
    for (call, source) in [
        (all, log.clone()),
        (all, number.clone()),
        (since, list.clone()),
        (since, number.clone()),
        (Call::LastSerial, list.clone()),
        (Call::LastSerial, answer("<value><nil/></value>")),
        (Call::LastSerial, answer("<value>1</value>")),
        (Call::LastSerial, number.replace("</param>", "</param><param/>")),
        (all, list.replace("<int>2</int>", "<string>2</string>")),
        (all, list.replace("<int>2</int>", "<nil/>")),
        (all, list.replace("<int>2</int>", "")),
        (all, list.replace("<int>2</int>", "<struct/>")),
        (all, list.replace("<name>other</name>", "<name>oth<i4/>er</name>")),
        (all, list.replace("<name>other</name>", "")),
        (all, list.replace("<name>other</name>", "<name>other</name><name>acme</name>")),
        (all, list.replace("<member>", "acme<member>")),
        (all, list.replace("<member>", "<x/><member>")),
        (all, list.replace("</params>", "</params><fault/>")),
        (all, "<methodCall/>".to_owned()),
        (all, "<methodResponse/>".to_owned()),
        (since, log.replace("<string>1.0</string>", "<int>1</int>")),
        (since, log.replace("<string>create</string>", "<nil/>")),
        (since, log.replace("<string>other</string>", "<nil/>")),
        (since, log.replace("<value><int>7</int></value>", "")),
        (since, log.replace("<value><int>7</int></value>", "<value><int>7</int></value><value><int>7</int></value>")),
        (since, log.replace("<string>1.0</string>", "<array><data/></array>")),
        (since, log.replace("<string>1.0</string>", "<base64>AA==</base64>")),
    ] {
        let refused = filtered(call, &source);
        assert!(matches!(refused, Err(ResponseError::Malformed(Malformed::Shape(_)))), "{source} {refused:?}");
    }
    let long = list.replace("other", &"x".repeat(100_000));
    assert!(matches!(filtered(all, &long), Err(ResponseError::Malformed(Malformed::Limit(_)))));
    let pieces = list.replace("other", &"x&amp;".repeat(50_000));
    assert!(matches!(filtered(all, &pieces), Err(ResponseError::Malformed(Malformed::Limit(_)))));
    let after = list + "<x/>";
    assert!(matches!(filtered(all, &after), Err(ResponseError::Malformed(Malformed::Syntax { .. }))));
}

#[test]
fn an_answer_is_ended_only_if_it_has_ended() {
    for (call, source) in [
        (Call::AllProjects, projects(&[("other", 2), ("acme", 3)])),
        (Call::ChangesSince(1), changes(&[("other", Some("1.0"), "create"), ("acme", None, "create")])),
        (Call::LastSerial, answer("<value><int>1</int></value>\n")),
    ] {
        // The last line end follows the document.
        for end in 0..source.len() - 1 {
            let mut output = Vec::new();
            let result = filter_response(call, &source.as_bytes()[..end], &mut output, &mut Hiding::names(&["acme"]));
            assert!(matches!(result, Err(ResponseError::Malformed(Malformed::Truncated))), "{end} {result:?}");
            let output = String::from_utf8(output).unwrap();
            assert!(!output.contains("acme") && !output.contains("</methodResponse>"));
        }
    }
}

#[test]
fn failures_of_input_and_output_are_told_apart() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _out: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let source = projects(&[("other", 2)]);
    let input = BufReader::new(source.as_bytes()[..100].chain(Broken));
    let result = filter_response(Call::AllProjects, input, &mut Vec::new(), &mut Hiding::default());
    assert!(matches!(result, Err(ResponseError::Input(error)) if error.kind() == io::ErrorKind::ConnectionReset));
    let mut full = [0; 20];
    let result = filter_response(Call::AllProjects, source.as_bytes(), &mut &mut full[..], &mut Hiding::default());
    assert!(matches!(result, Err(ResponseError::Output(_))));
}

#[test]
fn a_long_list_comes_out_while_it_goes_in() {
    /// So many members; each may be read only when those before it have been written.
    struct Members<'a>(usize, &'a Cell<usize>);
    impl Read for Members<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Self(left, written) = self;
            assert!(written.get() + *left >= COUNT - 100, "{left} are left, {} have been written", written.get());
            if *left == 0 {
                return Ok(0);
            }
            *left -= 1;
            let member = |name| format!("<member><name>{name}</name><value><int>1</int></value></member>");
            (member("acme") + &member("b")).as_bytes().read(out)
        }
    }
    /// Counts members.
    struct Counting<'a>(&'a Cell<usize>);
    impl io::Write for Counting<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + usize::from(bytes.starts_with(b"<member>")));
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    const COUNT: usize = 20_000;
    let whole = projects(&[]);
    let (head, tail) = whole.split_at(whole.find("</struct>").unwrap());
    let written = Cell::new(0);
    let input = BufReader::with_capacity(512, head.as_bytes().chain(Members(COUNT, &written)).chain(tail.as_bytes()));
    let mut judge = Hiding::names(&["acme"]);
    let removed = filter_response(Call::AllProjects, input, &mut Counting(&written), &mut judge).unwrap();
    assert_eq!((removed, written.get()), (COUNT as u64, COUNT));
}

/// A name, a version and an action, in one of the ways in which XML can write them.
fn written(text: &str, way: u8) -> String {
    let escaped = quick_xml::escape::partial_escape(text);
    match way % 4 {
        0 => format!("<value><string>{escaped}</string></value>"),
        1 => format!("<value>{escaped}</value>"),
        2 => format!(
            "<value>\n <string>{}</string>\t</value>",
            text.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>()
        ),
        _ => format!("<value ><string><![CDATA[{text}]]></string><!-- acme --></value >"),
    }
}

fn names() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("acme"),
        Just("ACME"),
        Just("hidden_x"),
        Just("Hidden-y"),
        Just("other"),
        Just("B.c"),
        Just("acme-x"),
        Just("acme\n"),
        Just("no name"),
        Just(""),
        Just("<acme>"),
        Just("\u{212a}eras"),
    ]
}

fn is_hidden(name: &str) -> bool {
    !matches!(name, "other" | "B.c" | "acme-x")
}

proptest! {
    #[test]
    fn every_way_to_write_a_list_gives_the_same_answer(
        members in proptest::collection::vec((names(), any::<i32>(), any::<u8>()), 0..8),
        capacity in 1usize..40,
    ) {
        let member = |(name, serial, way): &(&str, i32, u8)| {
            let name = written(name, *way).replace("value", "name").replace("<string>", "").replace("</string>", "");
            let name = if way % 4 == 2 { name.replace(['\n', '\t', ' '], "") } else { name };
            let int = ["int", "i4", "i8"][usize::from(way % 3)];
            format!("<member>{name}<value>\n<{int}>{serial}</{int}></value></member>")
        };
        let source: String = members.iter().map(member).collect();
        let source = answer(&format!("<value><struct>{source}</struct></value>"));
        let mut output = Vec::new();
        let mut judge = Hiding::names(&["acme"]);
        let input = BufReader::with_capacity(capacity, source.as_bytes());
        let removed = filter_response(Call::AllProjects, input, &mut output, &mut judge).unwrap();
        let kept: Vec<_> =
            members.iter().filter(|(name, ..)| !is_hidden(name)).map(|(name, serial, _)| (*name, i64::from(*serial))).collect();
        prop_assert_eq!(String::from_utf8(output).unwrap(), projects(&kept));
        prop_assert_eq!(removed, (members.len() - kept.len()) as u64);
    }

    #[test]
    fn every_way_to_write_the_changes_gives_the_same_answer(
        rows in proptest::collection::vec((names(), names(), any::<u8>(), any::<u8>()), 0..8),
        capacity in 1usize..40,
    ) {
        // A wheel's name has no dash before its version.
        let action = |name: &str, way: u8| match way % 2 {
            0 => format!("add py3 file {}-1.0-py3-none-any.whl", name.replace('-', "_")),
            _ => format!("add Owner {name}"),
        };
        let row = |(name, other, way, file): &(&str, &str, u8, u8)| {
            let version = if *way > 127 { "<value> <nil/> </value>".to_owned() } else { written("1.0", way / 4) };
            let (name, action) = (written(name, *way), written(&action(other, *file), way / 2));
            format!("<value><array><data>{name}{version}<value><int>7</int></value>{action}<value><i8>+5</i8></value></data></array></value>")
        };
        let source: String = rows.iter().map(row).collect();
        let source = answer(&format!("<value><array><data>{source}</data></array></value>"));
        let mut output = Vec::new();
        let input = BufReader::with_capacity(capacity, source.as_bytes());
        let removed = filter_response(Call::ChangesSince(1), input, &mut output, &mut Hiding::names(&["acme"])).unwrap();
        let hides = |name: &str, action: &str| {
            let hidden_files = ["acme-", "ACME-", "hidden_x-", "Hidden_y-"].map(|name| format!("add py3 file {name}1.0-py3-none-any.whl"));
            is_hidden(name) || hidden_files.iter().any(|file| file == action)
        };
        let kept: Vec<_> = rows
            .iter()
            .map(|(name, other, way, file)| (*name, (*way <= 127).then_some("1.0"), action(other, *file)))
            .filter(|(name, _, action)| !hides(name, action))
            .collect();
        let escaped: Vec<String> =
            kept.iter().map(|(_, _, action)| quick_xml::escape::partial_escape(action.as_str()).into_owned()).collect();
        let expected: Vec<Change<'_>> = kept.iter().zip(&escaped).map(|((name, version, _), action)| (*name, *version, &**action)).collect();
        prop_assert_eq!(String::from_utf8(output).unwrap(), changes(&expected));
        prop_assert_eq!(removed, (rows.len() - expected.len()) as u64);
    }

    #[test]
    fn any_call_is_read_without_a_panic(body in "[<>/a-z_&;:'=\" 0-9]{0,60}") {
        let _call = Call::parse(body.as_bytes());
        let _call = call(&body, &body);
    }
}
