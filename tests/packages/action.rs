//! The GitHub actions: linted, and their steps run by the shell that GitHub runs them by.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::job::{Job, shellcheck, yaml};
use crate::tools::{NAMEWALL, linter, repository, said};

const START: &str = "action.yml";
const FINISH: &str = "finish/action.yml";

/// Where a step leaves what it has to say.
const FILES: [(&str, &str); 4] =
    [("GITHUB_ENV", "env"), ("GITHUB_OUTPUT", "output"), ("GITHUB_PATH", "path"), ("GITHUB_STEP_SUMMARY", "summary")];

/// Runs the steps of an action as a runner does: the exit code of the last, and all that was printed.
fn uses(job: &mut Job, action: &str, with: &[(&str, &str)]) -> (Option<i32>, String) {
    let action = yaml(action);
    for (name, file) in FILES {
        job.set(name, &job.path().join(file).display().to_string());
    }
    job.set("RUNNER_TEMP", &job.path().display().to_string());
    let with: BTreeMap<_, _> = with.iter().copied().collect();
    let input = |name: &str| {
        let default = action["inputs"][name].as_object().unwrap_or_else(|| panic!("no input {name}")).get("default");
        with.get(name).copied().or_else(|| default.and_then(Value::as_str)).unwrap_or_default()
    };
    let mut said = (Some(0), String::new());
    for step in action["runs"]["steps"].as_array().unwrap() {
        assert!(step["if"].is_null(), "this test knows nothing of `if`: {step}");
        assert_eq!(step["shell"], "bash");
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
        for (name, value) in step["env"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            let of = value.strip_prefix("${{ inputs.").and_then(|value| value.strip_suffix(" }}")).unwrap();
            job.set(name, input(of));
        }
        let (code, told) = job.run(&mut bash);
        said = (code, said.1 + &told);
        if code != Some(0) {
            return said;
        }
        job.set_from(&job.path().join("env"));
    }
    said
}

fn bash(job: &Job, script: &str) -> (Option<i32>, String) {
    job.run(Command::new("bash").args(["-ec", script]))
}

#[test]
fn the_actions_are_what_github_reads() {
    let mut check = Command::new(linter("python"));
    said(
        check
            .args(["-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", START, FINISH])
            .current_dir(repository()),
    );
    for file in [START, FINISH] {
        for step in yaml(file)["runs"]["steps"].as_array().unwrap() {
            let run = step["run"].as_str().unwrap();
            assert!(!run.contains("${{"), "an input becomes a part of a script: {run}");
            shellcheck("bash", run);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_guarded_and_fails_when_something_was_refused() {
    let mut job = Job::new().await;
    let (wheel, hash) = job.wheel();
    let wheel = format!("{wheel}#sha256={hash}");
    let config = job.config("decisions = \"decisions.jsonl\"");
    // Relative, as in a workflow; later steps run wherever they like.
    let config = config.strip_prefix(&format!("{}/", job.path().display())).unwrap().to_owned();
    let with = [("wheel", wheel.as_str()), ("config", &config), ("protect", "acme\nacme-*\n")];
    let (code, said) = uses(&mut job, START, &with);
    assert_eq!(code, Some(0), "{said}");
    let output = fs::read_to_string(job.path().join("output")).unwrap();
    assert!(output.starts_with("proxy=http://127.0.0.1:"), "{output}");
    let (code, said) = bash(&job, "mkdir elsewhere; cd elsewhere; PATH=$(cat ../path):$PATH; namewall explain paint");
    assert_eq!(code, Some(0), "{said}");

    let (code, said) = bash(&job, &job.pip("paint"));
    assert_eq!(code, Some(0), "{said}");
    // A hidden page is how an install is meant to go on: that fails no job.
    assert_eq!(bash(&job, &job.pip("acme-core")).0, Some(1));
    let (code, said) = uses(&mut job, FINISH, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("hidden") && said.contains("acme-core"), "{said}");

    let (code, said) = bash(&job, &job.pip(&job.planted()));
    assert!(code == Some(1) && said.contains("is protected by namewall rule"), "{said}");
    let (code, said) = uses(&mut job, FINISH, &[]);
    assert!(code == Some(1) && said.contains("::error title=namewall::refused"), "{said}");
    for (strict, code) in [("false", 0), ("True", 1), ("yes", 1), ("", 1)] {
        assert_eq!(uses(&mut job, FINISH, &[("strict", strict)]).0, Some(code), "strict: {strict:?}");
    }
    let summary = fs::read_to_string(job.path().join("summary")).unwrap();
    assert!(summary.contains("refused"), "{summary}");
    assert!(job.pypi.mentions("acme").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_needs_no_config_and_later_steps_see_its_rules() {
    let mut job = Job::new().await;
    fs::write(job.path().join("team.toml"), "[[protect]]\nid = \"team\"\nnames = [\"team-*\"]\n").unwrap();
    let with = [("program", NAMEWALL), ("protect", "acme\n\nacme-*"), ("rules", "team.toml\n")];
    let (code, said) = uses(&mut job, START, &with);
    assert_eq!(code, Some(0), "{said}");
    let explain = |name: &str| {
        bash(&job, &format!("mkdir -p elsewhere; cd elsewhere; PATH=$(cat ../path):$PATH; namewall explain {name}")).0
    };
    assert_eq!((explain("acme-core"), explain("team-1"), explain("paint")), (Some(1), Some(1), Some(0)));
    let (code, said) = uses(&mut job, FINISH, &[]);
    assert!(code == Some(0) && said.contains("no decisions"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn namewall_comes_from_where_the_job_says_and_never_from_an_index_by_name() {
    let mut job = Job::new().await;
    let (wheel, hash) = job.wheel();
    let other = format!("{wheel}#sha256={}", "0".repeat(64));
    let both = format!("{wheel}#sha256={hash}");
    for (with, told) in [
        (vec![], "say where namewall comes from: `program` (a namewall that is installed already) or `wheel`"),
        (vec![("program", NAMEWALL), ("wheel", &both)], "one of the two, not both"),
        (vec![("wheel", "namewall")], "`wheel` is `namewall`; it has to be PATH-OR-URL.whl#sha256=HASH"),
        (vec![("wheel", wheel)], "it has to be PATH-OR-URL.whl#sha256=HASH"),
        (vec![("wheel", &other)], "pip did not install"),
    ] {
        let (code, said) = uses(&mut job, START, &with);
        assert!(code == Some(1) && said.contains(told), "{with:?}: {said}");
        assert!(!job.path().join("path").exists(), "{with:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_guard_the_job_fails_it_at_once() {
    let mut job = Job::new().await;
    let (code, said) = uses(&mut job, FINISH, &[]);
    assert!(code == Some(1) && said.contains("no step of this job has started it"), "{said}");
    let (code, said) = uses(&mut job, START, &[("program", "no-such-wall")]);
    assert!(code == Some(1) && said.contains("there is no program `no-such-wall`"), "{said}");
    let (code, said) = uses(&mut job, START, &[("program", NAMEWALL), ("protect", "-acme")]);
    assert!(code == Some(1) && said.contains("it did not start") && said.contains("-acme"), "{said}");

    // Its end could not be told from a log that nobody writes.
    let mut job = Job::new().await;
    let config = job.config("");
    let (code, said) = uses(&mut job, START, &[("program", NAMEWALL), ("config", &config)]);
    assert!(code == Some(2) && said.contains("log.decisions"), "{said}");
}
