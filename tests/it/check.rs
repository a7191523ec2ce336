//! `namewall check`: what it finds, in each format, and how it ends.

use serde_json::Value;

use crate::commands::{ACME, Shell, stderr, stdout};

const ODD: &str = r#"[[protect]]
id = "acme"
names = ["acme", "acme-*", "acme-core"]
except = ["acne"]

[[protect]]
id = "watch"
names = ["acme-data"]
mode = "audit"
reason = "Who still asks for it?"

[[assert]]
protected = ["acme-core", "other"]
allowed = ["acme-sdk"]
"#;

/// `text` without what differs from build to build.
fn steady(text: &str) -> String {
    let without_note = text.split("note: known public mirrors").next().unwrap_or_default();
    let sum = text.lines().last().unwrap_or_default();
    let sum = sum.split(", policy ").next().unwrap_or_default().split_once(" namewall.toml").map_or(sum, |(ok, _)| ok);
    format!("{without_note}[…]\n{}\n", sum.split(" /").next().unwrap_or_default())
}

fn json(shell: &Shell, arguments: &[&str], code: i32) -> Value {
    let output = shell.run(arguments);
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn all_is_told_at_once() {
    let output = Shell::new(ODD).run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(steady(&stdout(&output)));
}

#[test]
fn warnings_are_findings_if_they_are_to_be() {
    let shell = Shell::new("[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\n");
    assert_eq!(shell.run(&["check"]).status.code(), Some(0));
    assert_eq!(shell.run(&["check", "--strict"]).status.code(), Some(1));
    assert_eq!(Shell::new(ACME).run(&["check", "--strict"]).status.code(), Some(0));
    let quiet = shell.run(&["check", "-q"]);
    assert!(!stdout(&quiet).contains("warning["), "{}", stdout(&quiet));
    // A note is none.
    let all = "[[protect]]\nid = \"all\"\nnames = [\"*\"]\neverything = true\nreason = \"A closed site\"\n";
    assert_eq!(Shell::new(all).run(&["check", "--strict"]).status.code(), Some(0));
}

#[test]
fn json_is_for_programs() {
    let shell = Shell::new(ODD);
    let mut report = json(&shell, &["check", "--format", "json"], 1);
    assert_eq!(report["policy"].as_str().unwrap().len(), 12);
    report["policy"] = "(fingerprint)".into();
    report["sources"] = "(path)".into();
    report["counts"]["hosts"] = "(count)".into();
    insta::assert_snapshot!(format!("{report:#}"));
}

#[test]
fn config_errors_are_results_too() {
    let shell = Shell::new("[[protect]]\nid = \"acme\"\nnaems = [\"acme\"]\nmode = \"enforced\"\n");
    let report = json(&shell, &["check", "--format", "json"], 2);
    let lines: Vec<_> =
        report["errors"].as_array().unwrap().iter().map(|error| error["location"]["line"].clone()).collect();
    assert_eq!(lines, [3, 4]);
    let log = json(&shell, &["check", "--format", "sarif"], 2);
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 2);
    assert_eq!(run["results"][0]["ruleId"], "config-error");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let gone = json(&shell, &["check", "--config", "gone.toml", "--format", "sarif"], 2);
    assert!(gone["runs"][0]["results"][0]["message"]["text"].as_str().unwrap().contains("gone.toml"));
    // For people it stays what it was.
    let text = shell.run(&["check"]);
    assert_eq!((text.status.code(), stdout(&text).as_str()), (Some(2), ""));
    assert!(stderr(&text).contains("namewall.toml:3:1"), "{}", stderr(&text));
}

#[test]
fn sarif_is_for_code_scanning() {
    let log = json(&Shell::new(ODD), &["check", "--format", "sarif"], 1);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "namewall");
    let rules: Vec<&str> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    for result in run["results"].as_array().unwrap() {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "namewall.toml");
        assert!(place["region"]["startLine"].as_u64() > Some(0) && place["region"]["startColumn"].as_u64() > Some(0));
    }
    insta::assert_snapshot!(format!("{:#}", run["results"]));
}

#[test]
fn a_preview_shows_the_most_downloaded_first() {
    let shell = Shell::new(ODD);
    let list = "acme-data\nacme-zzz\t3\nacme-core\t40\nACME\t2\nrequests\t1\n!\n";
    let output = shell.piped(&["check", "--preview", "-", "--top", "2"], list);
    let text = stdout(&output);
    let preview = text.split("rule acme").nth(1).unwrap().rsplit_once("not ok").unwrap().0;
    insta::assert_snapshot!(format!("rule acme{preview}"));
    std::fs::write(shell.path().join("list"), list).unwrap();
    let report = json(&shell, &["check", "--format", "json", "--preview", "list"], 1);
    assert_eq!(report["preview"]["rules"][0]["top"][0]["name"], "acme");
    assert_eq!(report["preview"]["rules"][0]["top"][3]["rank"], Value::Null);
    let root = r#"{"meta":{"api-version":"1.4"},"projects":[{"name":"acme"},{"name":"six"}]}"#;
    let root = shell.piped(&["check", "--preview", "-"], root);
    assert!(stdout(&root).contains("1 of 2 names match"), "{}", stdout(&root));
    assert_eq!(shell.piped(&["check", "--preview", "-"], "{\"projects\":").status.code(), Some(4));
    assert_eq!(shell.run(&["check", "--preview", "gone"]).status.code(), Some(2));
}
