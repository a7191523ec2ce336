//! What valid configs come to.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use time::macros::date;

use super::*;
use crate::pypi::site::SiteKind;

#[test]
fn the_example_means_what_it_says() {
    let cwd = TempDir::new().unwrap();
    fs::write(cwd.path().join("namewall.toml"), EXAMPLE).unwrap();
    let settings = Settings::load_from(&Overrides::default(), &environment(), cwd.path()).unwrap();
    assert_eq!(settings.source, Some(cwd.path().join("namewall.toml")));
    assert_eq!(settings.admin, Some("127.0.0.1:3129".parse().unwrap()));
    assert_eq!(settings.ca, CaSource::Dir("/var/lib/namewall".into()));
    assert_eq!(settings.connect_to.len(), 1);
    assert_eq!(settings.connect_to[&"pypi.org:443".parse().unwrap()].to_string(), "127.0.0.1:8443");
    assert_eq!(settings.sites["mirror.corp.example"], SiteKind::Mirror);
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.decisions, Some(cwd.path().join("decisions.jsonl")));

    let [rule] = settings.rules.as_slice() else { panic!("{:?}", settings.rules) };
    assert_eq!((rule.id.as_str(), rule.names.len(), rule.except.len(), rule.files.len()), ("acme", 3, 1, 2));
    assert_eq!(rule.expires, Some(date!(2027 - 06 - 30)));
    assert_eq!(rule.place.as_ref().unwrap().to_string(), "namewall.toml:14");
    assert_eq!(rule.names[2].place().unwrap().to_string(), "namewall.toml:16");
    assert_eq!(rule.files[0].place().unwrap().to_string(), "namewall.toml:18");

    let asserted: Vec<_> = settings.assertions.iter().map(|a| (a.written.as_str(), a.protected)).collect();
    assert_eq!(asserted, [("Acme_Core", true), ("acme.data7", true), ("requests", false), ("acme-sdk", false)]);
    assert_eq!(settings.assertions[2].place.as_ref().unwrap().to_string(), "namewall.toml:27");
}

#[test]
fn a_date_may_be_a_string() {
    let settings = load("[[protect]]\nid = \"a\"\nnames = [\"a\"]\nexpires = \"2027-06-30\"\n").unwrap();
    assert_eq!(settings.rules[0].expires, Some(date!(2027 - 06 - 30)));
}

#[test]
fn the_command_line_wins() {
    let overrides = Overrides {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        admin: Some("127.0.0.1:1".parse().unwrap()),
        log_format: Some(LogFormat::Text),
        ..protect(&["acme", "other-*"])
    };
    let settings = load_with(overrides, EXAMPLE).unwrap();
    assert_eq!(proxies(&settings), ["127.0.0.1:0".parse().unwrap()]);
    assert_eq!(settings.admin, Some("127.0.0.1:1".parse().unwrap()));
    assert_eq!(settings.log_format, LogFormat::Text);
    let ids: Vec<_> = settings.rules.iter().map(|rule| (rule.id.as_str(), rule.place.is_some())).collect();
    assert_eq!(ids, [("acme", true), ("command-line", false)]);
    assert_eq!(settings.rules[1].names.len(), 2);
    assert!(settings.rules[1].names.iter().all(|pattern| pattern.place().is_none()));
}

#[test]
fn one_address_needs_no_brackets() {
    let settings = load("[listen]\naddr = \"[::1]:0\"\n[ca]\ncert = \"a.crt\"\nkey = \"/b\"\n").unwrap();
    assert_eq!(proxies(&settings), ["[::1]:0".parse().unwrap()]);
    let CaSource::Pair { cert, key } = settings.ca else { panic!("{:?}", settings.ca) };
    assert!(cert.is_absolute() && cert.ends_with("a.crt"), "{cert:?}");
    assert_eq!(key, Path::new("/b"));
}

#[test]
fn how_often_the_list_is_looked_at_is_said_in_a_line_or_a_table() {
    let webhook = "webhook = \"https://hooks.acme.example/\"\n";
    let table = format!("[claimed]\n{webhook}");
    for (text, told) in [
        ("claimed-every = \"12h\"\n".to_owned(), false),
        ("[claimed]\nevery = \"12h\"\n".to_owned(), false),
        (format!("claimed-every = \"12h\"\n{table}"), true),
        (format!("{table}every = \"12h\"\n"), true),
    ] {
        let claimed = load(&text).unwrap().claimed;
        assert_eq!((claimed.every, claimed.webhook.is_some()), (Some(Duration::from_secs(12 * 3600)), told), "{text}");
    }
}

#[test]
fn assertions_are_judged_by_the_rules() {
    let text = format!("{EXAMPLE}[[assert]]\nprotected = [\"requests\"]\nallowed = [\"ACME.core\"]\n");
    let settings = load(&text).unwrap();
    let policy = settings.policy(date!(2027 - 06 - 30)).unwrap();
    let failed: Vec<_> = settings.check_assertions(&policy).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(failed.join("\n\n"), @r#"
error: `requests` is asserted to be protected, but no rule in force matches it
 --> namewall.toml:37
  = help: add it to the `names` of a rule, and look at `except`, `expires` and `for`

error: `ACME.core` is asserted to be allowed, but the pattern `acme-*` of rule `acme` (namewall.toml:16) protects it
 --> namewall.toml:38
  = help: add it to the rule's `except`, or narrow the pattern
"#);

    // On the day after, the rule has expired, and what it should protect isn't.
    let policy = settings.policy(date!(2027 - 07 - 01)).unwrap();
    let failed: Vec<_> = settings.check_assertions(&policy).iter().map(|f| f.assertion.written.clone()).collect();
    assert_eq!(failed, ["Acme_Core", "acme.data7", "requests"]);
}

#[test]
fn an_audit_rule_protects_nothing() {
    let rule = "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nmode = \"audit\"\n[[assert]]\nprotected = [\"acme\"]\n";
    let settings = load(rule).unwrap();
    let policy = settings.policy(date!(2027 - 01 - 01)).unwrap();
    let failed: Vec<_> = settings.check_assertions(&policy).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(failed.join("\n\n"), @r#"
error: `acme` is asserted to be protected, but the pattern `acme` of rule `acme` (namewall.toml:3) only audits it
 --> namewall.toml:6
  = help: set the rule's `mode = "enforce"`
"#);
}

#[test]
fn versions_and_lookalikes() {
    let settings = load(
        "[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nversions = \">=2.0, !=3.*\"\nlookalikes = true\n\n\
         [[protect]]\nid = \"other\"\nnames = [\"other-*\"]\nlookalikes = false\n",
    )
    .unwrap();
    let [acme, other] = &settings.rules[..] else { panic!("{:?}", settings.rules) };
    assert_eq!(acme.versions.as_ref().map(ToString::to_string).as_deref(), Some(">=2.0, !=3.*"));
    assert!(acme.lookalikes && !other.lookalikes && other.versions.is_none());
}

#[test]
fn users_may_come_from_anywhere_and_only_they() {
    let (anywhere, here) = (load("[listen]\nusers = \"users\"\naddr = \"0.0.0.0:3128\"\n").unwrap(), load("").unwrap());
    assert_eq!(anywhere.allow, ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
    assert_eq!((&anywhere.admin_allow, &here.admin_allow), (&here.allow, &here.allow));
    let both = load("[listen]\nusers = \"users\"\nallow = [\"10.0.0.0/8\"]\n").unwrap();
    assert_eq!((both.allow.len(), both.admin_allow), (1, both.allow));
    assert!(here.users.is_none() && both.users.unwrap().users.unwrap().len() == 1);
}

#[test]
fn a_users_file_that_is_none_is_said_with_its_line() {
    let mistake = &load("[listen]\nusers = \"plain\"\n").unwrap_err().mistakes()[0].clone();
    assert!(
        mistake.message().ends_with("plain:2: user `ci`: what follows the colon is no hash"),
        "{}",
        mistake.message()
    );
    assert!(mistake.help().contains("htpasswd -B"), "{}", mistake.help());
    assert!(!mistake.to_string().contains("secret"), "{mistake}");
}

#[test]
fn an_assertion_may_be_for_somebody() {
    let text = |asserted: &str| {
        format!(
            "[listen]\nusers = \"users\"\n[[protect]]\nid = \"a\"\nnames = [\"a\"]\nfor = [\"user:ci\", \"10.0.0.0/8\"]\n{asserted}"
        )
    };
    let failed = |asserted: &str| {
        let settings = load(&text(asserted)).unwrap();
        let policy = settings.policy(date!(2026 - 01 - 01)).unwrap();
        settings.check_assertions(&policy).iter().map(FailedAssertion::message).collect::<Vec<_>>()
    };
    for holds in
        ["protected = [\"a\"]\nfor = \"user:ci\"", "protected = [\"a\"]\nfor = \"10.1.2.3\"", "allowed = [\"a\"]"]
    {
        assert_eq!(failed(&format!("[[assert]]\n{holds}\n")), [""; 0], "{holds}");
    }
    let message = "`a` is asserted to be protected for user:dev, but no rule in force matches it";
    assert_eq!(failed("[[assert]]\nprotected = [\"a\"]\nfor = \"user:dev\"\n"), [message]);
    let message = "`a` is asserted to be protected, but no rule in force matches it";
    assert_eq!(failed("[[assert]]\nprotected = [\"a\"]\n"), [message]);
}
