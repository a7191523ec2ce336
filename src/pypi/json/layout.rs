//! The keys of one object, as a guess at those of the next: the elements of a list mostly have the same, in one order.
//!
//! What is as guessed needn't be looked into: keys that were all different in one object are so in the next.

use super::keys::{FEW_KEYS, OpenObject};
use super::{Reader, Text};
use crate::pypi::Malformed;

/// The keys of the object that was read last.
#[derive(Debug, Default)]
pub(in crate::pypi) struct Layout<'a> {
    keys: Vec<Key<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Key<'a> {
    text: Text<'a>,
    /// From quote to colon.
    written: &'a [u8],
}

impl<'a> Reader<'a> {
    /// As [`Reader::object_with`], faster if its keys are those of `layout`; which are then those of this object.
    pub(in crate::pypi) fn object_like(
        &mut self,
        layout: &mut Layout<'a>,
        member: impl FnMut(&mut Self, Text<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        // How many keys were as guessed; none is, once one was not.
        let (mut count, mut guessing) = (0, true);
        let next_key = |reader: &mut Self, open: &mut OpenObject| {
            if let Some(key) = layout.keys.get(count).filter(|key| guessing && reader.is_next(key.written)) {
                reader.at += key.written.len();
                count += 1;
                return Ok(key.text);
            }
            if guessing {
                reader.no_more_guesses(layout, count, open);
                guessing = false;
            }
            reader.key_of(layout, open)
        };
        self.object_of_keys(next_key, member)
    }

    #[inline]
    fn is_next(&self, written: &[u8]) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(written))
    }

    /// From here on, each key is compared with those before it, of which the first `count` are in `layout`.
    fn no_more_guesses(&mut self, layout: &mut Layout<'a>, count: usize, open: &mut OpenObject) {
        layout.keys.truncate(count);
        if self.checked {
            return;
        }
        for key in &layout.keys {
            open.may_have(key.text);
            self.keys.push(key.text);
        }
    }

    /// Reads a key that wasn't guessed, and remembers it.
    fn key_of(&mut self, layout: &mut Layout<'a>, open: &mut OpenObject) -> Result<Text<'a>, Malformed> {
        self.peek()?;
        let start = self.at;
        let text = self.key(open)?;
        let written = self.bytes.get(start..self.at).unwrap_or_default();
        if layout.keys.len() < FEW_KEYS {
            layout.keys.push(Key { text, written });
        }
        Ok(text)
    }
}
