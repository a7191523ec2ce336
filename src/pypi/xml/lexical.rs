//! The lexical rules of XML 1.0 (fifth edition) that quick-xml leaves unchecked: characters, names, references,
//! attributes, the declaration.

use std::borrow::Cow;

use memchr::memmem;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesCData, BytesText};

use super::Tag;

/// The most attributes that one tag may have: each is compared with all before it.
const MAX_ATTRIBUTES: usize = 64;

/// What is wrong.
type What = &'static str;

/// Section 2.3, `S`.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Whether `text` is nothing but white space.
pub(in super::super) fn is_space(text: &str) -> bool {
    text.trim_matches(SPACE).is_empty()
}

/// Section 2.2, `Char`: no control characters but tab and line ends, and not U+FFFE and U+FFFF.
pub(in super::super) const fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

pub(super) fn characters(text: &str) -> Result<(), What> {
    if text.chars().all(is_character) { Ok(()) } else { Err("a character that XML doesn't allow") }
}

/// A run of text without markup and references.
pub(super) fn text(raw: &str) -> Result<Cow<'_, str>, What> {
    characters(raw)?;
    // Section 2.4 forbids it, and some parsers end a CDATA section there.
    if memmem::find(raw.as_bytes(), b"]]>").is_some() {
        return Err("`]]>` in a text");
    }
    Ok(BytesText::from_escaped(raw).xml10_content())
}

/// `<![CDATA[…]]>`.
pub(super) fn cdata(raw: &str) -> Result<Cow<'_, str>, What> {
    let content = raw.strip_prefix("<![CDATA[").and_then(|raw| raw.strip_suffix("]]>"));
    let content = content.ok_or("not a CDATA section")?;
    characters(content)?;
    Ok(BytesCData::new(content).xml10_content())
}

/// `&…;`: one of the five predefined entities, or a character.
pub(super) fn reference(raw: &str) -> Result<Cow<'_, str>, What> {
    let decoded = unescape(raw).map_err(|_unknown| "a reference to an unknown entity, or to no character")?;
    characters(&decoded)?;
    Ok(decoded)
}

/// `<name attribute="value"…>` or `<…/>`.
pub(super) fn tag(raw: &str) -> Result<Tag<'_>, What> {
    let inner = raw.strip_prefix('<').and_then(|raw| raw.strip_suffix('>')).ok_or("not a tag")?;
    let (name, rest) = name(inner.strip_suffix('/').unwrap_or(inner))?;
    Ok(Tag { name, attributes: attributes(rest)? })
}

/// `<?xml version="1.0"…?>`; whether it says that the document is in ASCII.
pub(super) fn declaration(raw: &str) -> Result<bool, What> {
    let inner = raw.strip_prefix("<?xml").and_then(|raw| raw.strip_suffix("?>")).ok_or("not an XML declaration")?;
    let attributes = attributes(inner)?;
    let mut attributes = attributes.iter().map(|(name, value)| (*name, &**value)).peekable();
    // 1.1 has other line ends and other characters (its section 2.11).
    attributes.next_if_eq(&("version", "1.0")).ok_or("not XML 1.0")?;
    let encoding = attributes.next_if(|(name, _)| *name == "encoding").map_or("utf-8", |(_, encoding)| encoding);
    let _standalone = attributes.next_if(|(name, value)| *name == "standalone" && ["yes", "no"].contains(value));
    if attributes.next().is_some() {
        return Err("not an XML declaration");
    }
    // lxml, and with it bandersnatch, declares ASCII when nobody asks for more.
    match encoding.to_ascii_lowercase().as_str() {
        "utf-8" => Ok(false),
        "ascii" | "us-ascii" => Ok(true),
        _ => Err("declared as another encoding than UTF-8"),
    }
}

/// Each attribute, decoded. Section 3.1: white space before each, and no name twice.
fn attributes(mut rest: &str) -> Result<Vec<(&str, Cow<'_, str>)>, What> {
    let mut attributes = Vec::new();
    loop {
        let begin = rest.trim_start_matches(SPACE);
        if begin.is_empty() {
            return Ok(attributes);
        }
        if begin.len() == rest.len() {
            return Err("no space before an attribute");
        }
        let (key, after) = name(begin)?;
        let after = after.trim_start_matches(SPACE).strip_prefix('=').ok_or("an attribute without a value")?;
        let after = after.trim_start_matches(SPACE);
        let quote = after.chars().next().filter(|quote| ['"', '\''].contains(quote)).ok_or("a value without quotes")?;
        let (value, after) =
            after.strip_prefix(quote).and_then(|after| after.split_once(quote)).ok_or("a value without an end")?;
        if value.contains('<') {
            return Err("`<` in an attribute's value");
        }
        characters(value)?;
        if attributes.iter().any(|(other, _)| *other == key) {
            return Err("the same attribute twice");
        }
        if attributes.len() == MAX_ATTRIBUTES {
            return Err("too many attributes");
        }
        attributes.push((key, reference(value)?));
        rest = after;
    }
}

/// The name that `text` begins with, and the rest. Names may hold more than ASCII, but no vocabulary known here does.
fn name(text: &str) -> Result<(&str, &str), What> {
    let belongs = |c: char| c.is_ascii_alphanumeric() || "_:.-".contains(c);
    let (name, rest) = text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()));
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || name.ends_with(':') {
        return Err("not a name");
    }
    Ok((name, rest))
}
