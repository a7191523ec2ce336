//! What a name, a password and a hash are remembered by: nothing that they could be learnt from.

use std::hash::{Hash, Hasher};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;

/// A keyed hash; the key is the process's own, and nobody ever sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag([u8; 32]);

/// What makes tags.
#[derive(Debug)]
pub(super) struct Tagger(hmac::Key);

impl Tagger {
    pub(super) fn new() -> Result<Self, Unspecified> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map(Self)
    }

    /// The tag of all `parts`, in this order.
    pub(super) fn tag(&self, parts: [&[u8]; 3]) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            // With its length, so that no other parts make the same text.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = Tag([0; 32]);
        tag.0.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Tag {}

impl Hash for Tag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As good as random already.
        state.write(self.0.split_at(8).0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_parts_have_the_same_tag_and_no_other_process() {
        let (one, other) = (Tagger::new().unwrap(), Tagger::new().unwrap());
        assert_eq!(one.tag([b"a", b"b", b"c"]), one.tag([b"a", b"b", b"c"]));
        assert_ne!(one.tag([b"a", b"b", b"c"]), one.tag([b"ab", b"", b"c"]));
        assert_ne!(one.tag([b"a", b"b", b"c"]), other.tag([b"a", b"b", b"c"]));
    }
}
