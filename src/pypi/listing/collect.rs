//! Gathers everything on a page that may lead somewhere or be a project's name.

use std::borrow::Cow;

use super::references;
use crate::pypi::Malformed;
use crate::pypi::html::tags::{self, Attribute, Content, Piece};

/// How often text may turn out to be markup again. Scripts and comments do so once, by rights.
const MAX_NESTING: usize = 8;

/// How many `<base>`s a page may have: each link is resolved against all of them. By rights it is one.
const MAX_BASES: usize = 4;

/// What stands on a page.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Links and texts in the order of the page.
    pub(super) found: Vec<Found>,
    /// The `href`s of all `<base>`s.
    pub(super) bases: Vec<String>,
    fault: Option<Malformed>,
}

/// What is to be judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A URL, relative or not.
    Reference {
        written: String,
        /// Whether a person can click on it.
        is_link: bool,
    },
    /// All that an element says which may be a project's name.
    Text {
        text: String,
        /// Whether it is a row's heading, as in the table of the largest projects, which has no links.
        is_entry: bool,
    },
}

impl Collected {
    /// Reads a page. Text and comments that hold what looks like markup are read once more as markup: some parser may
    /// see them so, and scripts write them so.
    pub(super) fn of(html: &str) -> Result<Self, Malformed> {
        let mut page = Self::default();
        // Quotes that don't match hide a link from one parser and not from the next.
        references::in_text(html, |written| page.add_reference(written, false));
        let mut layers = vec![(Cow::Borrowed(html), 0)];
        while let Some((html, depth)) = layers.pop() {
            if depth > MAX_NESTING {
                return Err(Malformed::Limit("text is markup again, time after time"));
            }
            let content = if depth == 0 { Content::AsText } else { Content::AsMarkup };
            let mut reader =
                Reader { page: &mut page, depth, open: Open::default(), text: String::new(), more: vec![] };
            tags::read(&html, content, |piece| reader.take(&piece));
            reader.end_text(false);
            let more = reader.more;
            layers.extend(more.into_iter().map(|text| (Cow::Owned(text), depth + 1)));
        }
        match page.fault {
            Some(fault) => Err(fault),
            None if page.bases.len() > MAX_BASES => Err(Malformed::Limit("a page has more than 4 <base>s")),
            None => Ok(page),
        }
    }
}

/// Reads one layer.
struct Reader<'a> {
    page: &'a mut Collected,
    /// 0 for the page itself.
    depth: usize,
    open: Open,
    /// What the innermost element of those in [`Open`] has said so far.
    text: String,
    /// What must be read once more.
    more: Vec<String>,
}

impl Reader<'_> {
    fn take(&mut self, piece: &Piece<'_>) {
        match *piece {
            Piece::Start(name, attributes) => self.start(name, attributes),
            Piece::End(name) => {
                if let Some(element) = Element::of(name) {
                    self.end_text(self.open.row_heading);
                    self.open.end(element);
                }
            }
            Piece::Text(text) => {
                self.look_into(text);
                if self.open.any() {
                    self.text.push_str(text);
                    // Badges and the like stand beside the name.
                    self.add_text(text, false);
                }
            }
            Piece::Comment(comment) => self.look_into(comment),
            Piece::Unfinished if self.depth == 0 => self.fail(Malformed::Truncated),
            Piece::Unfinished => {}
        }
    }

    fn start(&mut self, name: &[u8], attributes: &[Attribute]) {
        match name {
            b"meta" => {
                if let Err(fault) = tags::check_charset(attributes) {
                    self.fail(fault);
                }
            }
            b"base" => {
                let hrefs = attributes.iter().filter(|attribute| attribute.name == "href");
                self.page.bases.extend(hrefs.map(|href| href.value.clone()));
            }
            _ => {}
        }
        if let Some(element) = Element::of(name) {
            self.end_text(self.open.row_heading);
            self.open.start(element, attributes);
        }
        let is_link = self.depth == 0 && matches!(name, b"a" | b"area");
        for attribute in attributes {
            let is_link = is_link && attribute.name == "href";
            references::in_attribute(attribute, |written| self.page.add_reference(written, is_link));
            self.look_for_markup(&attribute.value);
        }
    }

    /// Text that isn't known to be harmless.
    fn look_into(&mut self, text: &str) {
        references::in_text(text, |written| self.page.add_reference(written, false));
        self.look_for_markup(text);
    }

    fn look_for_markup(&mut self, text: &str) {
        let begins_markup =
            |after: &str| after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?' | '/'));
        if text.split('<').skip(1).any(begins_markup) {
            // A `>` ends `<?…` and the like, but a tag in it, too.
            let end = if text.rfind('<') > text.rfind('>') { ">" } else { "" };
            self.more.push(format!("{text}{end}"));
        }
    }

    fn end_text(&mut self, is_entry: bool) {
        let text = std::mem::take(&mut self.text);
        self.add_text(&text, is_entry);
    }

    fn add_text(&mut self, text: &str, is_entry: bool) {
        let text = text.trim();
        if !text.is_empty() {
            self.page.found.push(Found::Text { text: text.to_owned(), is_entry });
        }
    }

    fn fail(&mut self, fault: Malformed) {
        self.page.fault.get_or_insert(fault);
    }
}

impl Collected {
    fn add_reference(&mut self, written: &str, is_link: bool) {
        self.found.push(Found::Reference { written: written.to_owned(), is_link });
    }
}

/// The elements in which PyPI's pages name projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Heading,
    /// Only one with the class that search results have, and those in it.
    Span,
    Cell,
    RowHeading,
    Item,
}

impl Element {
    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => Some(Self::Heading),
            b"span" => Some(Self::Span),
            b"td" => Some(Self::Cell),
            b"th" => Some(Self::RowHeading),
            b"li" => Some(Self::Item),
            _ => None,
        }
    }
}

/// How many of each are open. End tags that are left out make it too many, never too few.
#[derive(Debug, Default)]
struct Open {
    headings: usize,
    spans: usize,
    cells: usize,
    row_headings: usize,
    items: usize,
    /// Whether the text that comes next is the heading of a row.
    row_heading: bool,
}

impl Open {
    const fn count(&mut self, element: Element) -> &mut usize {
        match element {
            Element::Heading => &mut self.headings,
            Element::Span => &mut self.spans,
            Element::Cell => &mut self.cells,
            Element::RowHeading => &mut self.row_headings,
            Element::Item => &mut self.items,
        }
    }

    fn start(&mut self, element: Element, attributes: &[Attribute]) {
        let class = || tags::find(attributes, "class").unwrap_or_default();
        if element != Element::Span
            || self.spans > 0
            || class().split_whitespace().any(|c| c == "package-snippet__name")
        {
            *self.count(element) += 1;
        }
        self.row_heading = element == Element::RowHeading && tags::find(attributes, "scope") == Some("row");
    }

    const fn end(&mut self, element: Element) {
        let count = self.count(element);
        *count = count.saturating_sub(1);
        self.row_heading = false;
    }

    const fn any(&self) -> bool {
        self.headings + self.spans + self.cells + self.row_headings + self.items > 0
    }
}
