//! Writes XML-RPC as Python's `xmlrpc.client.dumps` does.

use quick_xml::escape::partial_escape;

use super::super::xml::is_character;
use super::{Call, Scalar};

/// Before the value of an answer.
pub(super) const HEAD: &str = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n";

/// Behind the value of an answer.
pub(super) const TAIL: &str = "</param>\n</params>\n</methodResponse>\n";

/// Around the elements of an array.
pub(super) const ARRAY: (&str, &str) = ("<value><array><data>\n", "</data></array></value>\n");

/// Around the members of a struct.
pub(super) const STRUCT: (&str, &str) = ("<value><struct>\n", "</struct></value>\n");

/// The body of a call.
pub(super) fn call(call: Call) -> Vec<u8> {
    let mut out =
        format!("<?xml version='1.0'?>\n<methodCall>\n<methodName>{}</methodName>\n<params>\n", call.method());
    if let Call::ChangesSince(serial) = call {
        out.push_str("<param>\n");
        value(Scalar::Int(serial), &mut out);
        out.push_str("</param>\n");
    }
    out.push_str("</params>\n</methodCall>\n");
    out.into_bytes()
}

/// The body of an answer that says that a call has failed.
#[must_use]
pub fn fault(code: i64, text: &str) -> Vec<u8> {
    let text = text.replace(|c| !is_character(c), "\u{fffd}");
    let mut out = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n".to_owned();
    out.push_str(STRUCT.0);
    member("faultCode", Scalar::Int(code), &mut out);
    member("faultString", Scalar::Text(&text), &mut out);
    out.push_str(STRUCT.1);
    out.push_str("</fault>\n</methodResponse>\n");
    out.into_bytes()
}

/// A member of a struct.
pub(super) fn member(name: &str, of: Scalar<'_>, out: &mut String) {
    out.push_str("<member>\n<name>");
    out.push_str(&partial_escape(name));
    out.push_str("</name>\n");
    value(of, out);
    out.push_str("</member>\n");
}

/// A value without parts.
pub(super) fn value(scalar: Scalar<'_>, out: &mut String) {
    match scalar {
        Scalar::Text(text) => {
            out.push_str("<value><string>");
            out.push_str(&partial_escape(text));
            out.push_str("</string></value>\n");
        }
        Scalar::Int(number) => {
            // The specification's integers have four bytes; what is longer has a type of its own.
            let tag = if i32::try_from(number).is_ok() { "int" } else { "i8" };
            out.push_str(&format!("<value><{tag}>{number}</{tag}></value>\n"));
        }
        // Without a line end, in Python.
        Scalar::Nil => out.push_str("<value><nil/></value>"),
    }
}
