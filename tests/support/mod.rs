//! Shared by all test binaries: `namewall serve` as people run it, and clients that can say what no library would.
//!
//! ```ignore
//! #[path = "../support/mod.rs"]
//! mod support;
//!
//! let pypi = StandIn::builder().project(…).start().await?;              // PyPI, over real TLS, with a log
//! let wall = Namewall::before(&pypi).protect("acme", &["acme-*"]).start().await;  // the real binary
//! let answer = Dial::to("pypi.org").h1(&wall).await.get("/simple/acme-core/", &[]).await;
//! answer.assert_hidden("acme");
//! assert!(pypi.mentions("acme").is_empty());
//! ```
//!
//! Everything is bounded in time, and everything that was started ends when its value is dropped: [`Namewall`] kills its
//! child by id and removes its folder, [`StandIn`](namewall::demo::StandIn) closes its port.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests: a failure here is to stop the test with its place, and to say what the child said"
)]

mod answer;
mod dial;
mod h1;
mod h2;
mod serve;

use std::future::Future;
use std::time::Duration;

pub(crate) use answer::Answer;
pub(crate) use dial::Dial;
pub(crate) use h1::Http1;
pub(crate) use h2::Http2;
pub(crate) use serve::{Builder, Namewall};

/// The JSON page of the simple API.
pub(crate) const JSON: &str = "application/vnd.pypi.simple.v1+json";

/// No single step of a test takes longer.
const STEP: Duration = Duration::from_secs(20);

/// `step`, or a panic that says what hung.
async fn within<T>(what: &str, step: impl Future<Output = T>) -> T {
    match tokio::time::timeout(STEP, step).await {
        Ok(done) => done,
        Err(_) => panic!("{what} took more than {STEP:?}"),
    }
}
