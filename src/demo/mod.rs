//! The attack of dependency confusion, played on this machine: a stand-in for PyPI, a private index, and the story.
//!
//! Nothing here knows how the proxy works: the stand-in is a second, independent reading of how PyPI answers, so that the
//! tests which run the proxy against it compare two opinions instead of one with itself.

pub mod catalog;
pub mod private;
pub mod simple;
pub mod standin;
pub mod story;
pub mod wheel;

pub use catalog::{Artifact, Catalog, Project};
pub use private::PrivateIndex;
pub use standin::StandIn;
pub use story::{Client, DemoError, Options, Outcome, is_installed, play};
pub use wheel::Wheel;
