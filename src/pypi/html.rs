//! Reads a simple page in HTML with the tokenizer of the specification, from hosts that have nothing else.
//!
//! Clients' parsers differ (pip, poetry and pdm use Python's `html.parser`, uv the `tl` crate), so nothing of the source
//! goes on: what is understood here is written anew ([`super::render`]), and what some parser might read in two ways
//! is refused.

pub(super) mod tags;

use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode_str;
use url::{Position, Url};

use self::tags::{Attribute, Content, Piece};
use super::meta::Meta;
use super::{Judge, Malformed, link, render};
use crate::name::{NameBuffer, NameRef, ProjectName, Subject};

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
    let text = tags::decode(bytes)?;
    let mut collector = Collector::default();
    tags::read_finished(text, Content::AsText, |piece| collector.take(&piece));
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

/// The projects to which a root list at `url` links, and how many other links are on it. Of a page that may be something
/// else (a form to sign in, a portal) only what a list would have counts: a link to one segment below the list, with the
/// name as its text.
pub(crate) fn listed(bytes: &[u8], url: &Url) -> Result<(Vec<ProjectName>, u64), Malformed> {
    let document = read(bytes, Some(url))?;
    let mut others = 0;
    let mut names = Vec::new();
    for anchor in &document.anchors {
        match listed_by(anchor, url) {
            Some(name) => names.push(name),
            None => others += 1,
        }
    }
    Ok((names, others))
}

fn listed_by(anchor: &Anchor, list: &Url) -> Option<ProjectName> {
    let target = list.join(&anchor.href).ok().filter(|target| target.origin() == list.origin())?;
    let folder = list.path().trim_end_matches("index.html").trim_end_matches('/');
    let segment = target.path().strip_prefix(folder)?.strip_prefix('/')?;
    let segment: Cow<'_, [u8]> = percent_decode_str(segment.trim_end_matches('/')).into();
    let name = ProjectName::parse(str::from_utf8(&segment).ok()?).ok()?;
    let text = anchor.text.trim().trim_end_matches('/');
    // Listings of folders (nginx, Apache) shorten what is long.
    let shortened = ["..>", "...", "…"].into_iter().find_map(|end| text.strip_suffix(end));
    let same = match shortened {
        Some(begin) => begin.len() > 3 && segment.starts_with(begin.as_bytes()),
        None => ProjectName::parse(text).is_ok_and(|shown| shown == name),
    };
    same.then_some(name)
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
    document: Document,
    /// Whether the last anchor still takes text.
    open: bool,
    /// How many `<template>`s are open: their content is not part of the page.
    templates: usize,
    base: Option<String>,
    fault: Option<Malformed>,
}

impl Collector {
    fn take(&mut self, piece: &Piece<'_>) {
        match *piece {
            Piece::Start(name, attributes) => match Element::of(name) {
                Element::Other => {}
                element => {
                    self.check_attributes(attributes);
                    self.start(element, attributes);
                }
            },
            Piece::End(name) => match Element::of(name) {
                Element::Anchor => self.open = false,
                Element::Template => self.templates = self.templates.saturating_sub(1),
                _ => {}
            },
            Piece::Text(text) if self.open => {
                if let Some(anchor) = self.document.anchors.last_mut() {
                    anchor.text.push_str(text);
                }
            }
            Piece::Text(_) | Piece::Comment(_) | Piece::Unfinished => {}
        }
    }

    /// Of an attribute that stands twice the specification takes the first, Python's `dict(attrs)` the last.
    fn check_attributes(&mut self, mut attributes: &[Attribute]) {
        while let Some((last, others)) = attributes.split_last() {
            if others.iter().any(|other| other.name == last.name) {
                self.fail(Malformed::Syntax { at: last.at, what: "an attribute stands twice" });
            }
            attributes = others;
        }
    }

    fn start(&mut self, element: Element, attributes: &[Attribute]) {
        match element {
            Element::Template => self.templates += 1,
            _ if self.templates > 0 => {}
            Element::Anchor => self.add_anchor(attributes),
            Element::Base if self.base.is_none() => self.base = tags::find(attributes, "href").map(str::to_owned),
            Element::Meta => {
                if let Err(fault) = self.read_meta(attributes) {
                    self.fail(fault);
                }
            }
            Element::Base | Element::Other => {}
        }
    }

    fn add_anchor(&mut self, attributes: &[Attribute]) {
        self.open = false;
        let Some(href) = tags::find(attributes, "href") else { return };
        let href = href.trim_matches(|c: char| c.is_ascii_whitespace()).to_owned();
        let attribute = |name: &&'static str| Some((*name, tags::find(attributes, name)?.to_owned()));
        let attributes = ATTRIBUTES.iter().filter_map(attribute).collect();
        self.document.anchors.push(Anchor { href, attributes, text: String::new() });
        self.open = true;
    }

    fn read_meta(&mut self, attributes: &[Attribute]) -> Result<(), Malformed> {
        tags::check_charset(attributes)?;
        let content = tags::find(attributes, "content").unwrap_or_default().trim().to_owned();
        let name = tags::find(attributes, "name").unwrap_or_default().trim().to_ascii_lowercase();
        let meta = &mut self.document.meta;
        match name.as_str() {
            "pypi:repository-version" => meta.set_version(&content)?,
            "pypi:project-status" => meta.status = Some(content),
            "pypi:project-status-reason" => meta.status_reason = Some(content),
            _ => {}
        }
        Ok(())
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
        let mut links = Links { base, origin: String::new() };
        document.anchors.retain_mut(|anchor| match links.resolve(std::mem::take(&mut anchor.href)) {
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

/// The links of one page.
struct Links {
    base: Option<Url>,
    /// The last scheme and host that stood there as the URL parser writes them, with a slash behind them; or nothing.
    origin: String,
}

impl Links {
    /// The link as it is written to the client; `None` if it leads elsewhere than to http(s).
    fn resolve(&mut self, href: String) -> Option<String> {
        if !self.origin.is_empty() && href.strip_prefix(&self.origin).is_some_and(is_canonical) {
            return Some(href);
        }
        match (Url::parse(&href), &self.base) {
            (Ok(absolute), _) => is_web(&absolute).then(|| {
                if *absolute.as_str() == href {
                    self.origin = format!("{}/", &absolute[..Position::BeforePath]);
                }
                absolute.into()
            }),
            (Err(url::ParseError::RelativeUrlWithoutBase), None) => Some(href),
            (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) => {
                base.join(&href).ok().filter(is_web).map(Into::into)
            }
            (Err(_), _) => None,
        }
    }
}

/// Whether a path below the root, perhaps with a fragment, is surely written as it stands by the URL parser.
fn is_canonical(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+' | b'/' | b'=');
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    let all_plain = |text: &str| text.bytes().fold(true, |all, byte| all & is_plain(byte));
    // `.` and `..` go; other names with a dot in front are left to the parser, too.
    all_plain(path) && all_plain(fragment) && !path.starts_with('.') && memmem::find(path.as_bytes(), b"/.").is_none()
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests;
