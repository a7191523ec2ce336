//! The model of a project page: one project, its files, and all that is said of them.
//!
//! Read from JSON or HTML; filtered; written as either (HTML stays HTML: it holds less than JSON must say). What isn't
//! looked at keeps its bytes, and a JSON page from which nothing goes is its own source, byte for byte.

mod entry;
mod versions;

use std::borrow::Cow;

use url::Url;

use super::html;
use super::json::{self, Layout, Member, Reader, Value, find};
use super::link::Room;
use super::meta::{Meta, text};
use super::{Judge, Malformed, render};
use crate::name::{ProjectName, Subject};

pub use entry::{Entry, Field};

/// A project page.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// `None` for a page in HTML of which nobody said whose it is.
    name: Option<ProjectName>,
    meta: Meta,
    source: Source<'a>,
    entries: Vec<Entry<'a>>,
    /// What was removed: its versions must not be listed any more.
    removed: Vec<Entry<'a>>,
    hidden: bool,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Json { bytes: &'a [u8], members: Vec<Member<'a>> },
    Html { bytes: &'a [u8] },
}

impl<'a> Page<'a> {
    /// Reads a page in JSON (PEP 691).
    ///
    /// # Errors
    /// [`Malformed`] if it isn't a JSON page, or that of another project than `expected`.
    pub fn from_json(bytes: &'a [u8], expected: Option<&ProjectName>) -> Result<Self, Malformed> {
        let (members, entries) = read_json(bytes)?;
        let name = text(required(&members, "name")?, "`name` is not a string")?;
        let mut meta = find(&members, "meta").map(Meta::from_json).transpose()?.unwrap_or_default();
        if let Some(status) = find(&members, "project-status") {
            meta.set_status(status)?;
        }
        required(&members, "files")?;
        if let Some(versions) = find(&members, "versions") {
            versions::check(versions)?;
        }
        let name = ProjectName::parse(name).map_err(|_invalid| Malformed::Shape("`name` is no project's name"))?;
        if expected.is_some_and(|expected| name != *expected) {
            return Err(Malformed::Shape("it is another project's page"));
        }
        let source = Source::Json { bytes, members };
        let name = Some(name);
        Ok(Self { name, meta, source, entries, removed: Vec::new(), hidden: false })
    }

    /// Reads a page in HTML (PEP 503), found at `url`.
    ///
    /// # Errors
    /// [`Malformed`] if it can't be understood without doubt.
    pub fn from_html(bytes: &'a [u8], expected: Option<&ProjectName>, url: Option<&Url>) -> Result<Self, Malformed> {
        let document = html::read(bytes, url)?;
        let entries = document.anchors.into_iter().map(Entry::from_html).collect();
        let (name, meta) = (expected.cloned(), document.meta);
        Ok(Self { name, meta, source: Source::Html { bytes }, entries, removed: Vec::new(), hidden: false })
    }

    /// The files that are listed.
    #[must_use]
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// Removes every entry of which any name is hidden, or is no name: that of the page, its `filename`, the last
    /// segment of its `url`, an `#egg=`, and where its provenance is (clients differ in which they read).
    pub fn filter(&mut self, judge: &mut dyn Judge) {
        if self.name.as_ref().is_some_and(|name| judge.hides(Subject::Project(name.as_name()))) {
            self.hidden = true;
            self.removed.append(&mut self.entries);
            return;
        }
        let mut room = Room::default();
        self.removed.extend(self.entries.extract_if(.., |entry| entry.is_hidden(judge, &mut room)));
    }

    /// How many entries were removed.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.removed.len() as u64
    }

    /// Whether the page must not be seen at all: its project is hidden, or nothing is left of what it listed. The
    /// answer is a 404 then: at an empty page uv would stop looking.
    #[must_use]
    pub fn is_emptied(&self) -> bool {
        self.hidden || (self.entries.is_empty() && !self.removed.is_empty())
    }

    /// The page in JSON, if it came in JSON: its source if nothing goes, else its top-level members in their order,
    /// with the bytes of each entry that is kept.
    #[must_use]
    pub fn to_json(&self) -> Option<Cow<'a, [u8]>> {
        let Source::Json { bytes, members } = &self.source else { return None };
        let untouched = self.removed.is_empty() && !members.iter().any(holds_other_repositories);
        Some(if untouched { Cow::Borrowed(*bytes) } else { Cow::Owned(self.render_json(members)) })
    }

    /// The page in HTML, as PyPI's own looks.
    #[must_use]
    pub fn to_html(&self) -> Vec<u8> {
        let source = match self.source {
            Source::Json { bytes, .. } | Source::Html { bytes } => bytes,
        };
        // Hardly ever longer than what was read.
        let mut out = Vec::with_capacity(512 + source.len());
        render::page_head(&self.meta, self.name.as_ref().map_or("this project", ProjectName::as_str), &mut out);
        let mut layout = Layout::default();
        for entry in &self.entries {
            entry.write_anchor(&mut layout, &mut out);
        }
        render::page_tail(&self.meta, &mut out);
        out
    }

    fn render_json(&self, members: &[Member<'a>]) -> Vec<u8> {
        json::write_object(members.iter().filter(|member| !member.key.is("alternate-locations")), |member, out| {
            if member.key.is("files") {
                out.reserve(member.value.bytes().len());
                json::write_array(self.entries.iter().filter_map(Entry::json), out);
            } else if member.key.is("versions") && !self.removed.is_empty() {
                let versions = versions::remaining(member.value, self.name.as_ref(), &self.entries, &self.removed);
                json::write_array(versions.into_iter(), out);
            } else if member.key.is("meta") {
                write_meta(member.value, out);
            } else {
                out.extend_from_slice(member.value.bytes());
            }
        })
    }
}

/// All members of the page, and what `files` has in it, in one pass.
fn read_json(bytes: &[u8]) -> Result<(Vec<Member<'_>>, Vec<Entry<'_>>), Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.peek()? != b'{' {
        json::document(bytes)?;
        return Err(Malformed::Shape("a project page is an object"));
    }
    let (mut members, mut entries) = (Vec::new(), Vec::new());
    reader.object_with(|reader, key| {
        let value =
            if key.is("files") { reader.nested(|reader| read_files(reader, &mut entries))? } else { reader.value()? };
        members.push(Member { key, value });
        Ok(())
    })?;
    reader.end()?;
    Ok((members, entries))
}

fn read_files<'a>(reader: &mut Reader<'a>, entries: &mut Vec<Entry<'a>>) -> Result<(), Malformed> {
    if reader.peek()? != b'[' {
        return Err(Malformed::Shape("`files` is not an array"));
    }
    let mut layout = Layout::default();
    reader.array_with(|reader| {
        entries.push(Entry::read(reader, &mut layout)?);
        Ok(())
    })
}

fn required<'a>(members: &[Member<'a>], key: &str) -> Result<Value<'a>, Malformed> {
    find(members, key).ok_or(Malformed::Shape("a project page has `name` and `files`"))
}

/// Whether a member points at other repositories (PEP 708, rejected). No client acts on it, and none shall: what is
/// protected here could be listed there.
fn holds_other_repositories(member: &Member<'_>) -> bool {
    // PyPI writes an empty list on each page: that names nobody.
    let names_some = |list: Value<'_>| !list.elements().is_ok_and(|list| list.is_some_and(|list| list.is_empty()));
    (member.key.is("alternate-locations") && names_some(member.value))
        || (member.key.is("meta") && member.value.get("tracks").is_some())
}

fn write_meta(meta: Value<'_>, out: &mut Vec<u8>) {
    let members = meta.members().ok().flatten().unwrap_or_default();
    let kept = members.iter().filter(|member| !member.key.is("tracks"));
    out.append(&mut json::write_object(kept, |member, out| out.extend_from_slice(member.value.bytes())));
}

#[cfg(test)]
mod tests;
