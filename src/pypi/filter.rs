//! The one way in for a whole page: what the proxy, `filter` on the command line, the benches and the fuzz targets call.
//!
//! (A root list in JSON can also be filtered while it streams: [`super::root`].)

use std::borrow::Cow;

use url::Url;

use super::negotiate::{Representation, expect};
use super::page::Page;
use super::pruned::Pruned;
use super::root::RootFilter;
use super::{Judge, Malformed, feed, html, legacy, listing, stats};
use crate::name::ProjectName;

pub use super::site::Sites;

/// Which kind of page it is, and whose.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// The list of all projects.
    Root,
    /// The page of a project; `None` if nobody says of which.
    Project(Option<&'a ProjectName>),
    /// The legacy JSON of a project, or of one of its releases; `None` if nobody says of which.
    Legacy(Option<&'a ProjectName>),
    /// A feed, a sitemap or a list of sitemaps.
    Feed,
    /// The largest projects, in JSON or for people.
    Stats(&'a Sites),
    /// A page for people that lists projects, with links to these sites.
    Listing(&'a Sites),
}

/// A page as upstream sent it, and how the client wants it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// What was asked for.
    pub kind: Kind<'a>,
    /// The response's `Content-Type`: it alone decides how the body is read.
    pub content_type: Option<&'a str>,
    /// The whole body, content codings undone.
    pub body: &'a [u8],
    /// Where it was found in the end: what relative links are relative to.
    pub url: Option<&'a Url>,
    /// What the client is to be given. HTML is never made JSON: it holds too little.
    pub wanted: Representation,
}

/// What the client may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filtered<'a> {
    /// Borrowed if it is the received body, byte for byte.
    pub body: Cow<'a, [u8]>,
    /// Its `Content-Type`.
    pub content_type: &'a str,
    /// How many entries went.
    pub removed: u64,
    /// Whether the answer must be a 404 instead.
    pub emptied: bool,
}

impl Filtered<'_> {
    /// Whether the body is the received one, byte for byte.
    #[must_use]
    pub const fn is_unchanged(&self) -> bool {
        matches!(self.body, Cow::Borrowed(_))
    }
}

/// Parses, judges and renders a page.
///
/// # Errors
/// [`Malformed`] if the page can't be trusted; nothing of it may be shown then.
pub fn filter_page<'a>(page: &Received<'a>, judge: &mut dyn Judge) -> Result<Filtered<'a>, Malformed> {
    match page.kind {
        Kind::Legacy(project) => filter_legacy(page, project, judge),
        Kind::Root => filter_root(page, Representation::of_response(page.content_type)?, judge),
        Kind::Project(project) => filter_project(page, project, Representation::of_response(page.content_type)?, judge),
        Kind::Feed => Ok(pruned(expect(page.content_type, &XML)?, feed::prune(page.body, judge)?)),
        Kind::Stats(sites) => match expect(page.content_type, &["application/json"]) {
            Ok(content_type) => Ok(pruned(content_type, stats::prune(page.body, judge)?)),
            Err(_for_people) => filter_listing(page, sites, judge),
        },
        Kind::Listing(sites) => filter_listing(page, sites, judge),
    }
}

/// What feeds and sitemaps come as.
const XML: [&str; 4] = ["text/xml", "application/xml", "application/rss+xml", "application/atom+xml"];

/// A document that keeps its type.
fn pruned<'a>(content_type: &'a str, pruned: Pruned<'a>) -> Filtered<'a> {
    let Pruned { body, removed, emptied } = pruned;
    Filtered { body, content_type, removed, emptied }
}

/// A page for people passes whole, or a list of what may be seen stands in its place.
fn filter_listing<'a>(page: &Received<'a>, sites: &Sites, judge: &mut dyn Judge) -> Result<Filtered<'a>, Malformed> {
    let content_type = expect(page.content_type, &["text/html"])?;
    let url = page.url.ok_or(Malformed::Shape("nobody says where it was found"))?;
    let listing = listing::read(page.body, url, sites, judge)?;
    let removed = listing.removed;
    let (body, content_type) = match removed {
        0 => (Cow::Borrowed(page.body), content_type),
        _ => (Cow::Owned(listing.render()), "text/html; charset=UTF-8"),
    };
    Ok(Filtered { body, content_type, removed, emptied: false })
}

fn filter_legacy<'a>(
    page: &Received<'a>,
    project: Option<&ProjectName>,
    judge: &mut dyn Judge,
) -> Result<Filtered<'a>, Malformed> {
    let content_type = expect(page.content_type, &["application/json"])?;
    Ok(pruned(content_type, legacy::prune(page.body, project, judge)?))
}

fn filter_root<'a>(
    page: &Received<'a>,
    received: Representation,
    judge: &mut dyn Judge,
) -> Result<Filtered<'a>, Malformed> {
    let written = written(received, page.wanted);
    let (body, removed) = if received.is_html() {
        html::filter_root(page.body, page.url, judge)?
    } else {
        let mut filter = RootFilter::new(written);
        let mut body = Vec::with_capacity(page.body.len());
        filter.push(page.body, judge, &mut body)?;
        filter.finish(judge, &mut body)?;
        (body, filter.removed())
    };
    let unchanged = !written.is_html() && removed == 0;
    let body = if unchanged { Cow::Borrowed(page.body) } else { Cow::Owned(body) };
    Ok(Filtered { body, content_type: written.content_type(), removed, emptied: false })
}

fn filter_project<'a>(
    page: &Received<'a>,
    project: Option<&ProjectName>,
    received: Representation,
    judge: &mut dyn Judge,
) -> Result<Filtered<'a>, Malformed> {
    let mut model = if received.is_html() {
        Page::from_html(page.body, project, page.url)?
    } else {
        Page::from_json(page.body, project)?
    };
    model.filter(judge);
    let written = written(received, page.wanted);
    let json = if written.is_html() { None } else { model.to_json() };
    let body = json.unwrap_or_else(|| Cow::Owned(model.to_html()));
    Ok(Filtered { body, content_type: written.content_type(), removed: model.removed(), emptied: model.is_emptied() })
}

/// What is written, given what was received and what is wanted.
const fn written(received: Representation, wanted: Representation) -> Representation {
    match (received, wanted) {
        (Representation::Html | Representation::TextHtml, Representation::Json) => Representation::TextHtml,
        _ => wanted,
    }
}

#[cfg(test)]
mod tests;
