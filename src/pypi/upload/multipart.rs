//! Takes a `multipart/form-data` body apart as it arrives (RFC 7578, RFC 2046 section 5.1), in constant memory.
//!
//! Stricter than any server: what some server would take for a boundary and another would not is an error.

use memchr::memmem::{self, Finder};

use super::error::BadUpload;
use super::head::Head;

/// The most that the headers of one part may take.
const MAX_HEAD: usize = 8 << 10;

/// The most that may stand between a boundary and the end of its line (RFC 2046: `transport-padding`).
const MAX_PADDING: usize = 64;

/// The most that may stand behind the last boundary.
const MAX_EPILOGUE: usize = 1 << 10;

/// The most parts: each classifier and each requirement is one.
const MAX_PARTS: usize = 10_000;

/// What a boundary line begins with, after `--boundary`, if it is the last.
const LAST: &[u8] = b"--";

/// A pull reader of pushed bytes.
#[derive(Debug)]
pub(super) struct Reader {
    /// Finds `--boundary`. Wherever it stands, it is a boundary, or the body is refused: some readers want a whole line
    /// before it, some a bare LF or CR, some nothing.
    finder: Finder<'static>,
    state: State,
    /// What has arrived and can't be told yet: an incomplete line or head, or an end of content that may belong to a
    /// boundary.
    held: Vec<u8>,
    /// Content that was held, for as long as it is shown.
    shown: Vec<u8>,
    parts: usize,
    /// Where in the body what has been told ends.
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first `--boundary`.
    Start,
    /// Behind a `--boundary`.
    Line,
    Head,
    Content,
    /// Content has ended, and nobody knows yet.
    Ended,
    /// Before the boundary at which content ended.
    Boundary,
    /// Behind the last boundary, and nobody knows yet.
    Last,
    /// Behind the last boundary.
    Epilogue(usize),
}

/// What a body is made of, in this order, over and over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    Head(Head),
    /// A piece of the part's content.
    Content(&'a [u8]),
    /// The part's content is complete.
    End,
    /// The last boundary has been read.
    Closed,
}

impl Reader {
    pub(super) fn new(boundary: &str) -> Self {
        let finder = Finder::new(&format!("--{boundary}")).into_owned();
        Self { finder, state: State::Start, held: Vec::new(), shown: Vec::new(), parts: 0, at: 0 }
    }

    /// Reads on in `chunk`, which keeps what has not been looked at; `None` if all of it has.
    pub(super) fn next<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Result<Option<Event<'a>>, BadUpload> {
        loop {
            let told = match self.state {
                State::Start => self.start(chunk)?,
                State::Line => self.line(chunk)?,
                State::Head => return Ok(self.head(chunk)?.map(Event::Head)),
                State::Content => return self.content(chunk),
                State::Ended => return Ok(self.end()),
                State::Boundary => {
                    self.at += self.delimiter_len() as u64;
                    self.state = State::Line;
                    true
                }
                State::Last => {
                    self.state = State::Epilogue(0);
                    return Ok(Some(Event::Closed));
                }
                State::Epilogue(read) => return self.epilogue(std::mem::take(chunk), read).map(|()| None),
            };
            if !told {
                return Ok(None);
            }
        }
    }

    /// Whether the last boundary has been read.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Epilogue(_))
    }

    /// Where in the body that ends which the events so far told; for [`Event::End`], where the content did.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// `CRLF--boundary`.
    fn delimiter_len(&self) -> usize {
        self.finder.needle().len() + 2
    }

    const fn framing(&self, what: &'static str) -> BadUpload {
        BadUpload::Framing { part: self.parts, what }
    }

    /// The first boundary stands at the very start, or behind the CRLF that distutils wrote before it.
    fn start(&mut self, chunk: &mut &[u8]) -> Result<bool, BadUpload> {
        while let Some((&byte, rest)) = chunk.split_first() {
            self.held.push(byte);
            *chunk = rest;
            let boundary = self.held.strip_prefix(b"\r\n").unwrap_or(&self.held);
            let needle = self.finder.needle();
            if boundary == needle {
                self.advance(State::Line);
                return Ok(true);
            }
            if !needle.starts_with(boundary) && self.held != b"\r" {
                return Err(self.framing("it doesn't begin with the boundary"));
            }
        }
        Ok(false)
    }

    /// The rest of a boundary's line.
    fn line(&mut self, chunk: &mut &[u8]) -> Result<bool, BadUpload> {
        while let Some((&byte, rest)) = chunk.split_first() {
            self.held.push(byte);
            *chunk = rest;
            match self.held.as_slice() {
                LAST => {
                    self.advance(State::Last);
                    return Ok(true);
                }
                b"-" => {}
                [padding @ .., b'\r', b'\n'] if is_padding(padding) => {
                    self.advance(State::Head);
                    return Ok(true);
                }
                [padding @ .., b' ' | b'\t' | b'\r'] if is_padding(padding) => {}
                _ => return Err(self.framing("a boundary is followed by something other than the end of its line")),
            }
        }
        Ok(false)
    }

    fn head(&mut self, chunk: &mut &[u8]) -> Result<Option<Head>, BadUpload> {
        const END: &[u8] = b"\r\n\r\n";
        let part = self.parts + 1;
        if part > MAX_PARTS {
            return Err(BadUpload::Limit { part, what: "10000 parts" });
        }
        let before = self.held.len();
        let (front, _) = chunk.split_at(chunk.len().min(MAX_HEAD.saturating_sub(before)));
        self.held.extend_from_slice(front);
        if self.held.starts_with(b"\r\n") {
            return Err(BadUpload::Head { part, what: "there are none" });
        }
        let from = before.saturating_sub(END.len() - 1);
        let Some(found) = self.held.get(from..).and_then(|held| memmem::find(held, END)) else {
            *chunk = chunk.get(front.len()..).unwrap_or_default();
            let full = self.held.len() >= MAX_HEAD;
            return if full { Err(BadUpload::Limit { part, what: "8 KiB of headers" }) } else { Ok(None) };
        };
        let end = from + found + END.len();
        self.held.truncate(end);
        *chunk = chunk.get(end.saturating_sub(before)..).unwrap_or_default();
        if self.finder.find(&self.held).is_some() {
            return Err(BadUpload::Head { part, what: "the boundary stands in them" });
        }
        let head = Head::parse(&self.held, part)?;
        self.parts = part;
        self.advance(State::Content);
        Ok(Some(head))
    }

    /// The next piece of content, or its end.
    fn content<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Result<Option<Event<'a>>, BadUpload> {
        if chunk.is_empty() {
            return Ok(None);
        }
        if self.held.is_empty() {
            return self.fresh_content(chunk);
        }
        // A boundary that begins in what is held, its CRLF included, ends within this many bytes.
        let before = self.held.len();
        let (front, rest) = chunk.split_at(chunk.len().min(self.delimiter_len() - 1));
        self.held.extend_from_slice(front);
        if let Some(found) = self.finder.find(&self.held) {
            let end = self.end_of_content(&self.held, found)?;
            let used = (found + self.finder.needle().len()).saturating_sub(before);
            *chunk = chunk.get(used..).unwrap_or_default();
            self.held.truncate(end);
            self.state = State::Ended;
            std::mem::swap(&mut self.held, &mut self.shown);
            self.held.clear();
        } else if rest.is_empty() {
            let told = self.held.len().saturating_sub(self.delimiter_len() - 1);
            self.shown.clear();
            self.shown.extend(self.held.drain(..told));
            *chunk = rest;
        } else {
            self.held.truncate(before);
            std::mem::swap(&mut self.held, &mut self.shown);
            self.held.clear();
        }
        self.at += self.shown.len() as u64;
        Ok(if self.shown.is_empty() { self.end_if_ended() } else { Some(Event::Content(&self.shown)) })
    }

    /// As [`Reader::content`], when nothing is held: at the start of a part, or deep in it, where none of what is gone
    /// can belong to a boundary.
    fn fresh_content<'c>(&mut self, chunk: &mut &'c [u8]) -> Result<Option<Event<'c>>, BadUpload> {
        let whole = *chunk;
        let end = if let Some(found) = self.finder.find(whole) {
            let end = self.end_of_content(whole, found)?;
            *chunk = whole.get(found + self.finder.needle().len()..).unwrap_or_default();
            self.state = State::Ended;
            end
        } else {
            let end = whole.len().saturating_sub(self.delimiter_len() - 1);
            *chunk = &[];
            self.held.extend_from_slice(whole.get(end..).unwrap_or_default());
            end
        };
        let content = whole.get(..end).unwrap_or_default();
        self.at += end as u64;
        Ok(if content.is_empty() { self.end_if_ended() } else { Some(Event::Content(content)) })
    }

    /// What there is to tell when there is no content to show.
    fn end_if_ended<'a>(&mut self) -> Option<Event<'a>> {
        if self.state == State::Ended { self.end() } else { None }
    }

    const fn end<'a>(&mut self) -> Option<Event<'a>> {
        self.state = State::Boundary;
        Some(Event::End)
    }

    /// Where the content before the boundary at `found` ends: before its CRLF, which must be there.
    fn end_of_content(&self, bytes: &[u8], found: usize) -> Result<usize, BadUpload> {
        let content = bytes.get(..found).and_then(|before| before.strip_suffix(b"\r\n"));
        content.map(<[u8]>::len).ok_or_else(|| self.framing("the boundary stands elsewhere than behind a CRLF"))
    }

    /// Some readers ignore what stands here, and some go on in it.
    fn epilogue(&mut self, chunk: &[u8], read: usize) -> Result<(), BadUpload> {
        let read = read.saturating_add(chunk.len());
        if read > MAX_EPILOGUE || !chunk.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            return Err(self.framing("something follows the last boundary"));
        }
        self.at += chunk.len() as u64;
        self.state = State::Epilogue(read);
        Ok(())
    }

    /// What is held has been understood.
    fn advance(&mut self, state: State) {
        self.at += self.held.len() as u64;
        self.held.clear();
        self.state = state;
    }
}

fn is_padding(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_PADDING && bytes.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}
