//! Prunes lists of links in XML: feeds (RSS 2.0), sitemaps and their indexes.
//!
//! All three are alike: entries at one place below the root, each with a link. An entry goes if one of the names that it
//! bears is hidden, and if its link can't be read.

mod names;

use std::borrow::Cow;
use std::ops::Range;

use super::pruned::Pruned;
use super::xml::{Node, ReadError, Reader, Tag};
use super::{Judge, Malformed};
use names::Names;

/// Where a kind of document has its entries.
struct Layout {
    /// The elements around an entry, the root first.
    path: &'static [&'static str],
    /// What an entry is called.
    entry: &'static str,
    /// What a lenient reader might take for an entry as well.
    like: &'static str,
}

/// RSS 2.0 (<https://www.rssboard.org/rss-specification>) and <https://www.sitemaps.org/protocol.html>.
const LAYOUTS: [Layout; 3] = [
    Layout { path: &["rss", "channel"], entry: "item", like: "entry" },
    Layout { path: &["urlset"], entry: "url", like: "sitemap" },
    Layout { path: &["sitemapindex"], entry: "sitemap", like: "url" },
];

/// Removes the entries of a feed or a sitemap that bear a hidden name.
///
/// # Errors
/// [`Malformed`] if it is neither of them.
pub fn prune<'a>(bytes: &'a [u8], judge: &mut dyn Judge) -> Result<Pruned<'a>, Malformed> {
    let gone = hidden_entries(bytes, judge)?;
    let removed = gone.len() as u64;
    if gone.is_empty() {
        return Ok(Pruned { body: Cow::Borrowed(bytes), removed, emptied: false });
    }
    // What is kept keeps its bytes, white space and attributes. It is cut along the borders of whole elements, which a
    // strict reader has found in a document that is well-formed all through; so what is left is well-formed too, and no
    // client can see another border. (A comment in front of an entry that goes, goes with it.)
    let mut body = Vec::with_capacity(bytes.len());
    let mut kept_from = 0;
    for range in gone {
        body.extend_from_slice(bytes.get(kept_from..range.start).unwrap_or_default().trim_ascii_end());
        kept_from = range.end;
    }
    body.extend_from_slice(bytes.get(kept_from..).unwrap_or_default());
    Ok(Pruned { body: Cow::Owned(body), removed, emptied: false })
}

/// Where the entries stand that must go.
fn hidden_entries(bytes: &[u8], judge: &mut dyn Judge) -> Result<Vec<Range<usize>>, Malformed> {
    let mut gone = Vec::new();
    let mut reader = Reader::new(bytes);
    let mut outside = Outside::default();
    let mut entry: Option<(usize, Entry)> = None;
    loop {
        let start = reader.position();
        match (reader.next().map_err(ReadError::of_slice)?, &mut entry) {
            (Node::Start(tag), open) => match (outside.begins_entry(&tag)?, open) {
                (false, None) => outside.open(&tag)?,
                (false, Some((_, entry))) => entry.open(&tag),
                (true, None) => entry = Some((start, Entry::of(&tag))),
                (true, Some(_)) => return Err(Malformed::Shape("an entry in an entry")),
            },
            (Node::Text(text), Some((_, entry))) => entry.text(&text),
            (Node::Text(_), None) => {}
            (Node::End, None) => outside.close(),
            (Node::End, Some((start, closing))) => {
                if closing.close() {
                    if closing.names.is_hidden(judge) {
                        gone.push(*start..reader.position());
                    }
                    entry = None;
                }
            }
            (Node::Eof, _) => return Ok(gone),
        }
    }
}

/// The elements that are open around the entries.
#[derive(Default)]
struct Outside {
    layout: Option<&'static Layout>,
    open: Vec<String>,
}

impl Outside {
    fn open(&mut self, tag: &Tag<'_>) -> Result<(), Malformed> {
        let name = local(tag.name);
        if self.layout.is_none() {
            let layout = LAYOUTS.iter().find(|layout| layout.path.first().is_some_and(|root| *root == name));
            self.layout = Some(layout.ok_or(Malformed::Shape("neither RSS nor a sitemap"))?);
        }
        self.open.push(name);
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
    }

    /// Whether an entry begins. It does so in its place only: readers differ on where they look for entries.
    fn begins_entry(&self, tag: &Tag<'_>) -> Result<bool, Malformed> {
        let name = local(tag.name);
        match self.layout {
            Some(layout) if name == layout.entry && self.open == layout.path => Ok(true),
            Some(layout) if name == layout.entry || name == layout.like => {
                Err(Malformed::Shape("an entry out of place"))
            }
            _ => Ok(false),
        }
    }
}

/// An element's name as the most lenient reader takes it: without prefix, in lower case.
fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase()
}

/// An entry that is being read.
struct Entry {
    /// Name and text of each element that is open; the entry's own first.
    open: Vec<(String, String)>,
    names: Names,
}

impl Entry {
    fn of(tag: &Tag<'_>) -> Self {
        let mut entry = Self { open: Vec::new(), names: Names::default() };
        entry.open(tag);
        entry
    }

    fn open(&mut self, tag: &Tag<'_>) {
        for (_, value) in tag.attributes.iter().filter(|(key, _)| !key.starts_with("xmlns")) {
            self.names.of_other(value.trim());
        }
        self.open.push((local(tag.name), String::new()));
    }

    fn text(&mut self, piece: &str) {
        if let Some((_, text)) = self.open.last_mut() {
            text.push_str(piece);
        }
    }

    /// The innermost element ends: what it says of names is known now. Answers whether it was the entry itself.
    fn close(&mut self) -> bool {
        if let Some((element, text)) = self.open.pop() {
            let text = text.trim();
            match element.as_str() {
                "title" => self.names.of_title(text),
                // Free text, by whoever made the release: it may speak of other projects.
                "description" => {}
                "link" | "loc" if !text.is_empty() => self.names.of_link(text),
                "guid" => self.names.of_guid(text),
                _ => self.names.of_other(text),
            }
        }
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests;
