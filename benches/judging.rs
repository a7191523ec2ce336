//! How long it takes to say whether a URL, a name or a file may be seen. Wanted: a URL in less than 2 microseconds.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "what fails ends the bench")]
#![allow(dead_code, reason = "each bench needs a part of its support")]

mod support;

use std::fmt;

use divan::{Bencher, black_box};
use http::Method;
use namewall::name::{FileName, NameBuffer, NameRef};
use namewall::pypi::resource::Resource;
use namewall::pypi::site::SiteKind;

fn main() {
    divan::main();
}

macro_rules! hashed {
    () => {
        "/packages/aa/bb/cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc/"
    };
}

/// A path on a host of some kind.
struct Target(SiteKind, &'static str);

const TARGETS: [Target; 12] = [
    Target(SiteKind::Index, "/simple/"),
    Target(SiteKind::Index, "/simple/sample-project/"),
    Target(SiteKind::Index, "/simple/Sample_Project"),
    Target(SiteKind::Index, "/simple/%73ample%2Dproject/?format=application/vnd.pypi.simple.v1+json"),
    Target(SiteKind::Index, "/pypi/sample-project/json"),
    Target(SiteKind::Index, "/project/sample-project/1.0.0/"),
    Target(SiteKind::Index, "/integrity/sample-project/1.0/sample_project-1.0-py3-none-any.whl/provenance"),
    Target(SiteKind::Index, "/a/route/of/tomorrow/sample-project/x?page=2"),
    Target(SiteKind::Files, concat!(hashed!(), "sample_project-1.0-cp312-cp312-manylinux_2_17_x86_64.whl")),
    Target(SiteKind::Files, concat!(hashed!(), "sample_project-1.0-py3-none-any.whl.metadata")),
    Target(SiteKind::Files, concat!(hashed!(), "a-very-long-name-of-a-sample-project-1.0-1.tar.gz")),
    Target(SiteKind::Files, "/packages/source/s/sample-project/sample-project-1.0.tar.gz"),
];

#[divan::bench(args = TARGETS, consts = [0, 10, 1_000])]
fn url<const NAMES: usize>(bencher: Bencher<'_, '_>, target: &Target) {
    let policy = support::policy(NAMES);
    bencher.bench(|| {
        let resource = Resource::of(target.0, &Method::GET, black_box(target.1)).expect("a target");
        resource.subjects().any(|subject| policy.judge(subject).is_protected())
    });
}

#[divan::bench(args = ["sample-project", "Sample_Project", "zope.interface", "a-very-long-name-of-a-sample-project"])]
fn fold(bencher: Bencher<'_, '_>, name: &str) {
    let mut buffer = NameBuffer::default();
    bencher.bench_local(|| NameRef::fold(black_box(name.as_bytes()), &mut buffer).map(|name| name.as_str().len()));
}

#[divan::bench(args = [
    "sample_project-1.0-py3-none-any.whl",
    "sample-project-1.0.tar.gz",
    "a-very-long-name-of-a-sample-project-1.0-1.tar.gz",
    "sample-project-1.0.linux-x86_64.tar.gz",
    "sample-project-1.0.conda",
])]
fn candidates(bencher: Bencher<'_, '_>, name: &str) {
    let file = FileName::parse(name).expect("a file name");
    bencher.bench(|| black_box(&file).candidates());
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1.replace(hashed!(), "/packages/…/"))
    }
}
