//! `namewall explain`: what somebody reads who was just refused.

use serde_json::Value;

use crate::commands::{Shell, stderr, stdout};

const RULES: &str = r#"[[protect]]
id = "acme"
names = ["acme", "Acme_*"]
except = ["acme-sdk"]
reason = "Internal to Acme; served by the private index"
owner = "platform@acme.example"
private-index = "https://pypi.acme.example/simple/"

[[protect]]
id = "bare"
names = ["bare"]

[[protect]]
id = "watch"
names = ["watched", "acme-core"]
mode = "audit"
reason = "Who still asks for it?"

[[protect]]
id = "alike"
names = ["widgets"]
lookalikes = true
reason = "Internal"
private-index = "https://pypi.acme.example/simple/"

[[protect]]
id = "bad-release"
names = ["greetings"]
versions = ">=2.0, <2.2"
reason = "2.0 and 2.1 delete files"

[[protect]]
id = "old"
names = ["old-*"]
expires = 2020-12-31
"#;

#[track_caller]
fn said(things: &[&str], code: i32) -> String {
    let output = Shell::new(RULES).run(&[&["explain"], things].concat());
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

#[test]
fn names() {
    insta::assert_snapshot!(said(&["Acme.Core", "bare", "watched", "acme-sdk", "old-data", "requests"], 1));
}

#[test]
fn files() {
    insta::assert_snapshot!(said(&["acme_data-1.0-py3-none-any.whl", "bare-1.0-1.tar.gz", "six-1.0.tar.gz"], 1));
}

#[test]
fn urls_and_requirements() {
    insta::assert_snapshot!(said(
        &[
            "https://pypi.org/simple/acme-data/",
            "https://files.pythonhosted.org/packages/py3/a/acme/acme-1.0.zip",
            "Acme.Data[extra]>=1.0 ; python_version > '3'",
            "https://pypi.acme.example/simple/acme/",
            "git+https://github.com/acme/acme@v1",
            "https://mirrors.aliyun.com/pypi/simple/acme/",
        ],
        1
    ));
}

#[test]
fn what_is_allowed_ends_with_0() {
    said(&["requests", "six-1.0.tar.gz", "watched", "old-data"], 0);
}

#[test]
fn lists_come_on_standard_input() {
    let shell = Shell::new(RULES);
    let list = "# locked\nacme-data==1.0 \\\n    --hash=sha256:00\n-r other.txt\n\nrequests>=2  # fine\n";
    let output = shell.piped(&["explain", "--json", "-"], list);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdicts: Vec<_> = list.as_array().unwrap().iter().map(|one| (&one["projects"][0], &one["verdict"])).collect();
    let (protected, allowed) = ("protected".into(), "allowed".into());
    assert_eq!(verdicts, [(&"acme-data".into(), &protected), (&"requests".into(), &allowed)]);
    // What is no thing doesn't keep the others from being explained, and isn't passed over.
    let broken = shell.piped(&["explain", "-"], "bad name!\nacme\n");
    assert_eq!(broken.status.code(), Some(2));
    assert!(stdout(&broken).starts_with("acme: protected"), "{}", stdout(&broken));
    assert!(stderr(&broken).contains("line 1 of standard input"), "{}", stderr(&broken));
    assert_eq!(shell.piped(&["explain", "-"], "").status.code(), Some(0));
}

#[test]
fn json_tells_all() {
    let shell = Shell::new(RULES);
    let output = shell.run(&["explain", "--json", "Acme.Core", "bare-1.0-1.tar.gz", "acme-sdk", "old-data"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    insta::assert_snapshot!(format!("{list:#}"));
}

#[test]
fn lookalikes_and_releases() {
    insta::assert_snapshot!(said(
        &[
            "w1dgets",
            "widgest",
            "greetings",
            "greetings==2.1",
            "greetings>=2",
            "https://pypi.org/pypi/greetings/2.0/json",
            "greetings-2.1.tar.gz"
        ],
        1
    ));
}
