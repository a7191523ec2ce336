//! The XML-RPC that a mirror needs of PyPI (<http://xmlrpc.com/spec.md>): which calls may pass, and what of the answers.
//!
//! Three methods are understood, the ones that bandersnatch needs. Every other names projects in a way of its own, or is
//! gone from PyPI already; no installer calls any. What goes on is written here anew, in both directions.

mod elements;
mod response;
mod write;

use super::Malformed;
use super::xml::ReadError;
use elements::{Element, Elements, Scalar};

pub use response::{ResponseError, filter_response};
pub use write::fault;

/// The longest name of a method that is repeated to the caller.
const MAX_METHOD: usize = 64;

/// A call that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `changelog_last_serial()`: the number of the last change.
    LastSerial,
    /// `changelog_since_serial(serial)`: the changes after that one, at most 50 000.
    ChangesSince(i64),
    /// `list_packages_with_serial()`: all projects, and the last change of each.
    AllProjects,
}

/// Why a call may not pass. As text, it is what a fault says to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Not XML, or not a call.
    #[error("namewall does not pass an XML-RPC call that it can't read ({0}).")]
    Unreadable(#[from] Malformed),
    /// A method that isn't understood here.
    #[error(
        "namewall does not pass the XML-RPC method `{0}` to the public index, only changelog_last_serial, \
         changelog_since_serial and list_packages_with_serial; use the simple API instead."
    )]
    Method(String),
    /// A method that is understood, with parameters that are not.
    #[error("namewall does not pass this XML-RPC call: {0}.")]
    Parameters(&'static str),
}

impl From<ReadError> for Denied {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error.of_slice())
    }
}

impl Call {
    /// Reads the body of a request. How long it may be is the caller's business.
    ///
    /// # Errors
    /// [`Denied`] if it must not pass.
    pub fn parse(body: &[u8]) -> Result<Self, Denied> {
        let mut elements = Elements::new(body);
        elements.enter(Element::MethodCall)?;
        elements.enter(Element::MethodName)?;
        let method = match elements.text()? {
            "changelog_last_serial" => Self::LastSerial,
            "changelog_since_serial" => Self::ChangesSince(0),
            "list_packages_with_serial" => Self::AllProjects,
            other => return Err(denied(other)),
        };
        let mut parameters = Vec::new();
        if elements.child_or_end(Element::Params)? {
            while elements.child_or_end(Element::Param)? {
                elements.enter(Element::Value)?;
                parameters.push(if let Scalar::Int(number) = elements.scalar()? { Some(number) } else { None });
                elements.leave()?;
            }
            elements.leave()?;
        }
        elements.finish()?;
        match (method, parameters.as_slice()) {
            (Self::ChangesSince(_), [Some(serial)]) => Ok(Self::ChangesSince(*serial)),
            (Self::ChangesSince(_), _) => Err(Denied::Parameters("changelog_since_serial takes one integer")),
            (method, []) => Ok(method),
            _ => Err(Denied::Parameters("the method takes no parameters")),
        }
    }

    /// The method's name.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::LastSerial => "changelog_last_serial",
            Self::ChangesSince(_) => "changelog_since_serial",
            Self::AllProjects => "list_packages_with_serial",
        }
    }

    /// The body that goes upstream, whatever the client's looked like.
    #[must_use]
    pub fn render(self) -> Vec<u8> {
        write::call(self)
    }
}

/// The specification's own alphabet for methods' names; anything else isn't repeated.
fn denied(method: &str) -> Denied {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.:/".contains(c);
    if (1..=MAX_METHOD).contains(&method.len()) && method.chars().all(is_name) {
        Denied::Method(method.to_owned())
    } else {
        Denied::Unreadable(Malformed::Shape("not a method's name"))
    }
}

#[cfg(test)]
mod tests;
