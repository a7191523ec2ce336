//! Sockets: accepting, peeking, dialling (through parent proxies, too), tunnelling. Knows nothing of what is carried.

pub mod crowd;
pub mod deadline;
pub mod dial;
pub mod eager;
pub mod exits;
pub mod hello;
pub mod inherited;
pub mod listen;
mod lookup;
pub mod outward;
mod own;
pub mod pace;
pub mod parent;
pub mod peek;
pub mod prefixed;
pub mod proxy_protocol;
pub mod route;
mod scratch;
#[cfg(target_os = "linux")]
mod splice;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod tunnel;
pub mod via;
mod writes;
