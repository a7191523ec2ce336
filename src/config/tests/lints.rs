//! What is valid and odd.

use time::macros::date;

use super::*;

/// The warnings as of the first of January 2027.
fn warnings(text: &str) -> String {
    let lints = load(text).unwrap().lints(date!(2027 - 01 - 01));
    lints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

/// The same in short: the line, the id, and the text that is meant.
fn short(text: &str) -> Vec<String> {
    let lints = load(text).unwrap().lints(date!(2027 - 01 - 01));
    let short = |lint: &Lint| {
        let line = lint.place.as_ref().map_or(0, |place| place.line);
        format!("{line} {} {}", lint.kind.as_str(), lint.marked.as_deref().unwrap_or_default()).trim_end().to_owned()
    };
    lints.iter().map(short).collect()
}

/// A rule of five lines and whatever `more` says.
fn rule(id: &str, names: &str, more: &str) -> String {
    format!("[[protect]]\nid = \"{id}\"\nreason = \"Internal\"\nnames = [{names}]\n{more}\n")
}

#[test]
fn a_usual_config_is_not_odd() {
    assert_eq!(warnings(EXAMPLE), "");
}

#[test]
fn the_texts() {
    insta::assert_snapshot!("lint_no_rule", warnings(""));
    insta::assert_snapshot!(
        "lint_texts",
        warnings(
            &[
                "[listen]\nallow = [\"0.0.0.0/0\"]\n".to_owned(),
                rule("old", "\"old\"", "expires = 2026-12-31"),
                rule("soon", "\"soon\"", "expires = 2027-01-02"),
                rule(
                    "acme",
                    "\"acme-*\", \"Acme.Core\", \"ACME_*\", \"acme-internal-*\"",
                    "except = [\"acme-internal-*\", \"acne\"]"
                ),
                rule("wide", "\"py*\"", ""),
                rule("off", "\"off\"", "except = [\"*\"]"),
                rule("watch", "\"acme-data\"", "mode = \"audit\""),
                "[[protect]]\nid = \"bare\"\nnames = [\"bare\"]\n".to_owned(),
            ]
            .concat()
        )
    );
    insta::assert_snapshot!(
        "lint_everything",
        warnings(&rule("all", "\"*\"", "everything = true\nexcept = [\"requests\"]"))
    );
}

#[test]
fn the_end_of_a_rule_is_told_two_weeks_before() {
    for (expires, id) in [
        ("2026-12-31", Some("expired")),
        ("2027-01-01", Some("expires-soon")),
        ("2027-01-15", Some("expires-soon")),
        ("2027-01-16", None),
    ] {
        let of_rule: Vec<_> = short(&rule("acme", "\"acme\"", &format!("expires = {expires}")))
            .into_iter()
            .filter(|lint| lint.starts_with('1'))
            .collect();
        assert_eq!(of_rule, id.map(|id| format!("1 {id}")).into_iter().collect::<Vec<_>>(), "{expires}");
    }
}

#[test]
fn patterns_within_earlier_ones() {
    let shadowed = |names: &str| {
        let lints = short(&rule("acme", names, ""));
        lints.iter().map(|lint| lint.strip_prefix("4 ").unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (names, expected) in [
        (r#""acme-*", "acme-core""#, &["shadowed acme-core"][..]),
        (r#""acme-core", "acme-*""#, &[]),
        (r#""acme-*", "acme-core-*""#, &["shadowed acme-core-*"]),
        (r#""acme-core-*", "acme-*""#, &[]),
        (r#""re:acme-[a-z]+", "acme-core", "acme-7""#, &["shadowed acme-core"]),
        (r#""acme-*", "re:acme-(core|data)""#, &[]),
        (r#""*acme*", "acme-core-*""#, &["shadowed acme-core-*"]),
        (r#""acme", "Acme""#, &["repeated Acme"]),
        (r#""acme-*", "ac*", "acm-*""#, &["shadowed acm-*"]),
    ] {
        assert_eq!(shadowed(names), expected, "{names}");
    }
}

#[test]
fn an_exception_keeps_a_pattern_from_shadowing() {
    let first = |more: &str| rule("first", "\"acme-*\"", more);
    let second = rule("second", "\"acme-sdk\", \"acme-sdk-*\"", "");
    let of = |more: &str| short(&[first(more), second.clone()].concat());
    assert_eq!(of(""), ["9 shadowed acme-sdk", "9 shadowed acme-sdk-*"]);
    assert_eq!(of("except = [\"acme-sdk\"]"), ["9 shadowed acme-sdk-*"]);
    assert_eq!(of("except = [\"acme-sdk*\"]"), Vec::<String>::new());
    assert_eq!(of("except = [\"acme-data-*\"]"), ["9 shadowed acme-sdk", "9 shadowed acme-sdk-*"]);
    assert_eq!(of("mode = \"audit\""), Vec::<String>::new());
    assert_eq!(of("expires = 2026-12-31"), ["1 expired"]);
}

#[test]
fn exceptions() {
    let of = |names: &str, more: &str| short(&rule("acme", names, more));
    assert_eq!(of("\"acme-*\"", "except = [\"acme-sdk\", \"acme\"]"), ["5 idle-except acme"]);
    assert_eq!(of("\"re:acme-[0-9]+\"", "except = [\"acme-s*\", \"re:acme-7.*\"]"), ["5 idle-except acme-s*"]);
    assert_eq!(of("\"acme\", \"acme-core\"", "except = [\"re:acme-.*\"]"), ["4 never-matches acme-core"]);
    assert_eq!(of("\"acme\", \"acme-a-*\"", "except = [\"acme-*\"]"), ["4 never-matches acme-a-*"]);
    assert_eq!(of("\"acme\"", "except = [\"acme*\"]"), ["1 nothing-in-force"]);
    assert_eq!(of("\"acme\"", "except = [\"re:.*\"]"), ["5 nothing-in-force re:.*"]);
    // The exception is for the files.
    assert_eq!(of("\"acme\"", "files = [\"*.egg\"]\nexcept = [\"six\"]"), Vec::<String>::new());
}

#[test]
fn well_known_projects_may_be_meant() {
    let wide = rule("acme", "\"req*\"", "");
    assert_eq!(short(&wide), ["4 well-known req*"]);
    assert!(warnings(&wide).contains("`requests`"), "{}", warnings(&wide));
    let most = "requests\", \"requests-oauthlib\", \"requests-toolbelt";
    let meant = format!("{wide}[[assert]]\nprotected = [\"{most}\"]\n");
    assert!(!warnings(&meant).contains("`requests`"), "{}", warnings(&meant));
    assert_eq!(short(&rule("acme", "\"req*\"", "mode = \"audit\"")), ["0 nothing-protected"]);
}

#[test]
fn what_outlives_the_other_or_says_more_adds_something() {
    let (wide, core) = ("\"acme*\"", "\"acme-core\"");
    let short_lived = "expires = 2027-12-31";
    let of = |first: &str, second: (&str, &str)| {
        short(&[rule("a", first, short_lived), rule("b", second.0, second.1)].concat())
    };
    for names in [wide, core] {
        assert_eq!(of(names, (core, "")), Vec::<String>::new(), "{names}");
        assert_eq!(of(names, (core, "expires = 2028-01-01")), Vec::<String>::new(), "{names}");
    }
    assert_eq!(of(wide, (core, short_lived)), ["9 shadowed acme-core"]);
    assert_eq!(of(wide, (core, "expires = 2027-06-30")), ["9 shadowed acme-core"]);
    assert_eq!(of(core, (core, short_lived)), ["9 repeated acme-core"]);
    assert_eq!(of(wide, (core, "expires = 2027-06-30\nlookalikes = true")), Vec::<String>::new());
}

#[test]
fn what_hides_half_of_pypi_is_odd() {
    let files = |patterns: &str| short(&format!("[[protect]]\nid = \"a\"\nreason = \"b\"\nfiles = [{patterns}]\n"));
    assert_eq!(files("\"*.egg\", \"re:acme_.*[.]whl\", \"acme*\""), Vec::<String>::new());
    for wide in ["*.*", "*-*", "*.whl", "*.tar.gz", "numpy*"] {
        assert_eq!(files(&format!("\"{wide}\"")), [format!("4 well-known {wide}")]);
    }
    assert_eq!(short(&rule("a", "\"requestz\"", "lookalikes = true")), ["4 well-known requestz"]);
    assert!(
        warnings(&rule("a", "\"requestz\"", "lookalikes = true")).contains("hides what looks like it, a well-known")
    );
}

#[test]
fn versions_that_leave_none_are_odd() {
    for none in [">2,<1", "==1.0,==2.0", ">1.0,<=1.0", "!=1,==1"] {
        assert_eq!(short(&rule("a", "\"six\"", &format!("versions = \"{none}\""))), ["1 never-matches"], "{none}");
    }
    for some in ["<2", ">=1.0,<1.0.1", ">1,<1.0.1", "==1.*", "==1.0rc1", "~=1.4,!=1.4.2", ">1.0", "===1.0"] {
        assert_eq!(short(&rule("a", "\"six\"", &format!("versions = \"{some}\""))), Vec::<String>::new(), "{some}");
    }
}

#[cfg(unix)]
#[test]
fn users_who_are_none_and_hashes_that_others_read() {
    let for_users = |users: &str| rule("acme", "\"acme\"", &format!("for = [{users}]\nexcept-for = [\"10.0.0.0/8\"]"));
    let config = |users: &str| format!("[listen]\nusers = \"users\"\nallow = [\"0.0.0.0/0\"]\n{}", for_users(users));
    assert_eq!(short(&config("\"user:ci\", \"user:c*\"")), ["0 exposed-users"]);
    assert_eq!(short(&config("\"user:CI\", \"user:dev-*\"")), ["0 exposed-users", "4 unknown-user", "4 unknown-user"]);
    let said = warnings(&config("\"user:dev\""));
    assert!(said.contains("rule `acme` names `user:dev`, and no user is called so"), "{said}");
    assert!(said.contains("readable by others") && said.contains("chmod 600"), "{said}");
    // Assertions name users, too; each is told of once.
    let asserted = "[[assert]]\nallowed = [\"a\", \"b\"]\nfor = \"user:nobody\"\n[[assert]]\nallowed = [\"a\"]\nfor = \"user:ci\"\n";
    let config = format!("{}{asserted}", config("\"user:ci\""));
    assert_eq!(short(&config), ["0 exposed-users", "11 unknown-user"]);
    let said = warnings(&config);
    assert!(said.contains("an assertion is for `user:nobody`, and no user is called so"), "{said}");
}

#[test]
fn a_rule_that_spares_all_whom_it_is_for_protects_nothing() {
    for for_whom in ["for = [\"10.0.0.0/8\"]\nexcept-for = [\"10.0.0.0/8\"]", "except-for = [\"0.0.0.0/0\", \"::/0\"]"]
    {
        let said = warnings(&rule("acme", "\"acme\"", for_whom));
        assert!(said.contains("never-matches") && said.contains("leaves nobody whom it is for"), "{said}");
    }
    assert_eq!(short(&rule("acme", "\"acme\"", "except-for = [\"0.0.0.0/0\"]")), [""; 0]);
}

#[test]
fn a_rule_for_some_shadows_nobodys() {
    let first = rule("first", "\"acme-*\"", "for = [\"10.0.0.0/8\"]");
    let second = rule("second", "\"acme-core\"", "");
    assert_eq!(short(&format!("{first}{second}")), [""; 0]);
    assert_eq!(short(&format!("{second}{first}")), [""; 0]);
    let twice = rule("third", "\"acme-*\"", "for = [\"10.0.0.0/8\"]");
    assert_eq!(short(&format!("{first}{twice}")).len(), 1);
}
