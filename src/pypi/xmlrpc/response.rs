//! Filters the answer to a call while it streams through, in constant memory: it is read strictly and written anew.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use super::super::xml::ReadError;
use super::super::{Judge, Malformed};
use super::write::{self, ARRAY, HEAD, STRUCT, TAIL};
use super::{Call, Element, Elements, Scalar};
use crate::name::{FileName, NameBuffer, NameRef, Subject};

/// Why an answer did not come through whole. What has been written of it must not be ended as if it were complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The source of the answer failed.
    #[error("the answer could not be read: {0}")]
    Input(#[source] io::Error),
    /// The reader of the answer is gone.
    #[error("the answer could not be written: {0}")]
    Output(#[source] io::Error),
    /// The answer can't be trusted.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl From<ReadError> for ResponseError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Malformed(malformed) => Self::Malformed(malformed),
            ReadError::Input(error) => {
                Self::Input(Arc::try_unwrap(error).unwrap_or_else(|shared| io::Error::new(shared.kind(), shared)))
            }
        }
    }
}

/// Writes to `output` what may be seen of the answer to `call`, in many small pieces, and says how many entries went.
/// An answer that is a fault is written as one.
///
/// # Errors
/// [`ResponseError`] if the answer is not one to this call, or did not come or go whole.
pub fn filter_response(
    call: Call,
    input: impl BufRead,
    output: &mut impl Write,
    judge: &mut dyn Judge,
) -> Result<u64, ResponseError> {
    let mut elements = Elements::new(input);
    elements.enter(Element::MethodResponse)?;
    match elements.child()? {
        Some(Element::Params) => {}
        Some(Element::Fault) => return fault(&mut elements, output).map(|()| 0),
        _ => return Err(Malformed::Shape("neither an answer of XML-RPC nor a fault").into()),
    }
    elements.enter(Element::Param)?;
    elements.enter(Element::Value)?;
    let mut filter = Filter { elements, output, judge, name: NameBuffer::default(), removed: 0 };
    filter.write(HEAD)?;
    match call {
        Call::LastSerial => filter.serial()?,
        Call::ChangesSince(_) => filter.changes()?,
        Call::AllProjects => filter.projects()?,
    }
    // Out of `param`, of `params` and of the root.
    filter.elements.leave()?;
    filter.elements.leave()?;
    filter.elements.leave()?;
    filter.elements.finish()?;
    filter.write(TAIL)?;
    Ok(filter.removed)
}

struct Filter<'a, R, W> {
    elements: Elements<R>,
    output: &'a mut W,
    judge: &'a mut dyn Judge,
    name: NameBuffer,
    removed: u64,
}

impl<R: BufRead, W: Write> Filter<'_, R, W> {
    fn write(&mut self, text: &str) -> Result<(), ResponseError> {
        self.output.write_all(text.as_bytes()).map_err(ResponseError::Output)
    }

    /// Writes an entry, or counts it.
    fn entry(&mut self, is_hidden: bool, entry: &str) -> Result<(), ResponseError> {
        if is_hidden {
            self.removed += 1;
            return Ok(());
        }
        self.write(entry)
    }

    fn serial(&mut self) -> Result<(), ResponseError> {
        let mut value = String::new();
        write::value(Scalar::Int(int(&mut self.elements)?), &mut value);
        self.write(&value)
    }

    /// A struct of names and serials.
    fn projects(&mut self) -> Result<(), ResponseError> {
        self.elements.enter(Element::Struct)?;
        self.write(STRUCT.0)?;
        let mut member = String::new();
        while self.elements.child_or_end(Element::Member)? {
            self.elements.enter(Element::Name)?;
            let name = self.elements.text()?.to_owned();
            self.elements.enter(Element::Value)?;
            let serial = int(&mut self.elements)?;
            self.elements.leave()?;
            member.clear();
            write::member(&name, Scalar::Int(serial), &mut member);
            let is_hidden = self.hides_project(&name);
            self.entry(is_hidden, &member)?;
        }
        self.elements.leave()?;
        self.write(STRUCT.1)
    }

    /// An array of arrays: name, version, time, action, serial.
    fn changes(&mut self) -> Result<(), ResponseError> {
        self.elements.enter(Element::Array)?;
        self.elements.enter(Element::Data)?;
        self.write(ARRAY.0)?;
        let mut change = String::new();
        while self.elements.child_or_end(Element::Value)? {
            change.clear();
            let is_hidden = self.change(&mut change)?;
            self.entry(is_hidden, &change)?;
        }
        // Out of `array` and of `value`.
        self.elements.leave()?;
        self.elements.leave()?;
        self.write(ARRAY.1)
    }

    /// Writes one change to `out`, and says whether it must go.
    fn change(&mut self, out: &mut String) -> Result<bool, ResponseError> {
        self.elements.enter(Element::Array)?;
        self.elements.enter(Element::Data)?;
        out.push_str(ARRAY.0);
        let name = self.part(out, |part| matches!(part, Scalar::Text(_)))?;
        let version = self.part(out, |part| matches!(part, Scalar::Text(_) | Scalar::Nil))?;
        self.part(out, |part| matches!(part, Scalar::Int(_)))?;
        let action = self.part(out, |part| matches!(part, Scalar::Text(_)))?;
        self.part(out, |part| matches!(part, Scalar::Int(_)))?;
        out.push_str(ARRAY.1);
        // Out of `data`, of `array` and of `value`.
        self.elements.leave()?;
        self.elements.leave()?;
        self.elements.leave()?;
        Ok(self.hides_project(&name) || self.hides_release(&name, &version) || self.hides_file_in(&action))
    }

    /// Copies one part of a change to `out`, and returns its text.
    fn part(&mut self, out: &mut String, is_due: impl Fn(Scalar<'_>) -> bool) -> Result<String, ResponseError> {
        self.elements.enter(Element::Value)?;
        let part = self.elements.scalar()?;
        if !is_due(part) {
            return Err(Malformed::Shape("a change is a name, a version, a time, an action and a serial").into());
        }
        write::value(part, out);
        Ok(if let Scalar::Text(text) = part { text.to_owned() } else { String::new() })
    }

    /// What is no project's name can't be judged, and isn't shown.
    fn hides_project(&mut self, name: &str) -> bool {
        match NameRef::fold(name.as_bytes(), &mut self.name) {
            Ok(name) => self.judge.hides(Subject::Project(name)),
            Err(_not_a_name) => true,
        }
    }

    /// Likewise of one release. Not every change has a version.
    fn hides_release(&mut self, name: &str, version: &str) -> bool {
        match NameRef::fold(name.as_bytes(), &mut self.name) {
            Ok(name) => !version.is_empty() && self.judge.hides(Subject::Release(name, version)),
            Err(_not_a_name) => true,
        }
    }

    /// Whether an action (`add py3 file acme-1.0-py3-none-any.whl`) tells of a hidden file.
    fn hides_file_in(&mut self, action: &str) -> bool {
        // What else could stand beside a name (quotes, commas, a path) is no part of it.
        let is_inside = |c: char| c.is_ascii_alphanumeric() || "-_.+!~%".contains(c);
        let words = action.split(|c| !is_inside(c)).map(|word| word.trim_end_matches('.'));
        let mut files = words.flat_map(FileName::parse).filter(FileName::is_distribution);
        files.any(|file| self.judge.hides(Subject::File(&file)))
    }
}

/// Reads the open `value`, an integer, and goes out of it.
fn int(elements: &mut Elements<impl BufRead>) -> Result<i64, ResponseError> {
    match elements.scalar()? {
        Scalar::Int(number) => Ok(number),
        _ => Err(Malformed::Shape("not an integer").into()),
    }
}

/// Passes a fault: a struct of `faultCode` and `faultString`.
fn fault(elements: &mut Elements<impl BufRead>, output: &mut impl Write) -> Result<(), ResponseError> {
    const SHAPE: Malformed = Malformed::Shape("a fault has one `faultCode` and one `faultString`");
    let (mut code, mut string) = (None, None);
    elements.enter(Element::Value)?;
    elements.enter(Element::Struct)?;
    while elements.child_or_end(Element::Member)? {
        elements.enter(Element::Name)?;
        let is_code = match elements.text()? {
            "faultCode" if code.is_none() => true,
            "faultString" if string.is_none() => false,
            _ => return Err(SHAPE.into()),
        };
        elements.enter(Element::Value)?;
        match elements.scalar()? {
            Scalar::Int(number) if is_code => code = Some(number),
            Scalar::Text(text) if !is_code => string = Some(text.to_owned()),
            _ => return Err(SHAPE.into()),
        }
        elements.leave()?;
    }
    // Out of `value`, of `fault` and of the root.
    elements.leave()?;
    elements.leave()?;
    elements.leave()?;
    elements.finish()?;
    let (Some(code), Some(string)) = (code, string) else {
        return Err(SHAPE.into());
    };
    output.write_all(&write::fault(code, &string)).map_err(ResponseError::Output)
}
