//! Reads a simple page in HTML with the tokenizer of the specification, from hosts that have nothing else.
//!
//! Clients' parsers differ (pip, poetry and pdm use Python's `html.parser`, uv the `tl` crate), so nothing of the source
//! goes on: what is understood here is written anew ([`super::render`]), and what some parser might read in two ways
//! is refused.

use std::convert::Infallible;

use html5gum::Tokenizer;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use url::Url;

use super::meta::Meta;
use super::negotiate::is_utf8;
use super::{Judge, Malformed, link, render};
use crate::name::{NameBuffer, NameRef, Subject};

/// The most HTML that is read: the tokenizer pulls, so a page must be there as a whole. PyPI's root list has 50 MB.
const MAX_PAGE: usize = 64 << 20;

/// What an anchor on a project page may say beside `href` (the specification's, and two more that uv reads).
const ATTRIBUTES: &[&str] = &[
    "data-requires-python",
    "data-yanked",
    "data-dist-info-metadata",
    "data-core-metadata",
    "data-gpg-sig",
    "data-provenance",
    "data-size",
    "data-upload-time",
];

/// What was understood of a page.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) meta: Meta,
    /// In the order of the page.
    pub(super) anchors: Vec<Anchor>,
}

/// A link to http(s), or to a place relative to the page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Decoded; made absolute if the page has a `<base>`.
    pub(super) href: String,
    /// Those of [`ATTRIBUTES`] that it has, in that order, decoded.
    pub(super) attributes: Vec<(&'static str, String)>,
    /// Everything between its tags.
    pub(super) text: String,
}

/// Reads a page that was found at `url`.
pub(super) fn read(bytes: &[u8], url: Option<&Url>) -> Result<Document, Malformed> {
    let text = decode(bytes)?;
    let mut collector = Collector::default();
    let mut emitter =
        CallbackEmitter::new(|event: CallbackEvent<'_>, span: html5gum::Span<usize>| -> Option<Infallible> {
            collector.take(&event, span.start);
            None
        });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(text, emitter).finish();
    collector.finish(url)
}

/// A root list in HTML, written anew without what is hidden; and how much that was.
pub(super) fn filter_root(bytes: &[u8], url: Option<&Url>, judge: &mut dyn Judge) -> Result<(Vec<u8>, u64), Malformed> {
    let document = read(bytes, url)?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut removed = 0;
    render::root_head(&document.meta, &mut out);
    let (mut folded, mut shown) = (NameBuffer::default(), NameBuffer::default());
    for anchor in &document.anchors {
        let segment = link::last_segment(&anchor.href).unwrap_or_default();
        match NameRef::fold(&segment, &mut folded) {
            Ok(name) if !judge.hides(Subject::Project(name)) => {
                // Some servers shorten the text: what is no other way to write the same name isn't shown.
                let text = anchor.text.trim().trim_end_matches('/');
                let same = NameRef::fold(text.as_bytes(), &mut shown) == Ok(name);
                render::root_anchor(&anchor.href, if same { text } else { name.as_str() }, &mut out);
            }
            _ => removed += 1,
        }
    }
    render::root_tail(&mut out);
    Ok((out, removed))
}

/// UTF-8, with or without a mark: pip goes by the charset of the header, uv by the bytes, so there must be one answer.
fn decode(bytes: &[u8]) -> Result<&str, Malformed> {
    if bytes.len() > MAX_PAGE {
        return Err(Malformed::Limit("HTML is longer than 64 MiB"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Malformed::Syntax { at: error.valid_up_to(), what: "HTML is not UTF-8" })?;
    // UTF-16 of plain ASCII without a mark is valid UTF-8, with a NUL for every other byte.
    match memchr::memchr(0, bytes) {
        Some(at) => Err(Malformed::Syntax { at, what: "a NUL stands in HTML" }),
        None => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
    }
}

/// The elements that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Element {
    Anchor,
    Base,
    Meta,
    Template,
    #[default]
    Other,
}

impl Element {
    fn of(name: &[u8]) -> Self {
        match name {
            b"a" => Self::Anchor,
            b"base" => Self::Base,
            b"meta" => Self::Meta,
            b"template" => Self::Template,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, Default)]
struct Collector {
    /// The start tag that is being read, and its attributes so far.
    element: Element,
    attributes: Vec<(String, String)>,
    document: Document,
    /// Whether the last anchor still takes text.
    open: bool,
    /// How many `<template>`s are open: their content is not part of the page.
    templates: usize,
    base: Option<String>,
    fault: Option<Malformed>,
}

impl Collector {
    fn take(&mut self, event: &CallbackEvent<'_>, at: usize) {
        match *event {
            CallbackEvent::OpenStartTag { name } => {
                self.element = Element::of(name);
                self.attributes.clear();
            }
            // Attributes of end tags and of other elements are reported as well.
            CallbackEvent::AttributeName { .. } | CallbackEvent::AttributeValue { .. }
                if self.element == Element::Other => {}
            CallbackEvent::AttributeName { name } => self.begin_attribute(&String::from_utf8_lossy(name), at),
            CallbackEvent::AttributeValue { value } => {
                if let Some((_, last)) = self.attributes.last_mut() {
                    last.push_str(&String::from_utf8_lossy(value));
                }
            }
            CallbackEvent::CloseStartTag { .. } => self.close_start_tag(),
            CallbackEvent::EndTag { name } => match Element::of(name) {
                Element::Anchor => self.open = false,
                Element::Template => self.templates = self.templates.saturating_sub(1),
                _ => {}
            },
            CallbackEvent::String { value } if self.open => {
                if let Some(anchor) = self.document.anchors.last_mut() {
                    anchor.text.push_str(&String::from_utf8_lossy(value));
                }
            }
            _ => {}
        }
    }

    /// Of an attribute that stands twice the specification takes the first, Python's `dict(attrs)` the last.
    fn begin_attribute(&mut self, name: &str, at: usize) {
        if self.attributes.iter().any(|(other, _)| other == name) {
            self.fail(Malformed::Syntax { at, what: "an attribute stands twice" });
        }
        self.attributes.push((name.to_owned(), String::new()));
    }

    fn close_start_tag(&mut self) {
        match std::mem::take(&mut self.element) {
            Element::Template => self.templates += 1,
            _ if self.templates > 0 => {}
            Element::Anchor => self.add_anchor(),
            Element::Base if self.base.is_none() => self.base = self.attribute("href").map(str::to_owned),
            Element::Meta => {
                if let Err(fault) = self.read_meta() {
                    self.fail(fault);
                }
            }
            _ => {}
        }
    }

    fn add_anchor(&mut self) {
        self.open = false;
        let Some(href) = self.attribute("href") else { return };
        let href = href.trim_matches(|c: char| c.is_ascii_whitespace()).to_owned();
        let attribute = |name: &&'static str| Some((*name, self.attribute(name)?.to_owned()));
        let attributes = ATTRIBUTES.iter().filter_map(attribute).collect();
        self.document.anchors.push(Anchor { href, attributes, text: String::new() });
        self.open = true;
    }

    fn read_meta(&mut self) -> Result<(), Malformed> {
        let content = self.attribute("content").unwrap_or_default().trim().to_owned();
        if self.attribute("charset").is_some_and(|charset| !is_utf8(charset)) {
            return Err(Malformed::Shape("its charset is not UTF-8"));
        }
        if self.attribute("http-equiv").is_some_and(|header| header.trim().eq_ignore_ascii_case("content-type")) {
            let charset = content.to_ascii_lowercase();
            if charset
                .split_once("charset=")
                .is_some_and(|(_, label)| !is_utf8(label.split(';').next().unwrap_or(label)))
            {
                return Err(Malformed::Shape("its charset is not UTF-8"));
            }
        }
        let name = self.attribute("name").unwrap_or_default().trim().to_ascii_lowercase();
        let meta = &mut self.document.meta;
        match name.as_str() {
            "pypi:repository-version" => meta.set_version(&content)?,
            "pypi:project-status" => meta.status = Some(content),
            "pypi:project-status-reason" => meta.status_reason = Some(content),
            _ => {}
        }
        Ok(())
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn fail(&mut self, fault: Malformed) {
        self.fault.get_or_insert(fault);
    }

    fn finish(self, url: Option<&Url>) -> Result<Document, Malformed> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut document = self.document;
        let base = self.base.map(|href| resolve_base(&href, url)).transpose()?;
        document.anchors.retain_mut(|anchor| match resolve(&anchor.href, base.as_ref()) {
            Some(href) => {
                anchor.href = href;
                true
            }
            None => false,
        });
        Ok(document)
    }
}

/// `<base href>` is resolved here and not written again: pip, uv and poetry disagree on which one counts.
fn resolve_base(href: &str, page: Option<&Url>) -> Result<Url, Malformed> {
    let base = match page {
        Some(page) => page.join(href),
        None => Url::parse(href),
    };
    base.ok().filter(is_web).ok_or(Malformed::Shape("its <base> leads to no http(s) URL"))
}

/// The link as it is written to the client; `None` if it leads elsewhere than to http(s).
fn resolve(href: &str, base: Option<&Url>) -> Option<String> {
    match (Url::parse(href), base) {
        (Ok(absolute), _) => is_web(&absolute).then(|| absolute.into()),
        (Err(url::ParseError::RelativeUrlWithoutBase), None) => Some(href.to_owned()),
        (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) => {
            base.join(href).ok().filter(is_web).map(Into::into)
        }
        (Err(_), _) => None,
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests;
