//! The `NAMEWALL_*` variables: what beats what, and what their mistakes look like.

use std::path::Path;

use tempfile::TempDir;

use super::*;

fn load_under(variables: &[(&str, &str)], overrides: &Overrides, text: &str) -> Result<Settings, ConfigError> {
    let cwd = TempDir::new().unwrap();
    fs::write(cwd.path().join("namewall.toml"), text).unwrap();
    fs::write(cwd.path().join("a.toml"), "[[protect]]\nid = \"a\"\nnames = [\"a\"]\n").unwrap();
    let pairs = [("HOME", "/home/ann")].into_iter().chain(variables.iter().copied());
    Settings::load_from(overrides, &Environment::from_pairs(pairs), cwd.path())
}

const FILE: &str = "[listen]\naddr = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:2\"\nallow = [\"10.0.0.0/8\"]\n\
                    [ca]\ncert = \"ca.pem\"\nkey = \"ca.key\"\n[log]\nformat = \"json\"\n";

const ALL: [(&str, &str); 7] = [
    ("NAMEWALL_PROTECT", "acme, acme-*\nre:other-[0-9]{1,2}"),
    ("NAMEWALL_LISTEN", "0.0.0.0:3,127.0.0.1:4"),
    ("NAMEWALL_ADMIN", " 127.0.0.1:5 "),
    ("NAMEWALL_ALLOW", "192.168.0.0/16,::1/128"),
    ("NAMEWALL_CA_DIR", "/var/lib/namewall"),
    ("NAMEWALL_LOG_FORMAT", "text"),
    ("NAMEWALL_RULES", "a.toml"),
];

#[test]
fn the_environment_beats_the_file() {
    let settings = load_under(&ALL, &Overrides::default(), FILE).unwrap();
    assert_eq!(proxies(&settings), ["0.0.0.0:3".parse().unwrap(), "127.0.0.1:4".parse().unwrap()]);
    assert_eq!(settings.admin, Some("127.0.0.1:5".parse().unwrap()));
    assert_eq!(settings.allow, ["192.168.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()]);
    assert_eq!(settings.ca, CaSource::Dir("/var/lib/namewall".into()));
    assert_eq!(settings.log_format, LogFormat::Text);
    let rules: Vec<_> = settings.rules.iter().map(|rule| (rule.id.as_str(), rule.names.len())).collect();
    assert_eq!(rules, [("a", 1), ("environment", 3)]);
    let places: Vec<_> = settings.rules[1].names.iter().map(|name| name.place().unwrap().to_string()).collect();
    assert_eq!(places, ["$NAMEWALL_PROTECT:1", "$NAMEWALL_PROTECT:1", "$NAMEWALL_PROTECT:2"]);
    assert!(settings.files()[1].ends_with("a.toml") && settings.files().len() == 2, "{:?}", settings.files());
}

#[test]
fn a_flag_beats_the_environment() {
    let overrides = Overrides {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        admin: Some("127.0.0.1:9".parse().unwrap()),
        log_format: Some(LogFormat::Json),
        ..protect(&["shell"])
    };
    let settings = load_under(&ALL, &overrides, FILE).unwrap();
    assert_eq!(proxies(&settings), ["127.0.0.1:0".parse().unwrap()]);
    assert_eq!(settings.admin, Some("127.0.0.1:9".parse().unwrap()));
    assert_eq!(settings.log_format, LogFormat::Json);
    // Rules add up: none of the three takes another's away.
    let ids: Vec<_> = settings.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["a", "environment", "command-line"]);
}

#[test]
fn without_them_the_file_holds() {
    let empty = ALL.map(|(name, _)| (name, ""));
    for variables in [&[][..], &empty[..]] {
        let settings = load_under(variables, &Overrides::default(), FILE).unwrap();
        assert_eq!((proxies(&settings)[0].port(), settings.admin.unwrap().address().unwrap().port()), (1, 2));
        assert!(settings.rules.is_empty() && matches!(settings.ca, CaSource::Pair { .. }));
        assert_eq!(settings.log_format, LogFormat::Json);
    }
}

#[test]
fn a_relative_folder_starts_from_the_working_folder() {
    let settings = load_under(&[("NAMEWALL_CA_DIR", "ca")], &Overrides::default(), "").unwrap();
    let CaSource::Dir(dir) = settings.ca else { panic!("{:?}", settings.ca) };
    assert!(dir.is_absolute() && dir.ends_with("ca"), "{dir:?}");
    assert_ne!(dir, Path::new("/home/ann/ca"));
}

#[test]
fn mistakes_of_the_environment() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("a slip in a name", &[("NAMEWALL_PROTECTS", "acme")]),
        ("a name that is unknown", &[("NAMEWALL_ZZZ", "secret")]),
        ("a pattern that can't match", &[("NAMEWALL_PROTECT", "acme, re:Acme_.*")]),
        ("a pattern on the second line", &[("NAMEWALL_PROTECT", "acme\n-acme")]),
        ("everything", &[("NAMEWALL_PROTECT", "*")]),
        ("nothing", &[("NAMEWALL_PROTECT", " , ")]),
        ("a name for an address", &[("NAMEWALL_LISTEN", "127.0.0.1:1,localhost:3128")]),
        ("an address for strangers", &[("NAMEWALL_LISTEN", "0.0.0.0:3128")]),
        ("an address twice", &[("NAMEWALL_LISTEN", "127.0.0.1:1 127.0.0.1:1")]),
        ("a port for an address", &[("NAMEWALL_ADMIN", "3129")]),
        ("blanks for an address", &[("NAMEWALL_ADMIN", "  ")]),
        ("an address for a network", &[("NAMEWALL_ALLOW", "10.0.0.7")]),
        ("a format that is unknown", &[("NAMEWALL_LOG_FORMAT", "JSON")]),
        ("rules that aren't there", &[("NAMEWALL_RULES", "a.toml:gone.toml")]),
        ("a config that isn't there", &[("NAMEWALL_CONFIG", "gone.toml")]),
        ("all at once", &[("NAMEWALL_ALLOW", "corp"), ("NAMEWALL_PROTECT", "[x]"), ("NAMEWALL_LISTENS", "")]),
    ];
    let shown = cases.iter().map(|(what, variables)| {
        let error = load_under(variables, &Overrides::default(), "").expect_err(what);
        assert!(error.mistakes().iter().all(|mistake| !mistake.help().is_empty()), "{what}");
        assert!(!error.to_string().contains("secret"), "a variable that isn't ours may hold anything");
        format!("## {what}\n{error}\n")
    });
    insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"));
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let environment = Environment::from_pairs([("NAMEWALL_PROTECT", OsStr::from_bytes(b"acme\xff"))]);
    let error = Settings::load_from(&Overrides::default(), &environment, Path::new("/nonexistent")).unwrap_err();
    insta::assert_snapshot!(error, @r#"
error: the value of the variable `NAMEWALL_PROTECT` is not UTF-8
 = help: write it like this: `NAMEWALL_PROTECT=acme,acme-*`
"#);
}
