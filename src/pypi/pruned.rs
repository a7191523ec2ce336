//! What is left of a document when what must not be seen has gone.

use std::borrow::Cow;

/// A document without what must not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned<'a> {
    /// The source itself if nothing went.
    pub body: Cow<'a, [u8]>,
    /// How many entries went.
    pub removed: u64,
    /// Whether the answer must be a 404: nothing may be shown of the document.
    pub emptied: bool,
}
