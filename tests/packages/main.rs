//! The packages: built as they are released but for optimizing, installed, and used.
//!
//! `cargo test --test packages` needs root, Debian's buildah, dpkg-dev and systemd, and once the package registries for
//! maturin, cargo-deb and the linters. Where something is missing these tests fail and say so; `.ci/run` brings it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a failure here is to stop the test with its place"
)]

mod action;
mod build;
mod deb;
mod fleet;
mod gitlab;
mod image;
#[path = "../clients/install.rs"]
mod install;
mod job;
#[path = "../clients/pins.rs"]
#[allow(dead_code, reason = "the pins of the clients' tests, of which these want pip's")]
mod pins;
#[path = "../clients/python.rs"]
#[allow(dead_code, reason = "the packages are tried with the machine's own Python")]
mod python;
#[path = "../support/mod.rs"]
mod support;
mod tools;
mod wheel;
