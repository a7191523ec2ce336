//! What is told of the proxy's work: the log, the decisions, the metrics.

pub(crate) mod access;
pub mod audit;
pub mod decision;
pub(crate) mod histogram;
mod line_file;
pub mod log;
pub mod metrics;
pub(crate) mod recent;
pub(crate) mod samples;
pub mod standing;

pub use decision::{Decision, Decisions, Outcome, Surface};
