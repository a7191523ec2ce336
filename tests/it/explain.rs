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

const URLLIB3: &str = r#"[[protect]]
id = "bad"
names = ["urllib3"]
versions = "<2"
reason = "no longer mended"
owner = "security@acme.example"
"#;

#[test]
fn releases_that_are_hidden_are_told_of() {
    let shell = Shell::new(URLLIB3);
    let output = shell.run(&["explain", "urllib3", "urllib3>=1.26", "https://pypi.org/simple/urllib3/"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let told = "allowed, but rule bad hides releases <2 (no longer mended)\n";
    assert_eq!(stdout(&output).matches(told).count(), 3, "{}", stdout(&output));
    for wanted in ["urllib3<2", "urllib3==1.*", "urllib3~=1.26", "urllib3[socks] (>=1.21.1,<1.27) ; os_name == 'nt'"] {
        let output = shell.run(&["explain", wanted]);
        assert_eq!(output.status.code(), Some(1), "{wanted}");
        let text = stdout(&output);
        assert!(text.contains(": protected\n  what happens every release that"), "{text}");
        assert!(text.contains("  run next     pip install 'urllib3>=2'\n"), "{text}");
    }
    insta::assert_snapshot!(stdout(&shell.run(&["explain", "urllib3==1.26.5"])), @r"
    urllib3==1.26.5: protected
      what happens urllib3 1.26.5 isn't on its project's page, and its files are refused (403)
      rule         bad
      pattern      urllib3, releases <2 only
      written at   namewall.toml:3
      reason       no longer mended
      owner        security@acme.example
      run next     pip install 'urllib3>=2'
      or           uv add 'urllib3>=2'
                   uv lock --upgrade-package urllib3
                   poetry update --lock urllib3
      note         only the releases <2 are hidden: take another, and if a lock file has this one, lock again (the last two); if it must be this one, ask security@acme.example
    ");
    let output = shell.run(&["explain", "--json", "urllib3", "urllib3<2"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = |one: &Value| (one["verdict"].clone(), one["hides_releases"][0]["versions"].clone());
    assert_eq!(told(&list[0]), ("allowed".into(), "<2".into()));
    assert_eq!(told(&list[1]), ("protected".into(), "<2".into()));
    assert_eq!((&list[1]["rule"], &list[1]["versions"]), (&"bad".into(), &"<2".into()));
    let watching = Shell::new(&format!("{URLLIB3}mode = \"audit\"\n"));
    let output = watching.run(&["explain", "urllib3", "urllib3<2"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output).matches("audit rule bad would hide releases <2").count(), 2, "{}", stdout(&output));
}

#[test]
fn of_a_reference_its_url_counts_and_no_secret_is_shown() {
    let shell = Shell::new(RULES);
    let elsewhere = [
        "acme-core @ git+https://u:hunter2@github.com/x/y@main",
        "acme-core[x]@https://hunter2@pypi.acme.example/acme_core-1.0.zip?token=hunter2 ; os_name == 'nt'",
        "git+https://u:hunter2@github.com/x/y@main#egg=acme-core",
        "acme-core @ file:///src/acme-core",
    ];
    for json in [&[][..], &["--json"]] {
        let output = shell.run(&[&["explain"], json, &elsewhere].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        assert!(!stdout(&output).contains("hunter2"), "{}", stdout(&output));
    }
    insta::assert_snapshot!(said(&elsewhere, 0), @r"
    acme-core @ git+https://github.com/x/y@main: allowed (url of a host that is not intercepted)
    acme-core[x]@https://pypi.acme.example/acme_core-1.0.zip ; os_name == 'nt': allowed (url of a host that is not intercepted)
    git+https://github.com/x/y@main: allowed (url of a host that is not intercepted)
    acme-core @ file:///src/acme-core: allowed (not from an index)
    ");
    let file = "https://u:hunter2@files.pythonhosted.org/packages/py3/a/acme-core/acme_core-1.0-py3-none-any.whl";
    insta::assert_snapshot!(said(&[&format!("acme-core @ {file}")], 1), @r"
    acme-core @ https://files.pythonhosted.org/packages/py3/a/acme-core/acme_core-1.0-py3-none-any.whl: protected
      what happens the download of acme_core-1.0-py3-none-any.whl is refused (403), and its project's page doesn't list it
      rule         acme
      pattern      Acme_* (compared as acme-*)
      written at   namewall.toml:3
      reason       Internal to Acme; served by the private index
      owner        platform@acme.example
      install from https://pypi.acme.example/simple/
      run next     pip install --index-url https://pypi.acme.example/simple/ acme-core
      or           uv add --index https://pypi.acme.example/simple/ acme-core
      note         a URL is installed from whatever the indexes are: require `acme-core` without it
      also         the audit rule watch matches, by acme-core (namewall.toml:15)
    ");
    said(&["acme-core @ https://files.pythonhosted.org/packages/py3/s/six/six-1.0-py3-none-any.whl"], 0);
    let odd = shell.run(&["explain", "https://u:hunter2@pypi.org:port/", "acme core https://u:hunter2@h/"]);
    assert_eq!(odd.status.code(), Some(2));
    assert!(!stderr(&odd).contains("hunter2"), "{}", stderr(&odd));
}

#[test]
fn what_is_on_no_index_is_passed_over() {
    let shell = Shell::new(RULES);
    let list = "-e .\n./local/acme\n-e ./acme-core\nacme-core @ file:///src/acme\nrequests\\\n>=2\n-r other.txt\n";
    let output = shell.piped(&["explain", "-"], list);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "requests >=2: allowed\n".to_owned()));
    let output = shell.piped(&["explain", "-v", "-"], list);
    assert_eq!(stdout(&output).matches(": allowed (not from an index)\n").count(), 4, "{}", stdout(&output));
    let output = shell.piped(&["explain", "--json", "-"], list);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["kind"]), (5, &"not from an index".into()));
    let output = shell.piped(&["explain", "-"], "-e .\nacme\n");
    assert_eq!(output.status.code(), Some(1), "the findings decide");
}

#[test]
fn a_command_has_the_requirement_alone() {
    for written in ["acme==1.0 --hash=sha256:ab", "acme==1.0 \\", "acme==1.0 ; os_name == 'nt' --hash=sha256:ab"] {
        let text = said(&[written], 1);
        assert!(
            text.contains("  run next     pip install --index-url https://pypi.acme.example/simple/ acme==1.0\n"),
            "{text}"
        );
    }
}

#[test]
fn a_terminal_obeys_no_reason() {
    let shell =
        Shell::new("[[protect]]\nid = \"acme\"\nnames = [\"acme\"]\nreason = \"a\\n\\u001b[2Jb\"\nowner = \"x\\ny\"\n");
    let text = stdout(&shell.run(&["explain", "acme"]));
    assert!(text.contains("  reason       a \u{fffd}[2Jb\n  owner        x y\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn that_no_rule_is_in_force_is_said() {
    for config in ["", "[[protect]]\nid = \"old\"\nnames = [\"acme\"]\nexpires = 2020-12-31\n"] {
        let shell = Shell::new(config);
        std::fs::write(shell.path().join("names"), "acme\n").unwrap();
        for arguments in [&["explain", "acme"][..], &["scan", "."], &["claimed", "--from", "names"], &["run", "true"]] {
            let output = shell.run(arguments);
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
            assert!(stderr(&output).contains("no rule is in force"), "{arguments:?}: {}", stderr(&output));
        }
    }
    assert!(!stderr(&Shell::new(RULES).run(&["explain", "six"])).contains("no rule"));
}
