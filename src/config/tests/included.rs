//! `include` and `--rules`: which files are read, in which order, and what their mistakes look like.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load_in(folder: &TempDir, overrides: &Overrides) -> Result<Settings, ConfigError> {
    Settings::load_from(overrides, &environment(), folder.path())
}

fn error_of(files: &[(&str, &str)], rules: &[&str]) -> String {
    let folder = folder(files);
    let overrides = Overrides { rules: rules.iter().map(Into::into).collect(), ..Overrides::default() };
    let error = load_in(&folder, &overrides).expect_err("it is wrong");
    assert!(error.mistakes().iter().all(|mistake| !mistake.help().is_empty()));
    let shown = error.to_string();
    assert!(!shown.contains(&folder.path().display().to_string()), "{shown}");
    shown
}

fn rule(id: &str) -> String {
    format!("[[protect]]\nid = \"{id}\"\nnames = [\"{id}\", \"{id}-*\"]\n")
}

fn ids(settings: &Settings) -> Vec<&str> {
    settings.rules.iter().map(|rule| rule.id.as_str()).collect()
}

#[test]
fn files_are_read_in_order_and_each_rule_knows_its_own() {
    let files = [
        ("conf/namewall.toml", &*format!("include = [\"rules.d/*.toml\", \"last.toml\"]\n{}", rule("main"))),
        ("conf/rules.d/20-b.toml", &rule("b")),
        ("conf/rules.d/10-a.toml", &format!("\n{}[[assert]]\nprotected = [\"a-1\"]\nallowed = [\"six\"]\n", rule("a"))),
        ("conf/rules.d/.hidden.toml", "not read"),
        ("conf/rules.d/README.md", "not read"),
        ("conf/rules.d/folder.toml/x", "not read"),
        ("conf/rules.d/deeper/c.toml", "not read"),
        ("conf/last.toml", &rule("z")),
    ];
    let folder = folder(&files);
    let overrides = Overrides { config: Some("conf/namewall.toml".into()), ..protect(&["shell"]) };
    let settings = load_in(&folder, &overrides).unwrap();
    assert_eq!(ids(&settings), ["main", "a", "b", "z", "command-line"]);
    let place = |index: usize| settings.rules[index].place.as_ref().unwrap().to_string();
    assert_eq!(place(0), "conf/namewall.toml:2");
    assert_eq!(place(1), "conf/rules.d/10-a.toml:2");
    assert_eq!(place(3), "conf/last.toml:1");
    assert_eq!(settings.rules[1].names[1].place().unwrap().to_string(), "conf/rules.d/10-a.toml:4");
    assert_eq!(settings.assertions[1].place.as_ref().unwrap().to_string(), "conf/rules.d/10-a.toml:7");
    let names: Vec<_> = settings.files().iter().map(|file| file.strip_prefix(folder.path()).unwrap()).collect();
    let expected = ["conf/namewall.toml", "conf/rules.d/10-a.toml", "conf/rules.d/20-b.toml", "conf/last.toml"];
    assert_eq!(names, expected.map(Path::new));
    assert_eq!(settings.watched(), [folder.path().join("conf/rules.d")]);
    let policy = settings.policy(time::macros::date!(2027 - 01 - 01)).unwrap();
    assert!(settings.check_assertions(&policy).is_empty());
}

#[test]
fn each_file_is_read_once_and_the_config_never_as_one_of_its_own() {
    let config = "include = [\"*.toml\", \"./a.toml\", \"**/a.toml\"]\n";
    let folder = folder(&[("namewall.toml", config), ("a.toml", &rule("a")), ("teams/x/a.toml", &rule("x"))]);
    let overrides = Overrides { rules: vec!["a.toml".into()], ..Overrides::default() };
    let settings = load_in(&folder, &overrides).unwrap();
    assert_eq!(ids(&settings), ["a", "x"]);
    assert_eq!(settings.files().len(), 3);
}

#[test]
fn a_pattern_may_match_nothing_and_is_watched_all_the_same() {
    let text = "include = [\"rules.d/*.toml\", \"teams/*/rules.toml\", \"/nonexistent/[ab].toml\"]\n";
    let folder = folder(&[("namewall.toml", text)]);
    let settings = load_in(&folder, &Overrides::default()).unwrap();
    let watched = [folder.path().join("rules.d"), folder.path().join("teams"), "/nonexistent".into()];
    assert_eq!(settings.watched(), watched);
}

#[test]
fn the_name_of_the_folder_is_no_pattern() {
    let text = "include = [\"*.d/*.toml\"]\n";
    let folder = folder(&[("[a]*/namewall.toml", text), ("[a]*/rules.d/a.toml", &rule("a"))]);
    let overrides = Overrides { config: Some("[a]*/namewall.toml".into()), ..Overrides::default() };
    let settings = load_in(&folder, &overrides).unwrap();
    assert_eq!(settings.rules[0].place.as_ref().unwrap().to_string(), "[a]*/rules.d/a.toml:1");
}

#[test]
fn rules_need_no_config() {
    let folder = folder(&[("team/a.toml", &rule("a")), ("b.toml", &rule("b"))]);
    let overrides = Overrides { rules: vec!["team/a.toml".into(), "b.toml".into()], ..Overrides::default() };
    let settings = load_in(&folder, &overrides).unwrap();
    assert_eq!((settings.source.as_deref(), ids(&settings)), (None, vec!["a", "b"]));
    assert_eq!(settings.rules[0].place.as_ref().unwrap().to_string(), "team/a.toml:1");
    assert_eq!(settings.files(), [folder.path().join("team/a.toml"), folder.path().join("b.toml")]);
    assert!(settings.watched().is_empty());
}

#[test]
fn every_mistake_in_every_file_is_shown_at_once() {
    let files = [
        ("namewall.toml", "include = [\"rules.d/*.toml\", \"gone.toml\"]\n[log]\nformat = \"xml\"\n"),
        ("rules.d/a.toml", "[[protect]]\nid = \"a\"\nnaems = [\"a\"]\nnames = [\"re:Acme\"]\n"),
        ("rules.d/b.toml", "[[protect]\nid = \"b\"\n"),
        ("rules.d/c.toml", "\n[[assert]]\nprotected = [\"acme-*\"]\n"),
        ("extra.toml", "[[protect]]\nid = \"a\"\nnames = [\"b\"]\nmode = \"warn\"\n"),
    ];
    insta::assert_snapshot!(error_of(&files, &["extra.toml", "none.toml"]));
}

#[test]
fn mistakes_of_includes() {
    let config = |include: &str| format!("include = [{include}]\n");
    let all: Vec<(&str, String, &str)> = vec![
        ("a plain path to no file", config("\"acme.toml\""), ""),
        ("a folder", config("\"rules.d\""), ""),
        ("a path that is empty", config("\"\""), ""),
        ("three asterisks", config("\"rules.d/***.toml\""), ""),
        ("a range without an end", config("\"rules.d/[a.toml\""), ""),
        ("a string for the list", "include = \"rules.d/*.toml\"\n".to_owned(), ""),
        ("a number in the list", config("\"rules.d/*.toml\", 5"), ""),
        ("a slip", "includes = [\"rules.d/*.toml\"]\n".to_owned(), ""),
        ("below a table", "[listen]\ninclude = [\"rules.d/*.toml\"]\n".to_owned(), ""),
        ("a table of the config file", config("\"rules.d/*.toml\""), "[listen]\naddr = \"127.0.0.1:1\"\n"),
        ("a key of the config file", config("\"rules.d/*.toml\""), "log.format = \"json\"\n"),
        ("an include of its own", config("\"rules.d/*.toml\""), "include = [\"more.toml\"]\n"),
        ("a table with a slip", config("\"rules.d/*.toml\""), "[[protects]]\nid = \"a\"\n"),
        ("a rule that is not in a table", config("\"rules.d/*.toml\""), "id = \"a\"\nnames = [\"a\"]\n"),
        ("one bracket for two", config("\"rules.d/*.toml\""), "[protect]\nid = \"a\"\n"),
        (
            "an id of another file",
            config("\"rules.d/*.toml\"") + &rule("a"),
            "\n[[protect]]\nid = \"a\"\nnames = [\"b\"]\n",
        ),
        ("an empty rule", config("\"rules.d/*.toml\""), "[[protect]]\n"),
    ];
    let shown: Vec<_> = all
        .iter()
        .map(|(what, config, rules)| {
            format!("## {what}\n{}\n", error_of(&[("namewall.toml", config), ("rules.d/a.toml", rules)], &[]))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn mistakes_of_rules_files() {
    let shown = [
        ("no such file", error_of(&[], &["gone.toml"])),
        ("a folder", error_of(&[("rules.d/a.toml", "")], &["rules.d"])),
        ("a config for a rules file", error_of(&[("r.toml", "[ca]\ndir = \"/srv\"\n")], &["r.toml"])),
        ("an id twice", error_of(&[("a.toml", &rule("a")), ("b.toml", &rule("a"))], &["a.toml", "b.toml"])),
        ("no TOML", error_of(&[("a.txt", "acme-*\n")], &["a.txt"])),
    ];
    let shown: Vec<_> = shown.iter().map(|(what, error)| format!("## {what}\n{error}\n")).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

proptest! {
    #[test]
    fn damage_is_shown_in_the_file_that_has_it(at in 0..200usize, instead in "[a-z\"=\\[\\],\u{fc}\n ]{0,4}") {
        let rules = rule("first") + &rule("second") + "[[assert]]\nprotected = [\"first\"]\n";
        let (front, back) = rules.split_at(at.min(rules.len()));
        let damaged = format!("{front}{instead}{back}");
        let config = format!("include = [\"a.toml\", \"b.toml\"]\n{}", rule("main"));
        let files = [("namewall.toml", &*config), ("a.toml", &damaged), ("b.toml", &rule("last"))];
        let folder = folder(&files);
        match load_in(&folder, &Overrides::default()) {
            Ok(settings) => {
                let of = |file: &str| settings.rules.iter().filter(|rule| is_in(rule.place.as_ref(), file)).count();
                prop_assert_eq!((of("namewall.toml"), of("b.toml")), (1, 1));
            }
            Err(error) => for mistake in error.mistakes() {
                prop_assert!(is_in(mistake.place().map(|(place, _)| place).as_ref(), "a.toml"), "{}", error);
            }
        }
    }
}

fn is_in(place: Option<&crate::policy::Place>, file: &str) -> bool {
    place.is_some_and(|place| &*place.file == Path::new(file))
}

#[test]
fn a_rules_file_that_is_not_utf_8_is_shown() {
    let folder = folder(&[("namewall.toml", "include = [\"a.toml\"]\n")]);
    fs::write(folder.path().join("a.toml"), b"\xff").unwrap();
    let error = load_in(&folder, &Overrides::default()).unwrap_err().to_string();
    assert!(error.starts_with("error: the rules file `a.toml` is not UTF-8\n --> a.toml:1:1\n"), "{error}");
}
