//! How each mistake is shown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// All messages of a table of wrong configs, each below what is wrong with it.
fn rendered(cases: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (what, text) in cases {
        let error = load(text).expect_err(what);
        for mistake in error.mistakes() {
            assert!(!mistake.help().is_empty(), "{what}");
            assert!(mistake.message().split_whitespace().count() >= 3, "{what}: {}", mistake.message());
            assert!(mistake.place().is_some(), "{what}");
        }
        writeln!(all, "## {what}\n{error}\n").unwrap();
    }
    all
}

#[test]
fn a_number_that_is_no_limit_is_told_the_bounds() {
    for number in ["99999999999", "0", "-1"] {
        let error = load(&format!("[limits]\nconnections = {number}\n")).unwrap_err().to_string();
        assert!(error.contains("write a number from 1 to 1073741824"), "{error}");
    }
}

#[test]
fn mistakes_of_shape() {
    let shown = rendered(&[
        ("a value without quotes", "[log]\nformat = json\n"),
        ("a string without an end", "[log]\nformat = \"json\n"),
        ("a header without an end", "[log\nformat = \"json\"\n"),
        ("a list without an end", "[listen]\nallow = [\"10.0.0.0/8\"\n"),
        ("a key without a value", "[log]\nformat\n"),
        ("a colon for an equals sign", "[log]\nformat: \"json\"\n"),
        ("a key twice", "[log]\nformat = \"json\"\nformat = \"text\"\n"),
        ("a table twice", "[log]\nformat = \"json\"\n[log]\n"),
        ("a date that is none", "[[protect]]\nexpires = 2027-13-01\n"),
        ("a key with a slip", "[listen]\n\n  adress = \"127.0.0.1:3128\"\n"),
        ("a key that is unknown", "[listen]\nzzz = 1\n"),
        ("a table with a slip", "[listne]\naddr = \"127.0.0.1:3128\"\n"),
        ("a key of another table", "addr = \"127.0.0.1:3128\"\n"),
        ("an underscore for a dash", "[upstream]\nextra_roots = []\n"),
        ("a string for a list", "[[assert]]\nallowed = \"requests\"\n"),
        ("a number in a list", "[[assert]]\nallowed = [\"requests\", 5]\n"),
        ("a number for a duration", "[listen]\ndrain = 30\n"),
        ("a number for an address", "[listen]\naddr = 3128\n"),
        ("a list for an address", "[listen]\nadmin = [\"127.0.0.1:3129\"]\n"),
        ("a string for a table", "log = \"json\"\n"),
        ("one bracket for two", "[protect]\nid = \"acme\"\n"),
        ("two brackets for one", "[[log]]\nformat = \"json\"\n"),
        ("a list for the table of connect-to", "[upstream]\nconnect-to = [\"pypi.org:443\"]\n"),
        ("a port alone in connect-to", "[upstream]\nconnect-to = { \"pypi.org:443\" = 8443 }\n"),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn mistakes_of_single_values() {
    let shown = rendered(&[
        ("a name for an address", "[listen]\naddr = \"localhost:8080\"\n"),
        ("an address without its port", "[listen]\naddr = [\"127.0.0.1:3128\", \"::1\"]\n"),
        ("no address", "[listen]\naddr = []\n"),
        ("an address twice", "[listen]\naddr = [\"127.0.0.1:3128\", \"127.0.0.1:3128\"]\n"),
        ("an admin address that is none", "[listen]\nadmin = \"3129\"\n"),
        ("an address for a network", "[listen]\nallow = [\"192.168.1.7\"]\n"),
        ("a network with host bits", "[listen]\nallow = [\"192.168.1.7/24\"]\n"),
        ("a network that is none", "[listen]\nallow = [\"127.0.0.0/8\", \"corp\"]\n"),
        ("a network of IPv4 as one of IPv6", "[listen]\nallow = [\"::ffff:10.0.0.0/104\"]\n"),
        ("an address of IPv4 as one of IPv6", "[listen]\nallow = [\"::ffff:10.1.2.3\"]\n"),
        ("no network", "[listen]\nallow = []\n"),
        ("a duration without its unit", "[listen]\ndrain = \"30\"\n"),
        ("a size without a known unit", "[cache]\nsize = \"64 megabytes\"\n"),
        ("a size below nothing", "[cache]\nsize = -1\n"),
        ("a size that is none", "[cache]\nsize = true\n"),
        ("open to the world", "[listen]\naddr = [\"127.0.0.1:3128\", \"0.0.0.0:3128\"]\n"),
        ("users who are nowhere", "[listen]\nusers = \"/nowhere/users\"\n"),
        ("a rule for users where nobody is asked", "[[protect]]\nid = \"a\"\nnames = [\"a\"]\nfor = [\"user:ci\"]\n"),
        ("a rule for no one", "[[protect]]\nid = \"a\"\nnames = [\"a\"]\nfor = []\n"),
        (
            "a rule for nobody",
            "[listen]\nusers = \"users\"\n[[protect]]\nid = \"a\"\nnames = [\"a\"]\nfor = [\"ci\", \"user:\"]\nexcept-for = [\"10.1\"]\n",
        ),
        ("an assertion for nobody", "[listen]\nusers = \"users\"\n[[assert]]\nallowed = [\"a\"]\nfor = \"user:c*\"\n"),
        ("a certificate without its key", "[ca]\ncert = \"ca.pem\"\n"),
        ("a key without its certificate", "[ca]\nkey = \"ca.key\"\n"),
        ("a folder and a certificate", "[ca]\ndir = \"/srv/ca\"\ncert = \"ca.pem\"\nkey = \"ca.key\"\n"),
        ("an empty path", "[ca]\ndir = \"\"\n"),
        ("a proxy by FTP", "[upstream]\nproxy = \"ftp://u:hunter2@proxy.corp.example\"\n"),
        ("a proxy with an odd password", "[upstream]\nproxy = \"http://u:hunt#er2@proxy.corp.example:8080\"\n"),
        ("a proxy with a wrong port", "[upstream]\nproxy = \"proxy.corp.example:99999\"\n"),
        ("a proxy that is a word", "[upstream]\nproxy = \"none\"\n"),
        ("a password for nobody", "[upstream]\nproxy = \"http://proxy:1\"\nproxy-password-file = \"p\"\n"),
        ("a password without a proxy", "[upstream]\nproxy-password-file = \"p\"\n"),
        (
            "a password that isn't there",
            "[upstream]\nproxy = \"http://ann@proxy:1\"\nproxy-password-file = \"/nonexistent/p\"\n",
        ),
        ("a slip in no-proxy", "[upstream]\nno-proxy = \"corp.example, *corp.example,10.0.0.0/33\"\n"),
        ("slips in a list of no-proxy", "[upstream]\nno-proxy = [\"corp.example:0\", \"192.168.\"]\n"),
        ("a route from nowhere to nowhere", "[[upstream.route]]\n\n[[upstream.route]]\nto = []\nproxy = \"direct\"\n"),
        ("a slip in a route", "[[upstream.route]]\nto = \"a.example\"\nproxy = \"direct\"\nporxy = \"direct\"\n"),
        ("connect-to without a port", "[upstream]\nconnect-to = { \"pypi.org\" = \"127.0.0.1:8443\" }\n"),
        ("connect-to to a URL", "[upstream.connect-to]\n\"pypi.org:443\" = \"https://127.0.0.1:8443/\"\n"),
        ("connect-to twice", "[upstream.connect-to]\n\"pypi.org:443\" = \"a:1\"\n\"PyPI.org:443\" = \"b:2\"\n"),
        ("an inventory of nothing", "[[inventory]]\n"),
        ("an inventory of PyPI", "[[inventory]]\nid = \"corp\"\nurl = \"https://PyPI.org/simple/\"\n"),
        (
            "inventories that can't be told apart",
            "[[inventory]]\nid = \"a-b\"\nurl = \"https://a.example/\"\n\n[[inventory]]\nid = \"A_b\"\nurl = \"https://b.example/\"\n",
        ),
        ("an inventory like a rule", "[[inventory]]\nid = \"environment\"\nurl = \"https://a.example/\"\n"),
        ("an inventory by FTP", "[[inventory]]\nid = \"corp\"\nurl = \"ftp://u:hunter2@pypi.acme.example/\"\n"),
        (
            "an inventory with two identities",
            concat!(
                "[[inventory]]\nid = \"corp\"\nurl = \"https://pypi.acme.example/simple/\"\nuser = \"ci\"\n",
                "token-file = \"token\"\nrefresh = \"10ms\"\non-missing = \"ignored\"\n",
            ),
        ),
        (
            "a user without a password",
            concat!(
                "[[inventory]]\nid = \"corp\"\nurl = \"https://pypi.acme.example/simple/\"\nuser = \"ci\"\n",
                "[[inventory]]\nid = \"corp\"\nurl = \"https://pypi.acme.example/simple/\"\npassword-file = \"x\"\n",
            ),
        ),
        ("how often, twice", "claimed-every = \"24h\"\n[claimed]\nevery = \"24h\"\n"),
        ("how often, in the wrong place", "[log]\nformat = \"text\"\nclaimed-every = \"24h\"\n"),
        (
            "a password where none belongs",
            "[[inventory]]\nid = \"a\"\nurl = \"https://a.example/\"\npassword = \"hunter2\"\n",
        ),
        (
            "a password in a URL",
            "[[protect]]\nid = \"a\"\nnames = [\"a\"]\nprivate-index = \"https://u:hunter2@a.example/\"\n",
        ),
        (
            "an extra in a name",
            "[[protect]]\nid = \"a\"\nnames = [\"acme[extra]\", \"acme[0-9]\", \"RE:acme-.*\", \"glob:acme*\"]\n",
        ),
        ("a webhook by mail", "[claimed]\nevery = \"1s\"\nwebhook = \"mailto:s3cret@acme.example\"\n"),
        ("an assertion of nothing", "[[assert]]\n"),
        ("an assertion on a pattern", "[[assert]]\nprotected = [\"acme\", \"acme-*\"]\n"),
        ("a URL for a host", "[[intercept]]\nhost = \"https://mirror.corp.example:8443/simple\"\nkind = \"mirror\"\n"),
        ("a port behind a host", "[[intercept]]\nhost = \"mirror.corp.example:8443\"\nkind = \"mirror\"\n"),
        ("an IP address to intercept", "[[intercept]]\nhost = \"192.0.2.7\"\nkind = \"mirror\"\n"),
        ("a host that is intercepted anyway", "[[intercept]]\nhost = \"PyPI.org\"\nkind = \"mirror\"\n"),
        ("a kind with a slip", "[[intercept]]\nhost = \"mirror.corp.example\"\nkind = \"mirorr\"\n"),
        ("a host without its kind", "[[intercept]]\nhost = \"mirror.corp.example\"\n"),
        ("a log format with a slip", "[log]\nformat = \"jsno\"\n"),
        ("a log format that is unknown", "[log]\nformat = \"xml\"\n"),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn mistakes_of_versions_and_lookalikes() {
    let rule = |more: &str| format!("[[protect]]\nid = \"acme\"\n{more}\n");
    let named = |more: &str| rule(&format!("names = [\"acme\"]\n{more}"));
    let shown = rendered(&[
        ("a version for a comparison", &named("versions = \"2.0\"")),
        ("no version", &named("versions = \" \"")),
        ("an arrow", &named("versions = \"=>2.0\"")),
        ("a comparison with no version", &named("versions = \">=2.0, <latest\"")),
        ("poetry's caret", &named("versions = \"^2.0\"")),
        ("a number for a text", &named("versions = 2")),
        ("versions of no names", &rule("files = [\"*.egg\"]\nversions = \">=2.0\"")),
        ("lookalikes of no exact name", &rule("names = [\"acme-*\", \"re:acme[0-9]\"]\nlookalikes = true")),
        ("a word for yes", &named("lookalikes = \"yes\"")),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn mistakes_of_rules() {
    let shown = rendered(&[
        ("a key with a slip", "# Acme's\n[[protect]]\nid = \"acme\"\nnaems = [\"acme-*\"]\n"),
        ("no id", "[[protect]]\nnames = [\"acme\"]\n"),
        ("an id that is no word", "[[protect]]\nid = \"acme core\"\nnames = [\"acme\"]\n"),
        ("an empty id", "[[protect]]\nid = \"\"\nnames = [\"acme\"]\n"),
        ("an id twice", "[[protect]]\nid = \"a\"\nnames = [\"a\"]\n\n[[protect]]\nid = \"a\"\nnames = [\"b\"]\n"),
        ("the id of the environment", "[[protect]]\nid = \"environment\"\nnames = [\"a\"]\n"),
        ("the id of the command line", "[[protect]]\nid = \"command-line\"\nnames = [\"a\"]\n"),
        ("neither names nor files", "[[protect]]\nid = \"acme\"\nexcept = [\"acme-sdk\"]\n"),
        ("everything", "[[protect]]\nid = \"acme\"\nnames = [\"acme\", \"*\"]\n"),
        ("every file", "[[protect]]\nid = \"acme\"\nfiles = [\"*\"]\n"),
        ("a mode that is unknown", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nmode = \"warn\"\n"),
        ("a mode with a slip", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nmode = \"Enforced\"\n"),
        (
            "a day that is written otherwise",
            "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nexpires = \"30.6.2027\"\n",
        ),
        ("a time for a day", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nexpires = 2027-06-30T12:00:00Z\n"),
        ("a number for a day", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nexpires = 2027\n"),
        ("a table for a day", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nexpires = { day = 30 }\n"),
        ("an index that is no URL", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nprivate-index = \"pypi.acme\"\n"),
        ("a file for an index", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nprivate-index = \"file:///srv\"\n"),
        (
            "a password",
            "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nprivate-index = \"https://ann:pw@pypi.acme/\"\n",
        ),
        ("a word for yes", "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\neverything = \"yes\"\n"),
        (
            "all at once",
            "[listen]\naddr = \"0.0.0.0:3128\"\nallow = \"10.0.0.0/8\"\n\n[[protect]]\nid = \"acme\"\nnames = \"acme\"\n\n\
             [[protect]]\nnames = [\"acme\"]\nmood = \"audit\"\nmode = \"log\"\n\n[log]\nformat = \"xml\"\n",
        ),
    ]);
    insta::assert_snapshot!(shown);
}

#[test]
fn mistakes_of_patterns() {
    let names = [
        ("capitals in a regular expression", "re:Acme-.*"),
        ("an underscore in a regular expression", "re:acme_core"),
        ("a point in a regular expression", r"re:acme\\.core"),
        ("an empty pattern", ""),
        ("an empty regular expression", "re:"),
        ("a regular expression that isn't one", "re:acme-("),
        ("a repetition without an end", "re:acme-[0-9]{1"),
        ("a look-ahead", "re:acme-(?!sdk).*"),
        ("a leading dash", "-acme"),
        ("a trailing dash", "acme-"),
        ("a blank", "acme core"),
        ("brackets of a shell", "acme-[ab]"),
        ("a letter that is not ASCII", "\u{e4}cme"),
        ("a requirement", "acme>=1.0"),
        ("a URL", "https://pypi.org/simple/acme/"),
        ("everything in question marks and asterisks", "**"),
        ("everything as a regular expression", "re:.*"),
    ];
    let named = names.map(|(what, pattern)| (what, format!("[[protect]]\nid = \"acme\"\nnames = [\"{pattern}\"]\n")));
    let files = [
        ("an empty file pattern", ""),
        ("a file pattern with a folder", "dist/*.whl"),
        ("a file pattern that is no regular expression", "re:acme[.whl"),
        ("every file as a regular expression", "re:.*"),
    ];
    let filed = files.map(|(what, pattern)| (what, format!("[[protect]]\nid = \"acme\"\nfiles = [\"{pattern}\"]\n")));
    let cases: Vec<_> = named.iter().chain(&filed).map(|(what, text)| (*what, text.as_str())).collect();
    insta::assert_snapshot!(rendered(&cases));
}

#[test]
fn mistakes_of_days() {
    let cases = [
        ("a month of one digit", "\"2027-6-30\""),
        ("a leap day that isn't", "\"2027-02-29\""),
        ("a word", "\"never\""),
        ("nothing", "\"\""),
        ("a time alone", "12:00:00"),
        ("a day that isn't in the calendar", "2027-02-30"),
        ("yes", "true"),
        ("a list", "[2027-06-30]"),
    ]
    .map(|(what, day)| (what, format!("[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nexpires = {day}\n")));
    let cases: Vec<_> = cases.iter().map(|(what, text)| (*what, text.as_str())).collect();
    insta::assert_snapshot!(rendered(&cases));
}

/// "invalid" says that something is wrong, which the reader knows by now, and not what.
#[test]
fn no_message_is_content_with_invalid() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/tests/snapshots");
    let mut messages = 0;
    for file in fs::read_dir(snapshots).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for message in text.lines().filter(|line| line.starts_with("error: ")) {
            messages += 1;
            let (_, why) = message.split_once("invalid ").unwrap_or(("", message));
            assert!(!message.ends_with("invalid") && why.split_whitespace().count() >= 2, "{message}");
        }
        for mistake in text.split("error: ").skip(1) {
            assert!(mistake.contains("= help: "), "{mistake}");
        }
    }
    assert!(messages >= 100, "{messages}");
}

#[test]
fn a_pattern_is_shown_where_it_stands() {
    let text = "[[protect]]\nid = \"acme\"\nnames = [\"acme\", \"Acme_[x]\"]\nexcept = [\"\"]\nfiles = [\"re:(\"]\n";
    let error = load(text).unwrap_err();
    let places: Vec<_> =
        error.mistakes().iter().map(|m| m.place().map(|(place, column)| (place.line, column))).collect();
    assert_eq!(places, [Some((3, 18)), Some((4, 11)), Some((5, 10))], "{error}");
    assert!(error.to_string().contains("\n  |                  ^^^^^^^^^^\n"), "{error}");
}

#[test]
fn mistakes_of_the_command_line() {
    let error = load_with(protect(&["acme", "Acme_[x]"]), "").unwrap_err();
    assert_eq!(error.mistakes().len(), 1);
    let shown = error.to_string();
    assert!(shown.starts_with("error: --protect 'Acme_[x]': "), "{shown}");
    assert!(shown.contains(" | --protect 'Acme_[x]'\n |            ^^^^^^^^\n = help: "), "{shown}");
    insta::assert_snapshot!(load_with(protect(&["*"]), "").unwrap_err(), @r#"
error: --protect '*': `*` matches everything
 |
 | --protect '*'
 |            ^
 = help: narrow it; to hide every package of the index, write a rule with `everything = true` into a config file
"#);
}

#[test]
fn strangers_are_kept_out_unless_they_are_allowed() {
    let everywhere = || Overrides { listen: vec!["0.0.0.0:3128".parse().unwrap()], ..Overrides::default() };
    insta::assert_snapshot!(load_with(everywhere(), "").unwrap_err(), @r#"
error: --listen '0.0.0.0:3128': this address can be reached from other machines, and no `allow` says from which
 |
 | --listen '0.0.0.0:3128'
 |           ^^^^^^^^^^^^
 = help: say below `[listen]` of a config file whom to serve, such as `allow = ["10.0.0.0/8"]`, or use `--listen 127.0.0.1:3128`
"#);
    assert!(load_with(everywhere(), "[listen]\nallow = [\"10.0.0.0/8\"]\n").is_ok());
    // What the flag replaces needs no `allow`; addresses of this machine never do.
    let here = Overrides { listen: vec!["127.0.0.2:0".parse().unwrap()], ..Overrides::default() };
    assert!(load_with(here, "[listen]\naddr = \"0.0.0.0:3128\"\n").is_ok());
    assert!(load("[listen]\naddr = [\"[::1]:1\", \"[::ffff:127.0.0.1]:2\", \"127.1.2.3:3\"]\n").is_ok());
}

#[test]
fn a_root_must_be_there() {
    let cwd = TempDir::new().unwrap();
    let config = cwd.path().join("conf");
    fs::create_dir(&config).unwrap();
    fs::write(config.join("namewall.toml"), "[upstream]\nextra-roots = [\"corp.crt\"]\n").unwrap();
    let overrides = Overrides { config: Some("conf/namewall.toml".into()), ..Overrides::default() };
    let load = || Settings::load_from(&overrides, &environment(), cwd.path());
    let error = load().unwrap_err().to_string().replace(&cwd.path().display().to_string(), "/cwd");
    insta::assert_snapshot!(error, @r#"
error: there is no file `/cwd/conf/corp.crt`
 --> conf/namewall.toml:2:16
  |
2 | extra-roots = ["corp.crt"]
  |                ^^^^^^^^^^
  = help: write the path of a PEM file, absolute or from the config file's folder
"#);
    fs::write(config.join("corp.crt"), "").unwrap();
    assert_eq!(load().unwrap().extra_roots, [config.join("corp.crt")]);
}

proptest! {
    #[test]
    fn a_damaged_config_is_explained_and_never_a_panic(
        from in 0..EXAMPLE.len(),
        len in 0..12usize,
        instead in "[a-z0-9\"=#\\[\\]{}.,\u{fc}\\-\n ]{0,6}",
    ) {
        let end = EXAMPLE.len().min(from + len);
        let text = format!("{}{instead}{}", &EXAMPLE[..from], &EXAMPLE[end..]);
        if let Err(error) = load(&text) {
            for mistake in error.mistakes() {
                let (place, column) = mistake.place().unwrap();
                let lines = text.lines().count();
                prop_assert!((1..=lines + 1).contains(&place.line) && column >= 1, "{error}");
                prop_assert!(!mistake.help().is_empty() && !mistake.message().is_empty());
            }
            prop_assert!(!error.mistakes().is_empty());
        }
    }
}
