//! Reads the boundary out of a request's `Content-Type`, and tells a form from anything else.

use super::error::BadUpload;
use super::params::{Parameters, is_utf_8};

/// The longest boundary of RFC 2046 section 5.1.1.
const MAX_BOUNDARY: usize = 70;

/// Whether a body of this type may be a form with files, for some reader. In doubt it is: [`super::Upload::new`] then
/// refuses what is none.
#[must_use]
pub fn is_multipart_form(content_type: &str) -> bool {
    let visible = content_type.bytes().filter(u8::is_ascii_graphic).map(|byte| byte.to_ascii_lowercase());
    let visible: Vec<u8> = visible.collect();
    memchr::memmem::find(&visible, b"multipart/").is_some()
}

/// The boundary of a `multipart/form-data` body.
///
/// Parameters other than `boundary` are refused, since no client sends any: some servers decode the fields by a
/// `charset`, and all that a made-up one is good for is to hide a second boundary in it.
pub(super) fn of_content_type(content_type: &str) -> Result<&str, BadUpload> {
    let read = Parameters::parse(content_type).map_err(BadUpload::ContentType)?;
    if !read.value.eq_ignore_ascii_case("multipart/form-data") {
        return Err(BadUpload::ContentType("it is not `multipart/form-data`"));
    }
    let mut boundary = None;
    for (name, value) in read.pairs() {
        if name.eq_ignore_ascii_case("boundary") {
            boundary = Some(value);
        } else if !(name.eq_ignore_ascii_case("charset") && is_utf_8(value)) {
            return Err(BadUpload::ContentType("it has a parameter other than the boundary"));
        }
    }
    let boundary = boundary.ok_or(BadUpload::ContentType("it has no boundary"))?;
    if boundary.len() > MAX_BOUNDARY {
        return Err(BadUpload::ContentType("its boundary has more than 70 characters"));
    }
    if !is_boundary(boundary) {
        return Err(BadUpload::ContentType("its boundary is empty, or has a character that none has"));
    }
    Ok(boundary)
}

/// Whether `text` is a boundary of RFC 2046 without a space in it, at which some readers end.
fn is_boundary(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_as_clients_write_them() {
        let long = format!("multipart/form-data; boundary={}", "b".repeat(70));
        assert!(of_content_type(&long).is_ok());
        for content_type in [
            "multipart/form-data; boundary=b-1",
            "multipart/form-data;boundary=b-1",
            "Multipart/Form-Data; Boundary=\"b-1\"",
            " multipart/form-data ; charset=utf-8; boundary=b-1",
        ] {
            assert_eq!(of_content_type(content_type), Ok("b-1"), "{content_type}");
        }
        assert_eq!(of_content_type("multipart/form-data; boundary=\"=_(a),b:c/d?e'f+.\""), Ok("=_(a),b:c/d?e'f+."));
    }

    #[test]
    fn other_types_and_boundaries_are_refused() {
        let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        for content_type in [
            "",
            "multipart/form-data",
            "multipart/form-data;",
            "multipart/form-data; boundary",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"b",
            "multipart/form-data; boundary=b 1",
            "multipart/form-data; boundary=\"b 1\"",
            "multipart/form-data; boundary=\"b \"",
            "multipart/form-data; boundary=\"b;\"",
            "multipart/form-data; boundary=b:1",
            "multipart/form-data; boundary=b%31",
            "multipart/form-data; boundary=b; boundary=b",
            "multipart/form-data; boundary=b; BOUNDARY=c",
            "multipart/form-data; boundary*=utf-8''b",
            "multipart/form-data; boundary*0=b",
            "multipart/form-data; boundary=b; boundary*=c",
            "multipart/form-data; boundary=b; charset=utf-16",
            "multipart/form-data; x=\"; boundary=c\"; boundary=b",
            "multipart/form-data; boundary=b, multipart/form-data; boundary=c",
            "multipart/form-data, multipart/form-data; boundary=b",
            "multipart/mixed; boundary=b",
            "multipart/form-data+x; boundary=b",
            "application/x-www-form-urlencoded",
            &long,
        ] {
            assert!(of_content_type(content_type).is_err(), "{content_type}");
        }
    }

    #[test]
    fn a_form_is_told_in_any_dress() {
        for content_type in [
            "multipart/form-data; boundary=b",
            "MULTIPART/FORM-DATA",
            " \tmultipart/form-data",
            "multipart / form-data",
            "multipart/mixed",
            "\"multipart/form-data\"",
            "text/plain, multipart/form-data; boundary=b",
            ";multipart/form-data",
        ] {
            assert!(is_multipart_form(content_type), "{content_type:?}");
        }
        for content_type in ["", "text/xml", "application/x-www-form-urlencoded", "multipart"] {
            assert!(!is_multipart_form(content_type), "{content_type:?}");
        }
    }
}
