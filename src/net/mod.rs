//! Sockets: accepting, peeking, dialling, tunnelling. Knows nothing of HTTP or of names.

pub mod crowd;
pub mod deadline;
pub mod dial;
pub mod eager;
pub mod hello;
pub mod inherited;
pub mod listen;
pub mod peek;
pub mod prefixed;
pub mod proxy_protocol;
mod scratch;
#[cfg(target_os = "linux")]
mod splice;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod tunnel;
mod writes;
