//! Sockets: accepting, peeking, dialling, tunnelling. Knows nothing of HTTP or of names.

pub mod deadline;
pub mod dial;
pub mod eager;
pub mod hello;
pub mod listen;
pub mod peek;
pub mod prefixed;
mod scratch;
#[cfg(target_os = "linux")]
mod splice;
#[cfg(test)]
mod testing;
pub mod tunnel;
mod writes;
