//! The words that all other rooms speak: project names, file names, hosts. Pure: no socket, no clock.

mod candidates;
pub mod client;
pub mod destinations;
pub mod file;
pub mod host;
mod line;
pub mod project;
mod versions;

pub(crate) use candidates::without_archive;
pub use client::Client;
pub use destinations::{Destination, Destinations, Unclear};
pub use file::{Candidates, FileName};
pub use host::{Authority, HostName};
pub use line::name_on_line;
pub use project::{InvalidName, NameBuffer, NameRef, ProjectName};

/// What is judged: what bears a name on an index.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A project, by its normalized name.
    Project(NameRef<'a>),
    /// A distribution file or one of its siblings, by its file name; whose project is not certain from the name alone.
    File(&'a FileName),
    /// One release of a project, by its version as written; asked for besides the project, never in its place.
    Release(NameRef<'a>, &'a str),
}
