//! Strings in JSON: where they end, and what they say.

use std::borrow::Cow;
use std::fmt;

use crate::pypi::Malformed;

/// A JSON string that has been checked: what stands between its quotes.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    pub(super) inner: &'a [u8],
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// What stands between the quotes, escapes and all.
    #[must_use]
    pub const fn written(self) -> &'a [u8] {
        self.inner
    }

    /// What the string says.
    ///
    /// # Errors
    /// [`Malformed::Shape`] if an escape is half a surrogate pair: there is no such text.
    pub fn decode(self) -> Result<Cow<'a, str>, Malformed> {
        let text = std::str::from_utf8(self.inner).map_err(|_checked| Malformed::Shape("a string is not UTF-8"))?;
        if self.escaped { unescape(text).map(Cow::Owned) } else { Ok(Cow::Borrowed(text)) }
    }

    /// What the string says, as UTF-8 bytes: for those who only compare them.
    ///
    /// # Errors
    /// As [`Text::decode`].
    #[inline]
    pub fn decode_bytes(self) -> Result<Cow<'a, [u8]>, Malformed> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.inner));
        }
        self.decode().map(|text| Cow::Owned(text.into_owned().into_bytes()))
    }

    /// Whether it says `expected`, however it is written.
    #[must_use]
    pub fn is(self, expected: &str) -> bool {
        if self.escaped { self.decode().is_ok_and(|text| text == expected) } else { self.inner == expected.as_bytes() }
    }

    pub(super) fn says_the_same(self, other: Self) -> bool {
        if self.escaped || other.escaped { self.decode() == other.decode() } else { self.inner == other.inner }
    }
}

/// How many bytes lie before the next quote, backslash or control character, and whether all of them are ASCII (a `no`
/// may be wrong: it only costs a second look). Eight bytes at a time: most strings on a page are shorter than what a
/// call into memchr costs.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> (usize, bool) {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // Sets the high bit of each byte below `limit`; bytes after (above) the first one may be wrong, the first one never is.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let (mut length, mut seen, mut rest) = (0, 0, bytes);
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        // With one bit turned, a quote is the byte behind the control characters, and these are still these.
        let stop = below(word ^ (ONES * 2), 0x21) | below(word ^ (ONES * u64::from(b'\\')), 1);
        seen |= word;
        if stop != 0 {
            return (length + stop.trailing_zeros() as usize / 8, seen & HIGH == 0);
        }
        length += 8;
        rest = after;
    }
    let mut ascii = seen & HIGH == 0;
    for byte in rest {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        ascii &= byte.is_ascii();
        length += 1;
    }
    (length, ascii)
}

fn unescape(text: &str) -> Result<String, Malformed> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        decoded.push_str(plain);
        let (character, after) = unescape_one(escape).ok_or(Malformed::Shape("a string has half a surrogate pair"))?;
        decoded.push(character);
        rest = after;
    }
    decoded.push_str(rest);
    Ok(decoded)
}

/// One escape without its backslash, and what follows it. Two for a character outside the basic plane.
fn unescape_one(escape: &str) -> Option<(char, &str)> {
    let mut characters = escape.chars();
    let character = match characters.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let (unit, rest) = code_unit(characters.as_str())?;
            if let Some(character) = char::from_u32(unit) {
                return Some((character, rest));
            }
            let (low, rest) = code_unit(rest.strip_prefix("\\u")?)?;
            let pair = [u16::try_from(unit).ok()?, u16::try_from(low).ok()?];
            return Some((char::decode_utf16(pair).next()?.ok()?, rest));
        }
        itself => itself,
    };
    Some((character, characters.as_str()))
}

fn code_unit(digits: &str) -> Option<(u32, &str)> {
    let (digits, rest) = digits.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.inner.escape_ascii())
    }
}
