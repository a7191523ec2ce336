//! Decodes a path once, as the origin server does, and writes it back in its one canonical form.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::BadTarget;

/// What doesn't stand unencoded in a canonical path segment: all but RFC 3986 `pchar` (section 3.3).
const NOT_IN_SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A decoded path, in segments.
pub(super) struct Path<'a> {
    /// Without empty and dot segments.
    pub(super) segments: Vec<&'a str>,
    /// Whether something was lost on the way: dot segments, empty ones, backslashes.
    pub(super) normalised: bool,
    pub(super) trailing_slash: bool,
}

/// Percent-decodes the whole path, `%2F` too.
pub(super) fn decode(raw: &str) -> Result<Cow<'_, str>, BadTarget> {
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_utf8| BadTarget::NotUtf8)?;
    if decoded.bytes().any(|byte| byte.is_ascii_control()) { Err(BadTarget::Control) } else { Ok(decoded) }
}

/// The segments as they stand, dots and all.
pub(super) fn raw_segments(decoded: &str) -> impl Iterator<Item = &str> {
    decoded.split(['/', '\\'])
}

impl<'a> Path<'a> {
    pub(super) fn split(decoded: &'a str) -> Self {
        let mut path = Self {
            segments: Vec::with_capacity(8),
            normalised: decoded.contains('\\') || decoded.contains("//"),
            trailing_slash: decoded.ends_with(['/', '\\']),
        };
        for segment in raw_segments(decoded) {
            match segment {
                "" => {}
                "." => path.normalised = true,
                ".." => {
                    path.normalised = true;
                    path.segments.pop();
                }
                other => path.segments.push(other),
            }
        }
        path
    }

    pub(super) fn canonical(&self) -> String {
        let mut text = String::with_capacity(128);
        for segment in &self.segments {
            text.push('/');
            text.extend(utf8_percent_encode(segment, NOT_IN_SEGMENT));
        }
        if self.trailing_slash || text.is_empty() {
            text.push('/');
        }
        text
    }
}
