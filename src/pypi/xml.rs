//! Reads XML 1.0 strictly, event by event and in bounded memory: whatever two clients could read in two ways is refused.
//!
//! quick-xml finds the borders of the markup and matches the tags; it leaves the rest of well-formedness to its callers.
//! Added here: UTF-8 without a byte-order mark and no other encoding declared, no DOCTYPE (so no entities but the five
//! predefined), no processing instructions, legal names and characters only, each attribute once, one root and nothing
//! after it, limits on depth and length.

mod lexical;

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use quick_xml::errors::Error;
use quick_xml::events::Event;

use super::Malformed;

pub(super) use lexical::{is_character, is_space};

/// How deep elements may nest. A feed has 4 levels, an answer of XML-RPC 12.
pub(super) const MAX_DEPTH: usize = 64;

/// The most that one tag, comment or run of text may take: quick-xml buffers it whole.
pub(super) const MAX_EVENT: usize = 1 << 20;

/// Why reading stopped.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The source of the bytes broke off.
    #[error(transparent)]
    Input(Arc<io::Error>),
    /// The bytes are not to be trusted.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl ReadError {
    /// What it means for a slice of bytes, which breaks off by ending and in no other way.
    pub(super) fn of_slice(self) -> Malformed {
        match self {
            Self::Malformed(malformed) => malformed,
            Self::Input(_) => Malformed::Truncated,
        }
    }
}

/// One thing that a document is made of. Comments and the XML declaration are read, and not told of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// A start tag, or the first half of an empty element's.
    Start(Tag<'a>),
    /// An end tag, or the second half of an empty element's.
    End,
    /// A piece of an element's text, decoded. What belongs together may come in several pieces.
    Text(Cow<'a, str>),
    /// The end, after one complete root element.
    Eof,
}

/// A start tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// As written, prefix and all.
    pub(super) name: &'a str,
    /// Name and decoded value of each attribute.
    pub(super) attributes: Vec<(&'a str, Cow<'a, str>)>,
}

/// Reads nodes one after the other. After an error it can't be used any more.
#[derive(Debug)]
pub(super) struct Reader<R> {
    events: quick_xml::Reader<Bounded<R>>,
    /// The bytes of the current event.
    raw: Vec<u8>,
    place: Place,
    depth: usize,
    /// Whether the declaration says that all is ASCII.
    ascii: bool,
}

/// Where in the document the next node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Prolog,
    Root,
    After,
}

/// What an [`Event`] is, without its bytes.
#[derive(Clone, Copy)]
enum Kind {
    Start,
    End,
    Text,
    Reference,
    CData,
    Comment,
    Declaration,
    Eof,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        let mut events = quick_xml::Reader::from_reader(Bounded::new(input));
        let config = events.config_mut();
        config.enable_all_checks(true);
        config.expand_empty_elements = true;
        Self { events, raw: Vec::new(), place: Place::Start, depth: 0, ascii: false }
    }

    /// How many bytes have been read: the end of the last node, and the beginning of the next.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.events.buffer_position()).unwrap_or(usize::MAX)
    }

    /// Reads the next node.
    pub(super) fn next(&mut self) -> Result<Node<'_>, ReadError> {
        loop {
            let at = self.position();
            let syntax = |what| Malformed::Syntax { at, what };
            let begins = self.place == Place::Start;
            let kind = self.event(at)?;
            if self.ascii && !self.raw.is_ascii() {
                return Err(syntax("declared as ASCII, and isn't").into());
            }
            match kind {
                Kind::Declaration if begins => self.ascii = lexical::declaration(self.raw(at)?).map_err(syntax)?,
                Kind::Declaration => return Err(syntax("an XML declaration stands only at the beginning").into()),
                Kind::Comment => lexical::characters(self.raw(at)?).map_err(syntax)?,
                Kind::Text if self.place != Place::Root => {
                    if !is_space(self.raw(at)?) {
                        return Err(syntax("text outside of the root element").into());
                    }
                }
                _ => return self.node(kind, at),
            }
        }
    }

    /// Pulls the next event, and leaves its bytes in `raw`.
    fn event(&mut self, at: usize) -> Result<Kind, ReadError> {
        self.raw.clear();
        self.events.get_mut().left = MAX_EVENT;
        let kind = match self.events.read_event_into(&mut self.raw) {
            Ok(Event::Start(_) | Event::Empty(_)) => Kind::Start,
            Ok(Event::End(_)) => Kind::End,
            Ok(Event::Text(_)) => Kind::Text,
            Ok(Event::GeneralRef(_)) => Kind::Reference,
            Ok(Event::CData(_)) => Kind::CData,
            Ok(Event::Comment(_)) => Kind::Comment,
            Ok(Event::Decl(_)) => Kind::Declaration,
            Ok(Event::Eof) => Kind::Eof,
            Ok(Event::DocType(_)) => return Err(Malformed::Syntax { at, what: "a DOCTYPE" }.into()),
            Ok(Event::PI(_)) => return Err(Malformed::Syntax { at, what: "a processing instruction" }.into()),
            Err(error) => return Err(self.failure(error, at)),
        };
        if self.place == Place::Start {
            if self.events.get_ref().first.is_some_and(|first| first != b'<') {
                return Err(Malformed::Syntax { at, what: "the first character isn't `<`" }.into());
            }
            self.place = Place::Prolog;
        }
        Ok(kind)
    }

    fn failure(&self, error: Error, at: usize) -> ReadError {
        let input = self.events.get_ref();
        match error {
            Error::Io(_) if input.exceeded => Malformed::Limit("a tag or a text of XML is too long").into(),
            Error::Io(error) => ReadError::Input(error),
            _ if input.ended => Malformed::Truncated.into(),
            Error::Encoding(_) => Malformed::Syntax { at, what: "not UTF-8" }.into(),
            _ => Malformed::Syntax { at, what: "not well-formed XML" }.into(),
        }
    }

    fn raw(&self, at: usize) -> Result<&str, Malformed> {
        str::from_utf8(&self.raw).map_err(|_not_utf8| Malformed::Syntax { at, what: "not UTF-8" })
    }

    fn node(&mut self, kind: Kind, at: usize) -> Result<Node<'_>, ReadError> {
        let syntax = |what| Malformed::Syntax { at, what };
        match (kind, self.place) {
            (Kind::Start, Place::Prolog | Place::Root) if self.depth == MAX_DEPTH => {
                return Err(Malformed::Limit("elements of XML nest too deep").into());
            }
            (Kind::Start, Place::Prolog | Place::Root) => {
                self.depth += 1;
                self.place = Place::Root;
            }
            (Kind::End, Place::Root) => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.place = Place::After;
                }
            }
            (Kind::Eof, Place::After) => {}
            (Kind::Eof, _) => return Err(Malformed::Truncated.into()),
            (_, Place::Root) => {}
            _ => return Err(syntax("something stands outside of the root element").into()),
        }
        let raw = self.raw(at)?;
        Ok(match kind {
            Kind::Start => Node::Start(lexical::tag(raw).map_err(syntax)?),
            Kind::End => Node::End,
            Kind::Eof => Node::Eof,
            Kind::Reference => Node::Text(lexical::reference(raw).map_err(syntax)?),
            Kind::CData => Node::Text(lexical::cdata(raw).map_err(syntax)?),
            _ => Node::Text(lexical::text(raw).map_err(syntax)?),
        })
    }
}

/// An input of which only so much may be read at a time.
#[derive(Debug)]
struct Bounded<R> {
    input: R,
    /// How much may still be read.
    left: usize,
    /// Whether more was asked for.
    exceeded: bool,
    /// Whether the input has come to its end.
    ended: bool,
    /// The very first byte.
    first: Option<u8>,
}

impl<R> Bounded<R> {
    const fn new(input: R) -> Self {
        Self { input, left: MAX_EVENT, exceeded: false, ended: false, first: None }
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            self.exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let bytes = self.input.fill_buf()?;
        self.ended = bytes.is_empty();
        self.first = self.first.or_else(|| bytes.first().copied());
        Ok(bytes.get(..self.left).unwrap_or(bytes))
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.input.consume(amount);
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
