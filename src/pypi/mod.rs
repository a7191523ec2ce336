//! What PyPI's URLs and pages mean: which names they bear, and how a page looks without some of them. Pure: bytes in, bytes out.
//!
//! This room doesn't know the policy. Each name on a page goes to the [`Judge`] that the caller brings.

mod borne;
pub mod feed;
pub mod filter;
pub(crate) mod html;
pub mod json;
pub mod legacy;
mod link;
pub mod listing;
mod meta;
pub mod mirrors;
pub mod negotiate;
pub mod page;
pub mod pruned;
pub(crate) mod refresh;
pub(crate) mod render;
pub mod resource;
pub mod root;
pub mod site;
pub mod stats;
#[cfg(test)]
mod testing;
pub mod upload;
mod xml;
pub mod xmlrpc;

use crate::name::Subject;

/// Who says what must not be seen. Implemented over the policy by the proxy, by `filter` and by the tests.
pub trait Judge {
    /// Whether the entry that bears this name must go. Asked once a name; may count.
    fn hides(&mut self, subject: Subject<'_>) -> bool;
}

/// Why a page can't be trusted. The proxy answers 502 with [`Malformed::reason`], never the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not the JSON, HTML or XML that it claims to be.
    #[error("at byte {at}: {what}")]
    Syntax {
        /// Where in the decoded page.
        at: usize,
        /// What was found, or what is missing.
        what: &'static str,
    },
    /// Well-formed, but not a page of this kind.
    #[error("not such a page: {0}")]
    Shape(&'static str),
    /// The page ended before it was complete.
    #[error("the page ends in the middle")]
    Truncated,
    /// Larger, or deeper, than any real page.
    #[error("over the limit: {0}")]
    Limit(&'static str),
}

impl Malformed {
    /// The stable, machine-readable reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "page-syntax",
            Self::Shape(_) => "page-shape",
            Self::Truncated => "page-truncated",
            Self::Limit(_) => "page-limit",
        }
    }
}
