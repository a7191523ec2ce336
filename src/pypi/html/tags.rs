//! HTML as the specification's tokenizer sees it: tags with their attributes, text and comments, one after the other.

use std::borrow::Cow;
use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::emitters::{Emitter, ForwardingEmitter};
use html5gum::{Error, Span, Tokenizer};

use crate::pypi::Malformed;
use crate::pypi::negotiate::is_utf8;

/// The most HTML that is read: the tokenizer pulls, so a page must be there as a whole. PyPI's root list has 50 MB.
pub(super) const MAX_PAGE: usize = 64 << 20;

/// One attribute of a start tag. One that stands twice is there twice: who reads it decides what that means.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pypi) struct Attribute {
    /// In lower case.
    pub(in crate::pypi) name: String,
    /// Decoded.
    pub(in crate::pypi) value: String,
    /// Where it stands.
    pub(in crate::pypi) at: usize,
}

/// What HTML is made of.
#[derive(Debug)]
pub(in crate::pypi) enum Piece<'a> {
    /// A start tag, its name in lower case.
    Start(&'a [u8], &'a [Attribute]),
    /// An end tag; attributes that it has mean nothing.
    End(&'a [u8]),
    /// Text, decoded: also what stands in a `<script>`, `<title>` and the like.
    Text(&'a str),
    /// A comment, or what is read as one (`<![CDATA[…`, `<?…`).
    Comment(&'a str),
    /// The last tag doesn't end, and counts for nothing.
    Unfinished,
}

/// How elements such as `<script>`, whose content is text, are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pypi) enum Content {
    /// As text, as the specification has it.
    AsText,
    /// As markup like any other.
    AsMarkup,
}

/// Reads `html` and hands out its pieces.
pub(in crate::pypi) fn read(html: &str, content: Content, mut take: impl FnMut(Piece<'_>)) {
    let mut tag = Tag::default();
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter(content, &mut tag, &mut take)).finish();
}

/// As [`read`], without [`Piece::Unfinished`], and faster.
pub(in crate::pypi) fn read_finished(html: &str, content: Content, mut take: impl FnMut(Piece<'_>)) {
    let mut tag = Tag::default();
    let Ok(()) = Tokenizer::new_with_emitter(html, Faultless(emitter(content, &mut tag, &mut take))).finish();
}

fn emitter<'t>(
    content: Content,
    tag: &'t mut Tag,
    take: &'t mut impl FnMut(Piece<'_>),
) -> impl Emitter<Token = Infallible> + 't {
    let mut emitter = CallbackEmitter::new(move |event: CallbackEvent<'_>, span: Span<usize>| {
        tag.take(&event, span.start, take);
        None
    });
    emitter.naively_switch_states(content == Content::AsText);
    emitter
}

/// Is told of no fault, so that the tokenizer needn't look at each character for one.
struct Faultless<E>(E);

impl<E: Emitter> ForwardingEmitter for Faultless<E> {
    type Token = E::Token;

    fn inner(&mut self) -> &mut impl Emitter<Token = Self::Token> {
        &mut self.0
    }

    #[inline]
    fn should_emit_errors(&mut self) -> bool {
        false
    }
}

/// UTF-8, with or without a mark: pip goes by the charset of the header, uv by the bytes, so there must be one answer.
pub(in crate::pypi) fn decode(bytes: &[u8]) -> Result<&str, Malformed> {
    if bytes.len() > MAX_PAGE {
        return Err(Malformed::Limit("HTML is longer than 64 MiB"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Malformed::Syntax { at: error.valid_up_to(), what: "HTML is not UTF-8" })?;
    // UTF-16 of plain ASCII without a mark is valid UTF-8, with a NUL for every other byte.
    match memchr::memchr(0, bytes) {
        Some(at) => Err(Malformed::Syntax { at, what: "a NUL stands in HTML" }),
        None => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
    }
}

/// The first attribute of that name: the one that counts in the specification.
pub(in crate::pypi) fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
}

/// A `<meta>` may say the charset in two ways, and must say UTF-8 in both.
pub(in crate::pypi) fn check_charset(meta: &[Attribute]) -> Result<(), Malformed> {
    let by_itself = find(meta, "charset").is_none_or(is_utf8);
    let is_header = find(meta, "http-equiv").is_some_and(|header| header.trim().eq_ignore_ascii_case("content-type"));
    let content = find(meta, "content").filter(|_| is_header).unwrap_or_default().to_ascii_lowercase();
    let label = content.split_once("charset=").map(|(_, label)| label.split(';').next().unwrap_or(label));
    if by_itself && label.is_none_or(is_utf8) { Ok(()) } else { Err(Malformed::Shape("its charset is not UTF-8")) }
}

/// The start tag that is being read.
#[derive(Debug, Default)]
struct Tag {
    open: bool,
    name: Vec<u8>,
    /// Its attributes, and behind them those of tags before it, whose room is used again.
    attributes: Vec<Attribute>,
    /// How many are its own.
    count: usize,
}

impl Tag {
    fn take(&mut self, event: &CallbackEvent<'_>, at: usize, take: &mut impl FnMut(Piece<'_>)) {
        match *event {
            CallbackEvent::OpenStartTag { name } => {
                self.open = true;
                self.name.clear();
                self.name.extend_from_slice(name);
                self.count = 0;
            }
            // Attributes of end tags are reported as well.
            CallbackEvent::AttributeName { .. } | CallbackEvent::AttributeValue { .. } if !self.open => {}
            CallbackEvent::AttributeName { name } => self.add_attribute(&text(name), at),
            CallbackEvent::AttributeValue { value } => {
                if let Some(last) = self.count.checked_sub(1).and_then(|last| self.attributes.get_mut(last)) {
                    last.value.push_str(&text(value));
                }
            }
            CallbackEvent::CloseStartTag { .. } => {
                self.open = false;
                take(Piece::Start(&self.name, self.attributes.get(..self.count).unwrap_or_default()));
            }
            CallbackEvent::EndTag { name } => take(Piece::End(name)),
            CallbackEvent::String { value } => take(Piece::Text(&text(value))),
            CallbackEvent::Comment { value } => take(Piece::Comment(&text(value))),
            CallbackEvent::Error(Error::EofInTag) => take(Piece::Unfinished),
            CallbackEvent::Error(_) | CallbackEvent::Doctype { .. } => {}
        }
    }

    fn add_attribute(&mut self, name: &str, at: usize) {
        if let Some(attribute) = self.attributes.get_mut(self.count) {
            name.clone_into(&mut attribute.name);
            attribute.value.clear();
            attribute.at = at;
        } else {
            self.attributes.push(Attribute { name: name.to_owned(), value: String::new(), at });
        }
        self.count += 1;
    }
}

/// As [`String::from_utf8_lossy`], and much faster where nothing is lost: always, since what is read is UTF-8.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_lossy| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_the_same_whether_or_not_faults_are_told(
            parts in proptest::collection::vec(
                "(<a |</a|<script>|</script|<!--|-->|<title>|</title>|href=|\"|'|>|/|&amp;|&#0;|&x|x|\u{fffe}|\u{e9}|\u{1}| |=|<!\\[CDATA\\[|<[?]){0,3}",
                0..12,
            ),
        ) {
            let html = parts.concat();
            for content in [Content::AsText, Content::AsMarkup] {
                let (mut all, mut finished) = (Vec::new(), Vec::new());
                read(&html, content, |piece| match piece {
                    Piece::Unfinished => {}
                    piece => all.push(format!("{piece:?}")),
                });
                read_finished(&html, content, |piece| finished.push(format!("{piece:?}")));
                prop_assert_eq!(finished, all, "{}", html);
            }
        }
    }
}
