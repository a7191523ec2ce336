//! Filters the root list (all projects of an index) while it streams through, in constant memory.
//!
//! The input is JSON, because that is what we ask for; the output is the same JSON, or HTML written from it. Every byte
//! is read by the strict reader before it goes on. In JSON, what is kept keeps its bytes and its separators, so that a
//! list from which nothing is removed comes out byte for byte as it came in.

mod usual;

use super::json::{Reader, Text, Value};
use super::meta::Meta;
use super::negotiate::Representation;
use super::{Judge, Malformed, render};
use crate::name::{NameBuffer, NameRef, Subject};

/// The most that one element of `projects` may take, whitespace around it included. PyPI's have 50 bytes.
const MAX_ELEMENT: usize = 16 << 10;

/// The most that any other member of the document may take.
const MAX_MEMBER: usize = 1 << 20;

/// The most members that the document may have: their keys are kept, so that none stands twice.
const MAX_MEMBERS: usize = 64;

/// The least that is read at once behind what was pending: an element of PyPI's, and what is seen at a glance of the next.
const FEW: usize = 128;

/// A push filter: bytes go in as they arrive, and what may be seen of them comes out.
///
/// After an error nothing comes out any more, and the list must not be ended as if it were complete.
#[derive(Debug)]
pub struct RootFilter {
    parser: Parser,
    /// Bytes that are no complete unit yet.
    pending: Vec<u8>,
    /// A retry is worth it once `pending` is this long: it doubles, so that tiny chunks don't cost quadratic time.
    retry_at: usize,
    /// How many bytes were read before `pending`.
    consumed: usize,
    failed: Option<Malformed>,
}

/// Where in the document the next unit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    FirstMember,
    NextMember,
    FirstElement,
    NextElement,
    Done,
}

#[derive(Debug)]
struct Parser {
    html: bool,
    state: State,
    /// The top-level keys so far, decoded.
    keys: Vec<Box<[u8]>>,
    has_projects: bool,
    kept_any: bool,
    removed: u64,
    meta: Meta,
}

/// Where an element and the separator before it stand.
struct Place {
    separator: usize,
    start: usize,
    end: usize,
}

/// One pass over the bytes at hand.
struct Pass<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
    /// The first byte that has neither been copied out nor dropped.
    uncopied: usize,
    judge: &'a mut dyn Judge,
    out: &'a mut Vec<u8>,
}

impl RootFilter {
    /// Writes the list in the wanted representation.
    #[must_use]
    pub fn new(render: Representation) -> Self {
        let parser = Parser {
            html: render.is_html(),
            state: State::Start,
            keys: Vec::new(),
            has_projects: false,
            kept_any: false,
            removed: 0,
            meta: Meta::default(),
        };
        Self { parser, pending: Vec::new(), retry_at: 0, consumed: 0, failed: None }
    }

    /// Takes the next bytes, and appends to `out` what is known to be fit to be seen.
    ///
    /// # Errors
    /// [`Malformed`] as soon as the list can't be trusted; the same again from then on.
    pub fn push(&mut self, chunk: &[u8], judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut rest = chunk;
        while !self.pending.is_empty() {
            // Only as much is copied as may complete what is pending: mostly one element.
            let known = self.pending.len();
            let wanted = self.retry_at.saturating_sub(known).max(FEW);
            let (more, after) = rest.split_at_checked(wanted).unwrap_or((rest, &[]));
            self.pending.extend_from_slice(more);
            if self.pending.len() < self.retry_at {
                return Ok(());
            }
            let mut pending = std::mem::take(&mut self.pending);
            let used = self.run(&pending, judge, out)?;
            if let Some(used) = used.checked_sub(known) {
                rest = rest.get(used..).unwrap_or_default();
                pending.clear();
            } else {
                pending.drain(..used);
                rest = after;
            }
            self.retry_at = pending.len().saturating_mul(2);
            self.pending = pending;
            if rest.is_empty() {
                return Ok(());
            }
        }
        let used = self.run(rest, judge, out)?;
        self.pending.extend_from_slice(rest.get(used..).unwrap_or_default());
        self.retry_at = self.pending.len().saturating_mul(2);
        Ok(())
    }

    /// The input has ended.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if the list has not; else as [`RootFilter::push`].
    pub fn finish(&mut self, judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let pending = std::mem::take(&mut self.pending);
        let used = self.run(&pending, judge, out)?;
        if self.parser.state != State::Done || used < pending.len() {
            return Err(self.failed.insert(Malformed::Truncated).clone());
        }
        if self.parser.html {
            render::root_tail(out);
        }
        Ok(())
    }

    /// How many elements have been removed so far.
    #[must_use]
    pub const fn removed(&self) -> u64 {
        self.parser.removed
    }

    /// Reads as many units as are complete, and says how many bytes they took.
    fn run(&mut self, bytes: &[u8], judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<usize, Malformed> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let mut pass = Pass { bytes, reader: Reader::new(bytes), uncopied: 0, judge, out };
        match self.parser.run(&mut pass) {
            Ok(used) => {
                self.consumed += used;
                Ok(used)
            }
            Err(Malformed::Syntax { at, what }) => Err(Malformed::Syntax { at: self.consumed + at, what }),
            Err(error) => Err(error),
        }
        .inspect_err(|error| self.failed = Some(error.clone()))
    }
}

impl Parser {
    fn run(&mut self, pass: &mut Pass<'_>) -> Result<usize, Malformed> {
        let mut used = 0;
        while self.state != State::Done {
            if self.state == State::NextElement {
                used = self.usual_elements(pass, used);
            }
            let limit = match self.state {
                State::FirstElement | State::NextElement => MAX_ELEMENT,
                _ => MAX_MEMBER,
            };
            let unit = self.unit(pass, used);
            let end = if unit == Err(Malformed::Truncated) { pass.bytes.len() } else { pass.reader.at() };
            if end - used > limit {
                return Err(Malformed::Limit("an element or a member of the root list is too long"));
            }
            match unit {
                Ok(()) => used = end,
                Err(Malformed::Truncated) => break,
                Err(error) => return Err(error),
            }
        }
        if self.state == State::Done {
            pass.reader.end()?;
            used = pass.bytes.len();
        }
        if !self.html {
            pass.copy_until(used);
        }
        Ok(used)
    }

    /// Reads one unit, which begins at `start`: what can be understood without what follows it. Changes nothing if it
    /// isn't complete.
    #[inline]
    fn unit(&mut self, pass: &mut Pass<'_>, start: usize) -> Result<(), Malformed> {
        match self.state {
            State::NextElement => {
                if pass.reader.accept(b',')? {
                    return self.element(pass, start);
                }
                pass.reader.expect(b']', "`,` or `]` is missing after an element")?;
                self.state = State::NextMember;
            }
            State::FirstElement => {
                if !pass.reader.accept(b']')? {
                    return self.element(pass, start);
                }
                self.state = State::NextMember;
            }
            State::Start => {
                pass.reader.expect(b'{', "a root list is an object")?;
                self.state = State::FirstMember;
            }
            State::FirstMember | State::NextMember => {
                if pass.reader.accept(b'}')? {
                    return self.close();
                }
                if self.state == State::NextMember {
                    pass.reader.expect(b',', "`,` or `}` is missing after a member")?;
                }
                return self.member(pass);
            }
            State::Done => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Malformed> {
        self.state = State::Done;
        if self.has_projects { Ok(()) } else { Err(Malformed::Shape("a root list has `projects`")) }
    }

    fn member(&mut self, pass: &mut Pass<'_>) -> Result<(), Malformed> {
        let key = pass.reader.text()?;
        pass.reader.expect(b':', "`:` is missing after a key")?;
        if key.is("projects") {
            if !pass.reader.accept(b'[')? {
                return Err(Malformed::Shape("`projects` is not an array"));
            }
            self.add_key(key)?;
            self.begin_projects(pass.out);
            return Ok(());
        }
        let value = pass.reader.value()?;
        // A number may go on in the next chunk; a member is always followed by something.
        pass.reader.peek()?;
        self.add_key(key)?;
        if key.is("meta") {
            self.meta = Meta::from_json(value)?;
        }
        self.state = State::NextMember;
        Ok(())
    }

    /// HTML says the version before the projects. If `meta` comes only after them, 1.0 is said: all that this HTML has
    /// is in 1.0 (PEP 503, PEP 629), and holding the list back would cost its size in memory.
    fn begin_projects(&mut self, out: &mut Vec<u8>) {
        self.has_projects = true;
        self.state = State::FirstElement;
        if self.html {
            render::root_head(&self.meta, out);
        }
    }

    fn add_key(&mut self, key: Text<'_>) -> Result<(), Malformed> {
        let key = key.decode_bytes()?;
        if self.keys.iter().any(|other| **other == *key) {
            return Err(Malformed::Shape("a key stands twice in the root list"));
        }
        if self.keys.len() == MAX_MEMBERS {
            return Err(Malformed::Limit("the root list has too many members"));
        }
        self.keys.push(key.into());
        Ok(())
    }

    fn element(&mut self, pass: &mut Pass<'_>, separator: usize) -> Result<(), Malformed> {
        if pass.reader.peek()? != b'{' {
            pass.reader.value()?;
            return Err(Malformed::Shape("an element of `projects` is not an object"));
        }
        let start = pass.reader.at();
        let mut name = None;
        pass.reader.object(|key, value| {
            if key.is("name") {
                name = Some(value);
            }
            Ok(())
        })?;
        let name = name.and_then(Value::text).ok_or(Malformed::Shape("a project has no `name` that is a string"))?;
        let end = pass.reader.at();
        let (written, mut buffer) = (name.decode_bytes()?, NameBuffer::default());
        self.judge_element(pass, NameRef::fold(&written, &mut buffer).ok(), &written, &Place { separator, start, end });
        Ok(())
    }

    /// Keeps or drops the element that has been read. What is no project's name can't be judged, so it is not shown.
    #[inline]
    fn judge_element(&mut self, pass: &mut Pass<'_>, name: Option<NameRef<'_>>, written: &[u8], place: &Place) {
        self.state = State::NextElement;
        let visible = name.filter(|name| !pass.judge.hides(Subject::Project(*name)));
        self.removed += u64::from(visible.is_none());
        if self.html {
            if let Some(folded) = visible {
                render::project_anchor(folded, written, pass.out);
            }
        } else if visible.is_none() {
            pass.drop_between(place.separator, place.end);
        } else if !self.kept_any {
            // It comes first now, so the separator before it goes; what was before that has been dropped.
            self.kept_any = true;
            if self.removed > 0 {
                pass.uncopied = place.start;
            }
        }
    }

    /// Reads elements as long as they are written as PyPI writes them, and says where the next unit begins.
    fn usual_elements(&mut self, pass: &mut Pass<'_>, mut separator: usize) -> usize {
        let mut buffer = NameBuffer::default();
        while let Some(usual) = usual::element(pass.bytes.get(separator..).unwrap_or_default(), &mut buffer) {
            let end = separator + usual.length;
            self.judge_element(pass, Some(usual.name), usual.written, &Place { separator, start: separator + 1, end });
            separator = end;
        }
        pass.reader.skip_to(separator);
        separator
    }
}

impl Pass<'_> {
    fn copy_until(&mut self, end: usize) {
        self.out.extend_from_slice(self.bytes.get(self.uncopied..end).unwrap_or_default());
        self.uncopied = end;
    }

    fn drop_between(&mut self, start: usize, end: usize) {
        self.copy_until(start);
        self.uncopied = end;
    }
}

#[cfg(test)]
mod tests;
