//! Compiles `[tunnel]`: where clients may be let out.

use toml::Spanned;

use super::parents::one_or_many;
use super::raw::{OneOrMany, RawTunnel};
use super::snippet::{Mistakes, Wrong};
use super::structure::Document;
use crate::name::Destinations;

/// Where clients may be let out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exits {
    /// Nowhere else; `None` is everywhere.
    pub allow: Option<Destinations>,
    /// Never, whatever else says so.
    pub deny: Destinations,
}

/// What the file says of them.
pub(super) fn exits(document: &Document, mistakes: &mut Mistakes<'_>) -> Exits {
    let RawTunnel { allow, deny } = &document.raw.tunnel;
    if let Some(allow) =
        allow.as_ref().filter(|allow| matches!(allow.get_ref(), OneOrMany::Many(all) if all.is_empty()))
    {
        let help = "list destinations, such as `\"*:443\"`, or leave the key out to let clients out everywhere";
        mistakes.report(&allow.span(), Wrong::new("an empty `allow` lets nobody out", help));
    }
    let mut list = |written: &Spanned<OneOrMany>| one_or_many(written, mistakes);
    Exits { allow: allow.as_ref().map(&mut list), deny: deny.as_ref().map(&mut list).unwrap_or_default() }
}
