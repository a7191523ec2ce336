//! The tests of [`super`]: tables, and a naive judge that asks every pattern on its own.

use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::name::ProjectName;
use crate::policy::PatternError;

const TODAY: Date = date!(2026 - 09 - 01);

fn rule(id: &str, names: &[&str], except: &[&str], files: &[&str]) -> Rule {
    let patterns = |all: &[&str]| all.iter().map(|written| Pattern::parse(written).unwrap()).collect();
    Rule {
        id: id.to_owned(),
        names: patterns(names),
        except: patterns(except),
        files: files.iter().map(|written| FilePattern::parse(written).unwrap()).collect(),
        ..Rule::default()
    }
}

fn policy(rules: impl Into<Vec<Rule>>) -> Policy {
    Policy::compile(rules.into(), TODAY).unwrap()
}

fn judge<'p>(policy: &'p Policy, raw: &str) -> Verdict<'p> {
    policy.judge(Subject::Project(ProjectName::parse(raw).unwrap().as_name()))
}

fn judge_file<'p>(policy: &'p Policy, raw: &str) -> Verdict<'p> {
    policy.judge(Subject::File(&FileName::parse(raw).unwrap()))
}

fn shown(found: Option<Match<'_>>) -> Option<(&str, &str)> {
    found.map(|found| (&*found.rule.id, found.folded))
}

#[test]
fn names_that_must_be_hidden_and_names_that_must_pass() {
    let policy = policy([rule("acme", &["acme-*", "acme"], &[], &[])]);
    for raw in ["acme", "ACME", "Acme._-Core", "acme-core", "acme.core"] {
        assert!(judge(&policy, raw).is_protected(), "{raw}");
    }
    for raw in ["acmecorp", "not-acme", "pacme", "acmetool", "requests", "a"] {
        assert!(!judge(&policy, raw).is_protected(), "{raw}");
    }
}

#[test]
fn files_that_must_be_refused_and_files_that_must_pass() {
    let policy = policy([rule("acme", &["acme-*", "acme"], &[], &[])]);
    for raw in [
        "acme_core-1.0-py3-none-any.whl",
        "acme_core-1.0-py3-none-any.whl.metadata",
        "acme-1.0.tar.gz",
        "acme-1.0.tar.gz.asc",
        "acme-1.0.zip",
        "ACME-1.0.ZIP",
        "acme-1.0.win-amd64-py3.8.exe",
        "acme_core-1.0-py2.7.egg",
        "acme-1.0.linux-x86_64.tar.gz",
        "acme-1.0-1.noarch.rpm",
        "acme_1.0-1_all.deb",
        "acme-1.0.macosx-10.9-x86_64.dmg",
        "acme-1.0-1.tar.gz",
    ] {
        let verdict = judge_file(&policy, raw);
        assert_eq!((verdict.is_protected(), verdict.certain), (true, true), "{raw}");
    }
    for raw in ["my_acme-1.0-py3-none-any.whl", "acmetool-1.0.tar.gz", "requests-2.0.tar.gz", "pacme-1.0-py2.7.egg"] {
        let verdict = judge_file(&policy, raw);
        assert_eq!((verdict.is_protected(), verdict.certain), (false, true), "{raw}");
    }
}

#[test]
fn a_file_that_could_be_somebody_else_s_is_not_certain() {
    let policy = policy([rule("acme", &["acme"], &[], &[])]);
    let file = FileName::parse("acme-1.0-1.tar.gz").unwrap();
    let verdict = policy.judge(Subject::File(&file));
    assert_eq!((verdict.is_protected(), verdict.certain), (true, false));
    for (owner, protected) in [("acme", true), ("acme-1-0", false)] {
        let verdict = policy.judge_owned(&file, ProjectName::parse(owner).unwrap().as_name(), None);
        assert_eq!((verdict.is_protected(), verdict.certain), (protected, true));
    }
    // No guess at all: the owner must be asked.
    let verdict = judge_file(&policy, "---");
    assert_eq!((verdict.is_protected(), verdict.certain), (false, false));
}

#[test]
fn the_first_rule_in_order_is_reported_with_its_first_pattern() {
    let rules = [
        rule("exact", &["acme-tools"], &[], &[]),
        rule("mixed", &["re:acme-[a-z]+", "acme-*", "acme-core"], &[], &["acme_*"]),
        rule("all", &["*"], &[], &[]),
    ];
    let policy = policy(rules);
    for (raw, reported) in [
        ("acme-tools", ("exact", "acme-tools")),
        ("acme-core", ("mixed", "re:acme-[a-z]+")),
        ("acme-2", ("mixed", "acme-*")),
        ("requests", ("all", "*")),
    ] {
        assert_eq!(shown(judge(&policy, raw).protected), Some(reported), "{raw}");
    }
    assert_eq!(shown(judge_file(&policy, "acme_9-1.0-py3-none-any.whl").protected), Some(("mixed", "acme-*")));
    assert_eq!(shown(judge_file(&policy, "acme_+.zip").protected), Some(("mixed", "acme_*")));
}

#[test]
fn an_exception_beats_its_own_rule_and_no_other() {
    let policy = policy([
        rule("broad", &["acme*"], &["acme-sdk", "acme-public-*", "re:acme-v[0-9]+"], &[]),
        rule("narrow", &["acme-public-secret"], &[], &[]),
    ]);
    for (raw, reported) in [
        ("acme-core", Some(("broad", "acme*"))),
        ("acme-sdk", None),
        ("acme-sdk2", Some(("broad", "acme*"))),
        ("acme-public-api", None),
        ("acme-v12", None),
        ("acme-public-secret", Some(("narrow", "acme-public-secret"))),
    ] {
        assert_eq!(shown(judge(&policy, raw).protected), reported, "{raw}");
    }
}

#[test]
fn file_patterns_protect_files_on_every_page() {
    let policy = policy([rule("eggs", &[], &["old-acme"], &["*.egg", "re:acme_.*[.]whl"])]);
    for (raw, reported) in [
        ("requests-1.0-py2.7.egg", Some(("eggs", "*.egg"))),
        ("requests-1.0-py2.7.egg.asc", Some(("eggs", "*.egg"))),
        ("acme_core-1.0-py3-none-any.whl.metadata", Some(("eggs", "re:acme_.*[.]whl"))),
        ("Acme_core-1.0-py3-none-any.whl", None),
        ("requests-1.0-py2.7.EGG", None),
        ("old_acme-1.0-py2.7.egg", None),
    ] {
        let verdict = judge_file(&policy, raw);
        assert_eq!(shown(verdict.protected), reported, "{raw}");
        assert!(verdict.certain, "{raw}");
    }
    assert!(!judge(&policy, "requests").is_protected());
}

#[test]
fn an_exception_spares_a_file_only_if_it_spares_every_owner() {
    let policy = policy([rule("zips", &[], &["acme"], &["*.zip"])]);
    let verdict = judge_file(&policy, "acme-1.0.zip");
    assert_eq!((verdict.is_protected(), verdict.certain), (false, true));
    let verdict = judge_file(&policy, "acme-1.0-1.zip");
    assert_eq!((verdict.is_protected(), verdict.certain), (true, false));
    let verdict = judge_file(&policy, "---.zip");
    assert_eq!((verdict.is_protected(), verdict.certain), (true, false));
}

#[test]
fn audit_rules_report_and_never_hide() {
    let audit = Rule { mode: Mode::Audit, ..rule("watch", &["acme-*"], &["acme-sdk"], &["*.egg"]) };
    let policy = policy([audit, rule("hide", &["acme-core"], &[], &[])]);
    let verdict = judge(&policy, "acme-core");
    assert_eq!(
        (shown(verdict.protected), shown(verdict.audited)),
        (Some(("hide", "acme-core")), Some(("watch", "acme-*")))
    );
    let verdict = judge(&policy, "acme-data");
    assert_eq!((shown(verdict.protected), shown(verdict.audited)), (None, Some(("watch", "acme-*"))));
    assert!(judge(&policy, "acme-sdk").audited.is_none());
    let verdict = judge_file(&policy, "requests-1.0-py2.7.egg");
    assert_eq!((shown(verdict.protected), shown(verdict.audited)), (None, Some(("watch", "*.egg"))));
}

#[test]
fn an_expired_rule_is_kept_and_not_in_force() {
    let until = |day| Rule { expires: Some(day), ..rule("acme", &["acme", "acme-*", "re:acme[0-9]"], &[], &["*.egg"]) };
    let last_day = policy([until(TODAY)]);
    let over = policy([until(TODAY.previous_day().unwrap())]);
    assert!(judge(&last_day, "acme").is_protected());
    for raw in ["acme", "acme-core", "acme1"] {
        assert!(!judge(&over, raw).is_protected());
    }
    assert!(!judge_file(&over, "a-1-py2.7.egg").is_protected());
    assert_eq!(over.rules().len(), 1);
    assert_ne!(over.fingerprint(), last_day.fingerprint());
    assert_eq!(over.fingerprint(), policy([]).fingerprint());
}

fn only(versions: &str, rule: Rule) -> Rule {
    Rule { versions: Some(versions.parse().unwrap()), ..rule }
}

#[test]
fn a_rule_about_versions_hides_these_releases_and_no_project() {
    let policy = policy([only(">=2.0, <3", rule("late", &["acme", "acme-*"], &["acme-sdk"], &["*.egg"]))]);
    let release = |name: &str, version: &str| {
        let name = ProjectName::parse(name).unwrap();
        policy.judge(Subject::Release(name.as_name(), version)).is_protected()
    };
    for (name, version, hidden) in [
        ("acme", "2.0", true),
        ("acme-core", "v2.5.post1", true),
        ("acme", "1.9", false),
        ("acme", "3.0", false),
        ("acme-sdk", "2.0", false),
        ("other", "2.0", false),
        // Nobody knows what it is: it may be one of them.
        ("acme", "latest", true),
    ] {
        assert_eq!(release(name, version), hidden, "{name} {version}");
    }
    assert!(!judge(&policy, "acme").is_protected() && !judge(&policy, "acme-core").is_protected());
    for (file, hidden, certain) in [
        ("acme-2.0-py3-none-any.whl", true, true),
        ("acme-2.0-py3-none-any.whl.metadata", true, true),
        ("acme-1.0-py3-none-any.whl", false, true),
        ("acme-core-2.1.tar.gz", true, true),
        ("acme-core-1.0.tar.gz", false, true),
        ("acme_sdk-2.0.zip", false, true),
        ("other-2.0.tar.gz", false, true),
        ("acme-1.0-py2.7.egg", true, true),
        // Of version 2.0.post1 if it is acme's, and else of acme-2-0.
        ("acme-2.0-1.tar.gz", true, false),
        ("acme-latest.zip", true, false),
        ("acme-1.0.conda", true, false),
    ] {
        let verdict = judge_file(&policy, file);
        assert_eq!((verdict.is_protected(), verdict.certain), (hidden, certain), "{file}");
    }
}

#[test]
fn what_the_index_says_of_a_file_s_version_counts() {
    let policy = policy([only(">=2", rule("late", &["acme"], &[], &[]))]);
    let acme = ProjectName::parse("acme").unwrap();
    let file = FileName::parse("acme-latest.zip").unwrap();
    for (version, hidden) in [(None, true), (Some("2.0"), true), (Some("1.0"), false), (Some("?"), true)] {
        assert_eq!(policy.judge_owned(&file, acme.as_name(), version).is_protected(), hidden, "{version:?}");
    }
}

#[test]
fn a_rule_about_versions_makes_no_other_rule_less_certain() {
    let policy = policy([only(">=2", rule("late", &["acme"], &[], &[])), rule("all", &["acme"], &[], &[])]);
    let verdict = judge_file(&policy, "acme-latest.zip");
    assert_eq!((shown(verdict.protected), verdict.certain), (Some(("late", "acme")), true));
    assert_eq!(shown(judge(&policy, "acme").protected), Some(("all", "acme")));
}

#[test]
fn a_release_is_judged_apart_from_its_project() {
    let policy = policy([rule("all", &["acme"], &[], &[]), only(">=2", rule("late", &["acme"], &[], &[]))]);
    let acme = ProjectName::parse("acme").unwrap();
    for (version, reported) in [("2.0", Some(("late", "acme"))), ("1.0", None)] {
        assert_eq!(shown(policy.judge(Subject::Release(acme.as_name(), version)).protected), reported);
    }
    let file = FileName::parse("acme-latest.zip").unwrap();
    assert_eq!(shown(policy.judge_owned(&file, acme.as_name(), Some("1.0")).protected), Some(("all", "acme")));
}

#[test]
fn what_looks_like_an_exact_name_is_protected_too() {
    let alike =
        Rule { lookalikes: true, ..rule("alike", &["acme-core", "acme-*", "corp-*"], &["acmecore", "acme-cord"], &[]) };
    let policy = policy([alike, rule("plain", &["other-name"], &[], &[])]);
    let written = |raw| judge(&policy, raw).protected.map(|found| (found.written.to_owned(), found.folded.to_owned()));
    let looks_like = Some(("looks like acme-core".to_owned(), "acme-core".to_owned()));
    for raw in ["acmec0re", "acne-core", "cme-core", "acm-ecore"] {
        assert_eq!(written(raw), looks_like, "{raw}");
    }
    assert_eq!(written("acme-core"), Some(("acme-core".to_owned(), "acme-core".to_owned())));
    assert_eq!(written("acme-cores"), Some(("acme-*".to_owned(), "acme-*".to_owned())));
    for raw in ["acmecore", "acme-cord", "crop-x", "othername", "requests"] {
        assert_eq!(written(raw), None, "{raw}");
    }
    assert!(judge_file(&policy, "acmec0re-1.0-py3-none-any.whl").is_protected());
}

#[test]
fn prefixes_of_every_length() {
    let every_length = policy([rule("all", &["a*", "ab*", "abc*", "abcd*", "abcde*", "abcdefgh*", "x-*"], &[], &[])]);
    for (raw, matches) in [("b", false), ("a", true), ("x", false), ("x-y", true), ("xy", false), ("abcdx", true)] {
        assert_eq!(judge(&every_length, raw).is_protected(), matches, "{raw}");
    }
    let only_long = policy([rule("long", &["abcde*", "abcdefg*"], &[], &[])]);
    for (raw, matches) in [("abcd", false), ("abcde", true), ("abcdf", false), ("abcdefg", true), ("abc", false)] {
        assert_eq!(judge(&only_long, raw).is_protected(), matches, "{raw}");
    }
}

#[test]
fn two_thousand_expressions_compile() {
    let written: Vec<String> = (0..2000).map(|n| format!("re:corp{n}-(core|data|[a-z]+-tools)[0-9]*")).collect();
    let names: Vec<&str> = written.iter().map(String::as_str).collect();
    let policy = policy([rule("many", &names, &[], &[])]);
    assert!(judge(&policy, "corp1999-web-tools7").is_protected());
    assert!(!judge(&policy, "corp2000-web-tools7").is_protected());
}

/// What a pattern means, by the letter of the documentation and with none of the code under test.
fn naive_expression(written: &str, fold: bool) -> regex::Regex {
    let body = match written.strip_prefix("re:") {
        Some(source) => source.to_owned(),
        None => {
            let folded = if fold {
                regex::Regex::new("[-_.]+").unwrap().replace_all(written, "-").to_lowercase()
            } else {
                written.to_owned()
            };
            regex::escape(&folded).replace("\\*", ".*").replace("\\?", ".")
        }
    };
    regex::Regex::new(&format!("^(?:{body})$")).unwrap()
}

fn naive_rule_protects(rule: &Rule, name: &str) -> bool {
    let any = |patterns: &[Pattern]| patterns.iter().any(|p| naive_expression(p.written(), true).is_match(name));
    rule.is_in_force(TODAY) && any(&rule.names) && !any(&rule.except)
}

fn any_pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ABab1]([-_.]{1,2}[ab1A]|[ab]){0,4}",
        4 => "[ABab1]([-_.]{1,2}[ab1A]|[ab]){0,4}[-_.]?\\*",
        2 => "[ab*?][-_.]?[ab*?]{1,3}[-_.]?[ab*?]",
        2 => "re:[ab]([(]-[ab1][)]\\*|[.][+*]|a[|]b|\\[ab1-\\]\\+|b[?]){1,3}[ab]?",
    ]
}

fn any_rule() -> impl Strategy<Value = (Vec<String>, Vec<String>, bool, bool)> {
    let patterns = |most| proptest::collection::vec(any_pattern(), 0..=most);
    (patterns(4), patterns(2), any::<bool>(), proptest::bool::weighted(0.2))
}

fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    proptest::collection::vec(any_rule(), 0..5).prop_map(|rules| {
        let parsed = |written: Vec<String>| written.iter().filter_map(|written| Pattern::parse(written).ok()).collect();
        let made = |(at, (names, except, audit, expired)): (usize, (_, _, bool, bool))| Rule {
            id: at.to_string(),
            names: parsed(names),
            except: parsed(except),
            mode: if audit { Mode::Audit } else { Mode::Enforce },
            expires: expired.then_some(date!(2020 - 01 - 01)),
            ..Rule::default()
        };
        rules.into_iter().enumerate().map(made).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_judge_agrees_with_a_naive_one(
        rules in any_rules(),
        names in proptest::collection::vec("[abAB1]([-_.]?[abA1]){0,7}", 1..20),
    ) {
        let policy = Policy::compile(rules.clone(), TODAY).unwrap();
        for raw in names {
            let name = ProjectName::parse(&raw).unwrap();
            let first = |mode| rules.iter().find(|rule| rule.mode == mode && naive_rule_protects(rule, name.as_str()));
            let verdict = policy.judge(Subject::Project(name.as_name()));
            prop_assert!(verdict.certain);
            for (found, mode) in [(verdict.protected, Mode::Enforce), (verdict.audited, Mode::Audit)] {
                prop_assert_eq!(found.map(|found| &found.rule.id), first(mode).map(|rule| &rule.id), "{:?}", name);
                if let Some(found) = found {
                    let first_pattern = found.rule.names.iter().find(|p| naive_expression(p.written(), true).is_match(name.as_str()));
                    prop_assert_eq!(Some(found.written), first_pattern.map(Pattern::written));
                }
            }
        }
    }

    #[test]
    fn files_are_judged_as_their_owners_are(
        rules in any_rules(),
        files in proptest::collection::vec("[abA]([-_.]?[ab1]){0,4}-[1-9]([.][0-9])?(-1)?([.]zip|[.]linux-x86_64[.]tar[.]gz|-py3-none-any[.]whl|[.]rpm)([.]asc)?", 1..10),
        patterns in proptest::sample::subsequence(&["a*", "A_*", "*.zip", "*1?*", "re:[ab1-]+[.].*", "b-1.zip", "re:.*noarch.*"][..], 0..3),
    ) {
        let mut rules = rules;
        if let Some(rule) = rules.first_mut() {
            rule.files = patterns.iter().map(|written| FilePattern::parse(written).unwrap()).collect();
        }
        let policy = Policy::compile(rules.clone(), TODAY).unwrap();
        for raw in files {
            let file = FileName::parse(&raw).unwrap();
            let by_file = |rule: &Rule| rule.is_in_force(TODAY) && rule.files.iter().any(|p| {
                let expression = naive_expression(p.written(), false);
                expression.is_match(&raw) || expression.is_match(file.distribution())
            });
            let excepts = |rule: &Rule, name: &str| rule.except.iter().any(|p| naive_expression(p.written(), true).is_match(name));
            let hides = |name: &ProjectName| rules.iter().filter(|rule| rule.mode == Mode::Enforce).any(|rule| {
                naive_rule_protects(rule, name.as_str()) || (by_file(rule) && !excepts(rule, name.as_str()))
            });
            let owners = file.candidates().projects;
            let hidden = owners.iter().filter(|owner| hides(owner)).count();
            let verdict = policy.judge(Subject::File(&file));
            prop_assert_eq!(verdict.is_protected(), hidden > 0, "{:?}", file);
            prop_assert_eq!(verdict.certain, hidden == 0 || hidden == owners.len());
            for owner in &owners {
                prop_assert_eq!(policy.judge_owned(&file, owner.as_name(), None).is_protected(), hides(owner));
            }
        }
    }

    #[test]
    fn spelling_a_pattern_differently_changes_no_verdict(
        words in proptest::collection::vec("[a-c]{1,2}", 1..4),
        star in any::<bool>(),
        separators in proptest::collection::vec("[-_.]{1,3}", 4),
        name in "[a-c]([-_.]?[a-c]){0,6}",
    ) {
        let spelled: String = words.iter().zip(&separators).map(|(word, separator)| word.to_uppercase() + separator).collect();
        let star = if star { "*" } else { "" };
        let plain = words.join("-") + star;
        let fancy = spelled.trim_end_matches(['-', '_', '.']).to_owned() + star;
        let (plain, fancy) = (policy([rule("r", &[&plain], &[], &[])]), policy([rule("r", &[&fancy], &[], &[])]));
        prop_assert_eq!(shown(judge(&plain, &name).protected), shown(judge(&fancy, &name).protected));
        prop_assert_eq!(plain.fingerprint(), fancy.fingerprint());
    }

    #[test]
    fn any_text_is_a_pattern_or_is_refused_in_one_line(written in "(re:)?[ -~\\n\u{e9}]{0,20}") {
        let refused: Option<PatternError> = Pattern::parse(&written).err();
        prop_assert!(refused.is_none_or(|error| !error.to_string().contains('\n')));
        let refused: Option<PatternError> = FilePattern::parse(&written).err();
        prop_assert!(refused.is_none_or(|error| !error.to_string().contains('\n')));
    }
}
