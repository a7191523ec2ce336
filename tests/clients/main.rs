//! Real clients, pinned, against `namewall serve` and a stand-in for PyPI; and their parsers, on filtered pages.
//!
//! The clients themselves come from the package registry that this machine's pip is set up for, once, into
//! `target/clients/`. Where that can't be reached these tests fail and say so; they never pass by doing nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a failure here is to stop the test with its place"
)]

#[path = "../support/book/mod.rs"]
mod book;
mod curl;
mod demo;
mod docs;
mod doctor;
mod install;
mod judges;
mod matrix;
mod mirror;
mod pins;
mod programs;
mod publish;
mod python;
mod relay;
mod sdist;
mod strict;
#[path = "../support/mod.rs"]
mod support;
mod transparent;
mod users;
mod wire;
mod world;
