//! Moves the spans of parsed TOML, so that files that are laid end to end have no offset in common.

use std::mem;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// `root` with every span `by` bytes further on.
pub(super) fn table(root: Spanned<DeTable<'_>>, by: usize) -> Spanned<DeTable<'_>> {
    if by == 0 {
        return root;
    }
    let span = root.span();
    Spanned::new(span.start + by..span.end + by, entries(root.into_inner(), by))
}

fn entries(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    table.into_iter().map(|(key, value)| (moved(key, by), shifted(value, by))).collect()
}

fn shifted(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let mut value = moved(value, by);
    match value.get_mut() {
        DeValue::Table(table) => *table = entries(mem::take(table), by),
        DeValue::Array(list) => {
            // In place, for a list also knows whether it is one of `[[tables]]`.
            for entry in list.iter_mut() {
                let inner = mem::replace(entry, Spanned::new(0..0, DeValue::Boolean(false)));
                *entry = shifted(inner, by);
            }
        }
        _ => {}
    }
    value
}

fn moved<T>(value: Spanned<T>, by: usize) -> Spanned<T> {
    let span = value.span();
    Spanned::new(span.start + by..span.end + by, value.into_inner())
}
