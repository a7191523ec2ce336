//! The tests of [`super`]: what patterns become, and what their authors are told.

use super::*;

fn refusal(written: &str) -> String {
    Pattern::parse(written).expect_err(written).to_string()
}

#[test]
fn words_and_globs_are_folded() {
    for (written, folded, kind) in [
        ("acme", "acme", Kind::Exact("acme")),
        ("Acme._-Core", "acme-core", Kind::Exact("acme-core")),
        ("ACME_*", "acme-*", Kind::Prefix("acme-")),
        ("acme-**", "acme-*", Kind::Prefix("acme-")),
        ("acme*", "acme*", Kind::Prefix("acme")),
        ("*", "*", Kind::Prefix("")),
        ("Acme?", "acme?", Kind::Expression("acme(?s:.)")),
        ("*-acme", "*-acme", Kind::Expression("(?s:.*)\\-acme")),
        ("acme-*-core", "acme-*-core", Kind::Expression("acme\\-(?s:.*)\\-core")),
        ("re:acme-(core|data)[0-9]+", "re:acme-(core|data)[0-9]+", Kind::Expression("acme-(core|data)[0-9]+")),
    ] {
        let pattern = Pattern::parse(written).unwrap();
        assert_eq!((pattern.written(), pattern.folded(), pattern.kind()), (written, folded, kind));
    }
}

#[test]
fn patterns_that_match_everything() {
    for written in ["*", "**", "?*", "*?", "*?*", "re:.*", "re:.+", "re:[a-z0-9-]+", "re:(?:[a-z0-9]+-?)+"] {
        assert!(Pattern::parse(written).unwrap().matches_everything(), "{written}");
    }
    for written in ["?", "??*", "*-*", "a*", "re:[a-z].*", "re:[a-z0-9]+", "re:..+"] {
        assert!(!Pattern::parse(written).unwrap().matches_everything(), "{written}");
    }
}

#[test]
fn refusals_show_what_was_meant() {
    for (written, message) in [
        ("", "an empty pattern matches nothing: write a name, or `acme-*` for all that begins so"),
        ("  ", "an empty pattern matches nothing: write a name, or `acme-*` for all that begins so"),
        ("re:", "an empty pattern matches nothing: write a name, or `acme-*` for all that begins so"),
        (" acme\n", "` acme\\n` has white space around it: write `acme`"),
        (
            "-acme",
            "`-acme` begins with a separator, which no project name does: write `acme`, or `*-acme` with anything in that place",
        ),
        (
            "acme_",
            "`acme_` ends with a separator, which no project name does: write `acme`, or `acme-*` with anything in that place",
        ),
        (
            "*-",
            "`*-` ends with a separator, which no project name does: a pattern has a letter or a digit, as names have",
        ),
        ("acme-[0-9]+", "`acme-[0-9]+` has a `[` in it, which no project name has: write `re:acme-[0-9]+`"),
        (
            "Acme_(core|data)",
            "`Acme_(core|data)` has a `(` in it, which no project name has: write `re:acme-(core|data)`",
        ),
        ("acme-*{", "`acme-*{` has a `{` in it, which no project name has: an expression begins with `re:`"),
        ("acme>=1.0", "`acme>=1.0` has a `>` in it, which no project name has: write `acme`"),
        ("a, b", "`a, b` has a `,` in it, which no project name has: write each pattern as a string of its own"),
        (
            "acm\u{e9}",
            "`acm\u{e9}` has a `\u{e9}` in it, which no project name has: names are made of ASCII letters, digits, `-`, `_` and `.`",
        ),
        (
            "re:Acme_Core[0-9]",
            "`re:Acme_Core[0-9]` can never match: names are compared in lower case, with one `-` for each run of `-`, `_` and `.`: \
             write `re:acme-core[0-9]`",
        ),
        (
            "re:acme-",
            "`re:acme-` can never match: names are compared in lower case, with one `-` for each run of `-`, `_` and `.`",
        ),
        ("re:acme-(core", "`re:acme-(core` is not an expression: unclosed group (at character 6 of it)"),
        (
            "re:[a-z]{1,1000}{1,1000}",
            "`re:[a-z]{1,1000}{1,1000}` is too large an expression: its counted repetitions multiply, write it with `*` or `+`",
        ),
    ] {
        assert_eq!(refusal(written), message);
    }
    assert_eq!(Pattern::parse(&"a".repeat(256)).unwrap_err(), PatternError::TooLong);
    assert!(Pattern::parse(&"a".repeat(255)).is_ok());
}
