//! namewall: a forward proxy that keeps strangers' packages with private names out of sight.

pub mod config;
pub mod name;
pub mod net;
pub mod policy;
pub mod pypi;
pub mod tasks;
pub mod telemetry;
