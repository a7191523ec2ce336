//! The GitLab template: valid, and its lines run by the plainest shell that a job's image may have.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::job::{Job, shellcheck, yaml};
use crate::tools::{NAMEWALL, linter, repository, said};

const TEMPLATE: &str = "packaging/gitlab/namewall.gitlab-ci.yml";

/// The script of a job that extends the template: as GitLab does, all of it in one shell.
fn script(lines: &str) -> String {
    let template = yaml(TEMPLATE);
    let part = |name: &str| {
        let part = template[".namewall"][name].as_array().unwrap();
        part.iter().map(|line| line.as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
    };
    [part("before_script"), lines.to_owned(), part("finish")].join("\n")
}

async fn job() -> Job {
    let mut job = Job::new().await;
    // Where the job's own folder comes to be.
    job.set("TMPDIR", &job.path().display().to_string());
    job.set("NAMEWALL_PROTECT", "acme,acme-*");
    job
}

fn sh(job: &Job, script: &str) -> (Option<i32>, String) {
    job.run(Command::new("sh").args(["-ec", script]))
}

/// A job whose image has the program, and whose own config takes the stand-in for PyPI.
async fn job_with_program() -> Job {
    let mut job = job().await;
    let config = job.config("decisions = \"decisions.jsonl\"");
    job.set("NAMEWALL_CONFIG", &config);
    let bin = job.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(NAMEWALL, bin.join("namewall")).unwrap();
    job.set("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
    job
}

#[test]
fn the_template_is_what_gitlab_reads() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = folder.path().join("pipeline.yml");
    // With the job that its first lines show.
    let template = fs::read_to_string(repository().join(TEMPLATE)).unwrap();
    let shown = template.lines().skip_while(|line| !line.ends_with("   test:")).take_while(|line| line.len() > 1);
    let shown: Vec<_> = shown.map(|line| line.trim_start_matches("#   ")).collect();
    assert!(shown.len() > 5, "{shown:?}");
    fs::write(&pipeline, format!("{template}\n{}\n", shown.join("\n"))).unwrap();
    let mut check = Command::new(linter("python"));
    check
        .args(["-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"])
        .arg(&pipeline);
    said(&mut check);
    shellcheck("sh", &script(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_guarded_and_its_last_line_fails_it_when_something_was_refused() {
    let job = job_with_program().await;
    let hidden = format!("{}\n! {}", job.pip("paint"), job.pip("acme-core"));
    let (code, said) = sh(&job, &script(&hidden));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("hidden") && said.contains("acme-core"), "{said}");

    // A second job on the same machine has a folder of its own. What asks for the file doesn't mind not to get it.
    let job = job_with_program().await;
    let (code, said) = sh(&job, &script(&format!("{} || true", job.pip(&job.planted()))));
    assert!(code == Some(1) && said.contains("namewall refused"), "{said}");
    assert!(job.pypi.mentions("acme").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_image_gets_the_program_from_a_wheel_with_its_hash() {
    let mut job = job().await;
    job.set("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", python_folder()));
    let (wheel, hash) = job.wheel();
    job.set("WALL_WHEEL", &format!("{wheel}#sha256={hash}"));
    // Nobody else sees what is in the job's folder: it holds a key.
    let lines = "test -n \"$HTTPS_PROXY\" && test \"$(stat -c %a \"$WALL_FOLDER\")\" = 700 && mkdir elsewhere && cd elsewhere \
        && namewall explain paint && ! namewall explain acme-core";
    let (code, said) = sh(&job, &script(lines));
    assert!(code == Some(0) && said.contains("no decisions"), "{said}");
    let folders = || glob::glob(&format!("{}/namewall.*", job.path().display())).unwrap().count();
    assert_eq!(folders(), 1);
    let (code, said) = sh(&job, &script("true"));
    assert_eq!((code, folders()), (Some(0), 2), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn namewall_never_comes_from_an_index_by_name() {
    let mut job = job().await;
    job.set("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", python_folder()));
    let (wheel, _) = job.wheel();
    let other = format!("{wheel}#sha256={}", "0".repeat(64));
    for (wheel, told) in [
        ("", "have it on PATH, or set WALL_WHEEL"),
        ("namewall", "it has to be PATH-OR-URL.whl#sha256=HASH"),
        (wheel, "it has to be PATH-OR-URL.whl#sha256=HASH"),
        (&other, "DO NOT MATCH THE HASHES"),
    ] {
        job.set("WALL_WHEEL", wheel);
        let (code, said) = sh(&job, &script("echo the script runs"));
        assert!(code == Some(1) && said.contains(told) && !said.contains("the script runs"), "{wheel}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_of_the_job_holds_in_every_folder() {
    let mut job = job_with_program().await;
    job.set("NAMEWALL_CONFIG", "own.toml");
    let (code, said) = sh(&job, &script("mkdir elsewhere; cd elsewhere; namewall explain paint"));
    assert_eq!(code, Some(0), "{said}");
}

/// Where `python3` is.
fn python_folder() -> String {
    let script = "import os, sys; print(os.path.dirname(os.path.realpath(sys.executable)))";
    said(Command::new("python3").args(["-c", script])).trim().to_owned()
}
