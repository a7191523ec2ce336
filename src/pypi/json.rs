//! Reads JSON strictly (RFC 8259) and without copying: what is handed out are the document's own bytes.
//!
//! Stricter than most readers, because clients differ where these are lenient: a key may stand only once in an object
//! (Python takes the last, serde refuses), `NaN` is no number (Python takes it), and the text is UTF-8 without a
//! byte-order mark (Python's `json.loads` would guess UTF-16 and UTF-32).
//!
//! Running out of bytes is [`Malformed::Truncated`] and nothing else is, so that a caller who has more bytes to come
//! can wait for them and try again.

mod keys;
mod layout;
mod text;

use std::fmt;

use super::Malformed;

use keys::OpenObject;
pub(super) use layout::Layout;
pub use text::Text;
use text::plain_run;

/// How deep arrays and objects may nest. PyPI's own pages have 5 levels.
pub const MAX_DEPTH: usize = 64;

/// A JSON value that has been checked, as the bytes that it was written with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    bytes: &'a [u8],
    /// If it is a string: whether a backslash stands in it.
    escaped: bool,
}

/// A key of an object, and its value.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key.
    pub key: Text<'a>,
    /// The value.
    pub value: Value<'a>,
}

/// Reads values one after the other. After an error it can't be used any more.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// The keys of all objects that are open, innermost last.
    keys: Vec<Text<'a>>,
    /// Whether all of it has been read before: what is nested needn't be looked into, and no key stands twice.
    checked: bool,
}

/// Reads a document that is one value and nothing else.
///
/// # Errors
/// [`Malformed`] if it isn't.
pub fn document(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut reader = Reader::new(bytes);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// Reads a document that is one object and nothing else, and hands out its members; `None` if it is another value.
///
/// # Errors
/// [`Malformed`] if it is neither.
pub fn members(bytes: &[u8]) -> Result<Option<Vec<Member<'_>>>, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.peek()? != b'{' {
        return document(bytes).map(|_other| None);
    }
    let members = reader.members()?;
    reader.end()?;
    Ok(Some(members))
}

impl<'a> Value<'a> {
    /// As it was written.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.bytes == b"null"
    }

    /// The string, if it is one.
    #[must_use]
    pub fn text(self) -> Option<Text<'a>> {
        let inner = self.bytes.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(Text { inner, escaped: self.escaped })
    }

    /// The elements, if it is an array.
    ///
    /// # Errors
    /// None that the first reading would not have found already.
    pub fn elements(self) -> Result<Option<Vec<Self>>, Malformed> {
        if !self.bytes.starts_with(b"[") {
            return Ok(None);
        }
        let mut elements = Vec::new();
        Reader::of_checked(self.bytes).array(|element| {
            elements.push(element);
            Ok(())
        })?;
        Ok(Some(elements))
    }

    /// The members, if it is an object.
    ///
    /// # Errors
    /// None that the first reading would not have found already.
    pub fn members(self) -> Result<Option<Vec<Member<'a>>>, Malformed> {
        if !self.bytes.starts_with(b"{") {
            return Ok(None);
        }
        Reader::of_checked(self.bytes).members().map(Some)
    }

    /// Calls `member` with each key and its value, if it is an object; else answers `false`.
    ///
    /// # Errors
    /// What `member` returns.
    pub fn each_member(self, member: impl FnMut(Text<'a>, Self) -> Result<(), Malformed>) -> Result<bool, Malformed> {
        let is_object = self.bytes.starts_with(b"{");
        if is_object {
            Reader::of_checked(self.bytes).object(member)?;
        }
        Ok(is_object)
    }

    /// As [`Value::each_member`], faster if its keys are those of `layout`.
    pub(super) fn each_member_like(
        self,
        layout: &mut Layout<'a>,
        mut member: impl FnMut(Text<'a>, Self) -> Result<(), Malformed>,
    ) -> Result<bool, Malformed> {
        let is_object = self.bytes.starts_with(b"{");
        if is_object {
            Reader::of_checked(self.bytes).object_like(layout, |reader, key| {
                let value = reader.value()?;
                member(key, value)
            })?;
        }
        Ok(is_object)
    }

    /// The value of one key, if it is an object that has it.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        find(&self.members().ok()??, key)
    }
}

/// The value of one key among an object's members.
#[must_use]
pub fn find<'a>(members: &[Member<'a>], key: &str) -> Option<Value<'a>> {
    members.iter().find(|member| member.key.is(key)).map(|member| member.value)
}

/// Writes an object of some members, their keys as they were written.
pub(super) fn write_object<'m, 'a: 'm>(
    members: impl Iterator<Item = &'m Member<'a>>,
    mut write_value: impl FnMut(&Member<'a>, &mut Vec<u8>),
) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (index, member) in members.enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(member.key.written());
        out.extend_from_slice(b"\":");
        write_value(member, &mut out);
    }
    out.push(b'}');
    out
}

/// Writes an array of some elements as they were written.
pub(super) fn write_array<'a>(elements: impl Iterator<Item = Value<'a>>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, element) in elements.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(element.bytes());
    }
    out.push(b']');
}

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, keys: Vec::new(), checked: false }
    }

    /// Reads what has been read before, much faster.
    const fn of_checked(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, keys: Vec::new(), checked: true }
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Goes on at `at`: what lies before it has been read by other means.
    pub(super) const fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next byte that isn't whitespace; it is not consumed.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if there is none.
    #[inline]
    pub fn peek(&mut self) -> Result<u8, Malformed> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Malformed::Truncated),
            }
        }
    }

    /// Consumes `byte` if it is next, whitespace before it included.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if nothing is next.
    #[inline]
    pub fn accept(&mut self, byte: u8) -> Result<bool, Malformed> {
        let next = self.peek()? == byte;
        self.at += usize::from(next);
        Ok(next)
    }

    /// Consumes `byte`, which must be next; `what` is said if it is not.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] or [`Malformed::Syntax`].
    #[inline]
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.accept(byte)? { Ok(()) } else { Err(self.syntax(what)) }
    }

    /// Nothing but whitespace may be left.
    ///
    /// # Errors
    /// [`Malformed::Syntax`] if something is.
    pub fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_err() { Ok(()) } else { Err(self.syntax("something follows the end of the document")) }
    }

    /// Reads one value of any kind. A number that ends where the bytes end may go on in bytes to come.
    ///
    /// # Errors
    /// [`Malformed`].
    #[inline]
    pub fn value(&mut self) -> Result<Value<'a>, Malformed> {
        let first = self.peek()?;
        let start = self.at;
        let mut escaped = false;
        match first {
            b'"' => {
                self.at += 1;
                escaped = self.text_behind_quote()?.escaped;
            }
            b'{' | b'[' if self.checked => self.skip_checked(),
            b'{' => self.object(|_key, _value| Ok(()))?,
            b'[' => self.array(|_element| Ok(()))?,
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => return Err(self.syntax("a value is missing")),
        }
        Ok(Value { bytes: self.bytes.get(start..self.at).unwrap_or_default(), escaped })
    }

    /// Reads an object; `member` is called with each key and its value.
    ///
    /// # Errors
    /// [`Malformed`], also for a key that stands twice; and what `member` returns.
    #[inline]
    pub fn object(
        &mut self,
        mut member: impl FnMut(Text<'a>, Value<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.object_with(|reader, key| {
            let value = reader.value()?;
            member(key, value)
        })
    }

    /// Reads an object; `member` is called with each key, and must read its value: so nothing is read twice.
    ///
    /// # Errors
    /// As [`Reader::object`].
    #[inline]
    pub(super) fn object_with(
        &mut self,
        member: impl FnMut(&mut Self, Text<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.object_of_keys(Self::key, member)
    }

    /// Reads an object, each of its keys by `next_key`.
    #[inline]
    fn object_of_keys(
        &mut self,
        mut next_key: impl FnMut(&mut Self, &mut OpenObject) -> Result<Text<'a>, Malformed>,
        mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.descend(b'{', "an object is missing")?;
        let mut open = OpenObject::new(&self.keys);
        if !self.accept(b'}')? {
            loop {
                let key = next_key(self, &mut open)?;
                member(self, key)?;
                if self.ends(b'}', "`,` or `}` is missing after a member")? {
                    break;
                }
            }
        }
        self.forget_keys(&open)?;
        self.depth -= 1;
        Ok(())
    }

    fn members(&mut self) -> Result<Vec<Member<'a>>, Malformed> {
        let mut members = Vec::new();
        self.object(|key, value| {
            members.push(Member { key, value });
            Ok(())
        })?;
        Ok(members)
    }

    /// Reads an array; `element` is called with each element.
    ///
    /// # Errors
    /// [`Malformed`], and what `element` returns.
    pub fn array(&mut self, mut element: impl FnMut(Value<'a>) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.array_with(|reader| {
            let value = reader.value()?;
            element(value)
        })
    }

    /// Reads an array; `element` is called before each element, and must read it.
    ///
    /// # Errors
    /// As [`Reader::array`].
    #[inline]
    pub(super) fn array_with(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.descend(b'[', "an array is missing")?;
        if !self.accept(b']')? {
            loop {
                element(self)?;
                if self.ends(b']', "`,` or `]` is missing after an element")? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// What `read` reads, an object or an array, as one value.
    #[inline]
    pub(super) fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), Malformed>,
    ) -> Result<Value<'a>, Malformed> {
        self.peek()?;
        let start = self.at;
        read(self)?;
        Ok(Value { bytes: self.bytes.get(start..self.at).unwrap_or_default(), escaped: false })
    }

    /// Consumes `close`, or the comma that must be there in its place; whether it was `close`.
    #[inline]
    fn ends(&mut self, close: u8, what: &'static str) -> Result<bool, Malformed> {
        let next = self.peek()?;
        if next != close && next != b',' {
            return Err(self.syntax(what));
        }
        self.at += 1;
        Ok(next == close)
    }

    /// Reads a string.
    ///
    /// # Errors
    /// [`Malformed`].
    #[inline]
    pub fn text(&mut self) -> Result<Text<'a>, Malformed> {
        self.expect(b'"', "a string is missing")?;
        self.text_behind_quote()
    }

    #[inline]
    fn text_behind_quote(&mut self) -> Result<Text<'a>, Malformed> {
        let start = self.at;
        let mut escaped = false;
        let mut ascii = true;
        loop {
            let (length, all_ascii) = plain_run(self.bytes.get(self.at..).unwrap_or_default());
            self.at += length;
            ascii &= all_ascii;
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.syntax("a control character stands in a string")),
                None => return Err(Malformed::Truncated),
            }
        }
        let inner = self.bytes.get(start..self.at).unwrap_or_default();
        if !ascii && let Err(error) = std::str::from_utf8(inner) {
            return Err(Malformed::Syntax { at: start + error.valid_up_to(), what: "a string is not UTF-8" });
        }
        self.at += 1;
        Ok(Text { inner, escaped })
    }

    #[inline]
    fn descend(&mut self, open: u8, what: &'static str) -> Result<(), Malformed> {
        self.expect(open, what)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Malformed::Limit("JSON nests deeper than 64 levels")) } else { Ok(()) }
    }

    /// Steps over an object or an array that has been read before: its brackets match, and only strings can hold others.
    fn skip_checked(&mut self) {
        let mut open = 0_usize;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                b'"' => self.skip_checked_text(),
                _ => {}
            }
            if open == 0 {
                break;
            }
        }
    }

    /// Steps behind the quote that ends the string.
    fn skip_checked_text(&mut self) {
        loop {
            self.at += plain_run(self.bytes.get(self.at..).unwrap_or_default()).0;
            match self.bytes.get(self.at) {
                Some(b'\\') => self.at += 2,
                _ => break self.at += 1,
            }
        }
    }

    /// Steps over an escape; whether surrogates come in pairs is seen when the string is decoded.
    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                Some(_) => return Err(self.syntax("`\\u` is not followed by four hexadecimal digits")),
                None => return Err(Malformed::Truncated),
            },
            Some(_) => return Err(self.syntax("there is no such escape")),
            None => return Err(Malformed::Truncated),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        self.skip_one(|byte| byte == b'-');
        if !self.skip_one(|byte| byte == b'0') {
            self.digits()?;
        }
        if self.skip_one(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip_one(|byte| matches!(byte, b'e' | b'E')) {
            self.skip_one(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 if rest.is_empty() => Err(Malformed::Truncated),
            0 => Err(self.syntax("a digit is missing")),
            count => {
                self.at += count;
                Ok(())
            }
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(())
        } else if word.starts_with(rest) {
            Err(Malformed::Truncated)
        } else {
            Err(self.syntax("a value is missing"))
        }
    }

    fn skip_one(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let next = self.bytes.get(self.at).is_some_and(|byte| wanted(*byte));
        self.at += usize::from(next);
        next
    }

    #[cold]
    const fn syntax(&self, what: &'static str) -> Malformed {
        Malformed::Syntax { at: self.at, what }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bytes.escape_ascii())
    }
}

#[cfg(test)]
mod tests;
