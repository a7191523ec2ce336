//! How long the largest config takes to load, and what it then costs to judge a name. Wanted: less than a second, and
//! no more than 2 microseconds over an empty policy.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "what fails ends the bench")]
#![allow(dead_code, reason = "each bench needs a part of its support")]

mod support;

use std::io::Write;

use divan::{Bencher, black_box};
use namewall::config::environment::Environment;
use namewall::config::{Overrides, Settings};
use namewall::name::{FileName, ProjectName, Subject};
use namewall::policy::Policy;
use tempfile::NamedTempFile;
use time::macros::date;

fn main() {
    divan::main();
}

/// Exact names; a tenth as many prefixes, and a fiftieth as many expressions.
const SCALES: [usize; 3] = [0, 1_000, 100_000];

#[divan::bench(args = SCALES, sample_count = 10, sample_size = 1)]
fn load(bencher: Bencher<'_, '_>, names: usize) {
    let file = written(names, "");
    bencher.bench(|| loaded(&file));
}

#[divan::bench(args = SCALES)]
fn miss(bencher: Bencher<'_, '_>, names: usize) {
    let policy = loaded(&written(names, ""));
    judge_each(bencher, &policy, MISSES);
}

#[divan::bench(args = SCALES)]
fn hit(bencher: Bencher<'_, '_>, names: usize) {
    let policy = loaded(&written(names, ""));
    judge_each(bencher, &policy, &["acme-data-17", "corp7-tools-x", "unit3-web-tools7"]);
}

/// The names of no more than 1,000 projects may be looked out for in every disguise.
#[divan::bench(args = [0, 1_000])]
fn miss_of_lookalikes(bencher: Bencher<'_, '_>, names: usize) {
    let policy = loaded(&written(names, "lookalikes = true\n"));
    judge_each(bencher, &policy, MISSES);
}

#[divan::bench(args = SCALES)]
fn file(bencher: Bencher<'_, '_>, names: usize) {
    let policy = loaded(&written(names, ""));
    let file = FileName::parse("sample_project-1.0-py3-none-any.whl").expect("a file name");
    bencher.bench(|| policy.judge(Subject::File(black_box(&file))).is_protected());
}

const MISSES: &[&str] =
    &["requests", "sample-project", "acme-nothing-of-ours", "corp-tools", "a-very-long-name-of-a-project"];

/// One iteration judges each of `names` once.
fn judge_each(bencher: Bencher<'_, '_>, policy: &Policy, names: &[&str]) {
    let names: Vec<ProjectName> = names.iter().map(|name| ProjectName::parse(name).expect("a name")).collect();
    bencher.counter(names.len()).bench(|| {
        let judged = |name: &&ProjectName| policy.judge(Subject::Project(black_box(*name).as_name())).is_protected();
        names.iter().filter(judged).count()
    });
}

fn loaded(file: &NamedTempFile) -> Policy {
    let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
    let settings = Settings::load_from(&overrides, &Environment::from_process(), file.path()).expect("a valid config");
    settings.policy(date!(2026 - 01 - 01)).expect("rules that compile")
}

fn written(names: usize, more: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(support::config(names, more).as_bytes()).expect("room for a config");
    file
}
