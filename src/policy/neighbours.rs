//! Finds names that are one edit away: whatever is left of two such names is the same when the right letter of each is
//! left out, so the hashes of all that can be left are looked up.

/// The base of the hash: a polynomial, so that leaving out the next letter takes three steps and not a whole pass.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// Names by the hashes of themselves, and of themselves without each one of their letters. Sorted by hash, with a
/// directory by the first bits, for a look-up that touches one entry or none.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Where the entries of each bucket begin, and behind the last where they end.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// By how much a hash is shifted to give its bucket.
    shift: u32,
    shortest: usize,
    longest: usize,
}

/// One hash of one name. Half of the hash is enough: who asks compares the names anyway.
#[derive(Clone, Copy, Debug)]
struct Entry {
    check: u32,
    index: u32,
}

impl Neighbours {
    /// Indexes names, each under a number.
    pub(super) fn new<'a>(names: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let mut hashes: Vec<(u64, u32)> = Vec::new();
        let (mut shortest, mut longest) = (usize::MAX, 0);
        for (index, name) in names {
            let Ok(index) = u32::try_from(index) else { continue };
            each_hash(name.as_bytes(), |hash| hashes.push((hash, index)));
            shortest = shortest.min(name.len());
            longest = longest.max(name.len());
        }
        hashes.sort_unstable();
        let bits = (hashes.len().max(1)).ilog2() + 1;
        let shift = u64::BITS - bits;
        let bucket = |hash: u64| hash >> shift;
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        let mut before = 0_u32;
        for number in 0..1_u64 << bits {
            starts.push(before);
            let rest = hashes.get(before as usize..).unwrap_or_default();
            let here = rest.iter().take_while(|(hash, _)| bucket(*hash) == number).count();
            before = before.saturating_add(u32::try_from(here).unwrap_or(u32::MAX));
        }
        starts.push(before);
        let entries = hashes.into_iter().map(|(hash, index)| Entry { check: check(hash), index }).collect();
        Self { starts, entries, shift, shortest, longest }
    }

    /// Shows `visit` the number of each name that may be one edit away from `text`, some of them more than once.
    pub(super) fn each_near(&self, text: &str, mut visit: impl FnMut(usize)) {
        if text.len() + 1 < self.shortest || text.len() > self.longest + 1 || self.entries.is_empty() {
            return;
        }
        each_hash(text.as_bytes(), |hash| {
            for entry in self.bucket(hash).iter().filter(|entry| entry.check == check(hash)) {
                visit(entry.index as usize);
            }
        });
    }

    fn bucket(&self, hash: u64) -> &[Entry] {
        let number = usize::try_from(hash >> self.shift).unwrap_or(usize::MAX);
        let range = self.starts.get(number..).and_then(|starts| starts.first_chunk());
        let entries = range.and_then(|&[start, end]| self.entries.get(start as usize..end as usize));
        entries.unwrap_or_default()
    }
}

/// Whether one letter was inserted, left out or replaced, or two neighbours swapped, and nothing else.
pub(super) fn is_one_edit(one: &[u8], other: &[u8]) -> bool {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    match (one.get(same..).unwrap_or_default(), other.get(same..).unwrap_or_default()) {
        ([], []) => false,
        ([_, one @ ..], [_, other @ ..]) if one == other => true,
        ([a, b, one @ ..], [c, d, other @ ..]) if (a, b, one) == (d, c, other) => true,
        ([_, one @ ..], other) if one == other => true,
        (one, [_, other @ ..]) => one == other,
        _ => false,
    }
}

const fn check(hash: u64) -> u32 {
    (hash & 0xffff_ffff) as u32
}

/// Shows the hash of `text`, and of `text` without each of its letters; of a run of the same letter, without one.
fn each_hash(text: &[u8], mut show: impl FnMut(u64)) {
    // The letter at `at` counts `BASE^at` times, and one place less behind the one that is left out.
    let (mut before, mut behind) = (0_u64, 0_u64);
    let mut power = 1_u64;
    for &letter in text.iter().skip(1) {
        behind = behind.wrapping_add(power.wrapping_mul(u64::from(letter)));
        power = power.wrapping_mul(BASE);
    }
    power = 1;
    let mut last = None;
    let next_letters = text.iter().skip(1).copied().chain([0]);
    for (&letter, next) in text.iter().zip(next_letters) {
        if last != Some(letter) {
            show(mixed(before.wrapping_add(behind)));
        }
        before = before.wrapping_add(power.wrapping_mul(u64::from(letter)));
        behind = behind.wrapping_sub(power.wrapping_mul(u64::from(next)));
        power = power.wrapping_mul(BASE);
        last = Some(letter);
    }
    show(mixed(before));
}

/// Spreads a polynomial's bits, of which the last ones know the first letters alone.
const fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_edit_is_what_it_is_for_others(one in "[ab-]{0,6}", other in "[ab-]{0,6}") {
            let naive = strsim::osa_distance(&one, &other) == 1;
            prop_assert_eq!(is_one_edit(one.as_bytes(), other.as_bytes()), naive);
        }

        #[test]
        fn hashes_are_those_of_the_texts_that_are_left(text in "[a-c]{1,9}") {
            let whole = |text: &[u8]| {
                let mut hash = 0;
                each_hash(text, |last| hash = last);
                hash
            };
            let mut shown = Vec::new();
            each_hash(text.as_bytes(), |hash| shown.push(hash));
            let mut expected: Vec<u64> = (0..text.len()).map(|at| [&text.as_bytes()[..at], &text.as_bytes()[at + 1..]].concat()).map(|left| whole(&left)).collect();
            expected.push(whole(text.as_bytes()));
            for hash in &expected {
                prop_assert!(shown.contains(hash));
            }
            prop_assert!(shown.iter().all(|hash| expected.contains(hash)));
        }
    }
}
