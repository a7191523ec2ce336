//! namewall: a forward proxy that keeps strangers' packages with private names out of sight.

pub mod config;
pub mod demo;
pub mod name;
pub mod policy;
pub mod proxy;
pub mod pypi;
pub mod tls;
