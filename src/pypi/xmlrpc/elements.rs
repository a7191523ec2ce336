//! Reads the elements of XML-RPC in the one order that the caller expects; anything else is refused.

use std::io::BufRead;

use super::super::Malformed;
use super::super::xml::{Node, ReadError, Reader, is_space};

/// The longest text that any element may have. PyPI's longest, an action, has some 300 bytes.
const MAX_TEXT: usize = 64 << 10;

/// An element that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    MethodCall,
    MethodName,
    MethodResponse,
    Params,
    Param,
    Fault,
    Value,
    Array,
    Data,
    Struct,
    Member,
    Name,
    String,
    Int,
    Nil,
}

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Int(i64),
    Text(&'a str),
    Nil,
}

/// Goes through a document element by element. After an error it can't be used any more.
#[derive(Debug)]
pub(super) struct Elements<R> {
    reader: Reader<R>,
    /// The text read last.
    text: String,
}

/// What comes next in an element.
enum Next {
    Child(Element),
    /// The element's own end tag.
    End,
    /// The end of the document.
    Eof,
}

impl Element {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "methodCall" => Self::MethodCall,
            "methodName" => Self::MethodName,
            "methodResponse" => Self::MethodResponse,
            "params" => Self::Params,
            "param" => Self::Param,
            "fault" => Self::Fault,
            "value" => Self::Value,
            "array" => Self::Array,
            "data" => Self::Data,
            "struct" => Self::Struct,
            "member" => Self::Member,
            "name" => Self::Name,
            "string" => Self::String,
            "int" | "i4" | "i8" => Self::Int,
            "nil" => Self::Nil,
            _ => return None,
        })
    }
}

impl<R: BufRead> Elements<R> {
    pub(super) fn new(input: R) -> Self {
        Self { reader: Reader::new(input), text: String::new() }
    }

    /// The next child of the open element; `None` if that has ended instead.
    pub(super) fn child(&mut self) -> Result<Option<Element>, ReadError> {
        let next = self.next()?;
        if !is_space(&self.text) {
            return Err(Malformed::Shape("text among the elements of XML-RPC").into());
        }
        match next {
            Next::Child(element) => Ok(Some(element)),
            Next::End => Ok(None),
            Next::Eof => Err(Malformed::Truncated.into()),
        }
    }

    /// Whether `element` comes next, and not the end of the open one.
    pub(super) fn child_or_end(&mut self, element: Element) -> Result<bool, ReadError> {
        match self.child()? {
            None => Ok(false),
            Some(child) if child == element => Ok(true),
            Some(_) => Err(Malformed::Shape("another element of XML-RPC is due").into()),
        }
    }

    /// Goes into `element`, which comes next.
    pub(super) fn enter(&mut self, element: Element) -> Result<(), ReadError> {
        if self.child_or_end(element)? {
            return Ok(());
        }
        Err(Malformed::Shape("an element of XML-RPC is missing").into())
    }

    /// Goes out of the open element, which has no more children.
    pub(super) fn leave(&mut self) -> Result<(), ReadError> {
        match self.child()? {
            None => Ok(()),
            Some(_) => Err(Malformed::Shape("an element too many of XML-RPC").into()),
        }
    }

    /// Reads the text of the open element, and goes out of it.
    pub(super) fn text(&mut self) -> Result<&str, ReadError> {
        match self.next()? {
            Next::End => Ok(&self.text),
            _ => Err(Malformed::Shape("an element in a text of XML-RPC").into()),
        }
    }

    /// Reads the open `value`, and goes out of it.
    pub(super) fn scalar(&mut self) -> Result<Scalar<'_>, ReadError> {
        let element = match self.next()? {
            // Without a type it is a string.
            Next::End => return Ok(Scalar::Text(&self.text)),
            Next::Child(element) if is_space(&self.text) => element,
            _ => return Err(Malformed::Shape("text among the elements of XML-RPC").into()),
        };
        let text = self.text()?;
        let number = text.parse::<i64>();
        let is_empty = text.is_empty();
        let text = std::mem::take(&mut self.text);
        self.leave()?;
        self.text = text;
        match (element, number) {
            (Element::String, _) => Ok(Scalar::Text(&self.text)),
            (Element::Int, Ok(number)) => Ok(Scalar::Int(number)),
            (Element::Int, Err(_)) => Err(Malformed::Shape("not an integer").into()),
            (Element::Nil, _) if is_empty => Ok(Scalar::Nil),
            _ => Err(Malformed::Shape("a value of another type is due").into()),
        }
    }

    /// Makes sure that nothing follows the root, which has been left.
    pub(super) fn finish(&mut self) -> Result<(), ReadError> {
        match self.next()? {
            Next::Eof => Ok(()),
            _ => Err(Malformed::Shape("something follows the root element").into()),
        }
    }

    /// Reads up to the next tag; the text before it is in `self.text`.
    fn next(&mut self) -> Result<Next, ReadError> {
        self.text.clear();
        loop {
            match self.reader.next()? {
                Node::Text(piece) if self.text.len() + piece.len() > MAX_TEXT => {
                    return Err(Malformed::Limit("a text of XML-RPC is too long").into());
                }
                Node::Text(piece) => self.text.push_str(&piece),
                Node::Start(tag) if !tag.attributes.is_empty() => {
                    return Err(Malformed::Shape("elements of XML-RPC have no attributes").into());
                }
                Node::Start(tag) => {
                    let element = Element::of(tag.name);
                    return element.map(Next::Child).ok_or_else(|| Malformed::Shape("no element of XML-RPC").into());
                }
                Node::End => return Ok(Next::End),
                Node::Eof => return Ok(Next::Eof),
            }
        }
    }
}
