//! namewall: a forward proxy that keeps strangers' packages with your private packages' names out of sight.
//!
//! Nearly everything goes through it untouched. What belongs to PyPI is opened, judged by name, and either answered
//! here, or fetched, filtered and passed on.
//!
//! ```text
//!  client ── listen ── peek ──┬─ CONNECT elsewhere ───────────────► tunnel ─────────► the internet
//!                             │
//!                             └─ CONNECT / absolute-form / SNI of an intercepted host
//!                                    │  TLS with a leaf of our name-constrained CA
//!                                    ▼
//!               request ─► Resource::of(host, method, path)      pypi/   what is asked for, and which names does it bear?
//!                       ─► policy.judge(names) → Verdict         policy/ may they be seen?
//!                            │ protected                │ not protected
//!                            ▼                          ▼
//!                         reply (404/403)            upstream ─► page: parse → judge each entry → render
//!                                                             ─► file: judge the owner header → stream
//! ```
//!
//! Where to start reading: [`policy::Policy::judge`] decides on a name; [`pypi::resource::Resource::of`] says which
//! names a URL bears; [`pypi`] reads pages and writes them without what is hidden; `proxy/exchange` introduces the
//! two and is where a byte leaves. [`name`], [`policy`] and [`pypi`] know no socket and no clock.
//!
//! Imports run downwards only: `cli` → `clients`, `admin`, `demo`, `inventory`, `claimed` → `proxy` → `net`, `tls`, `telemetry` → `config` →
//! `pypi`, `policy`, `users` → `name`.

mod admin;
mod claimed;
pub mod cli;
pub mod clients;
pub mod config;
pub mod demo;
mod files;
mod inventory;
pub mod name;
pub mod net;
pub mod policy;
pub mod proxy;
pub mod pypi;
mod sarif;
mod shown;
pub mod tasks;
pub mod telemetry;
pub mod tls;
pub mod users;
