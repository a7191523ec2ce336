//! Whole behaviours: the proxy between a client and a stand-in for PyPI, over real sockets and real TLS.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "tests: what fails ends the test, and they play client and server themselves"
)]

#[path = "../support/book/mod.rs"]
mod book;
mod trust;
mod world;

mod access;
mod admin;
mod authority;
#[cfg(unix)]
mod browser;
mod cache;
mod check;
mod claimed;
mod codings;
mod commands;
mod connections;
mod disguises;
mod docs;
mod doctor;
mod exits;
mod explain;
mod faults;
mod files;
#[cfg(target_os = "linux")]
mod fleet;
mod gateway;
mod hosts;
mod inventory;
mod limits;
mod listeners;
mod listings;
mod memory;
mod mirrors;
#[cfg(unix)]
mod page;
mod pages;
mod parents;
mod reload;
mod root;
mod rules;
mod scan;
mod shells;
#[cfg(target_os = "linux")]
mod transparent;
mod uploads;
mod users;
mod validators;
mod xmlrpc;
