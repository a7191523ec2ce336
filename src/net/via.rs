//! The name by which a proxy knows its own requests again when they come back to it (`Via`, RFC 9110 section 7.6.3).

use http::header::{HeaderMap, HeaderValue, VIA};

/// What every namewall's name begins with.
const FAMILY: &str = "namewall-";

/// The name of one running proxy; no two have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudonym(String);

impl Default for Pseudonym {
    fn default() -> Self {
        let mut bytes = [0; 8];
        // Without randomness two proxies may have one name, and the second takes the first's requests for its own.
        let _filled = aws_lc_rs::rand::fill(&mut bytes);
        Self(format!("{FAMILY}{:016x}", u64::from_be_bytes(bytes)))
    }
}

impl Pseudonym {
    /// Whether a request with these fields has been here before.
    #[must_use]
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        entries(headers).any(|entry| by(entry) == self.0)
    }

    /// The value of `Via` for a request that goes on to another proxy, and came with these fields.
    #[must_use]
    pub fn after(&self, headers: &HeaderMap) -> String {
        let own = format!("1.1 {}", self.0);
        let before = entries(headers).map(str::to_owned);
        before.chain([own]).collect::<Vec<_>>().join(", ")
    }
}

/// Leaves of `Via` what namewalls have written: who else a request came by is nobody's business.
pub fn keep_ours(headers: &mut HeaderMap) {
    keep(headers, |entry| by(entry).starts_with(FAMILY));
}

/// Takes off what namewalls have written in `Via`: behind them all no proxy is left that could send it back.
pub fn drop_ours(headers: &mut HeaderMap) {
    keep(headers, |entry| !by(entry).starts_with(FAMILY));
}

fn keep(headers: &mut HeaderMap, is_kept: impl Fn(&str) -> bool) {
    if !headers.contains_key(VIA) {
        return;
    }
    let kept: Vec<&str> = entries(headers).filter(|entry| is_kept(entry)).collect();
    let value = HeaderValue::try_from(kept.join(", "));
    headers.remove(VIA);
    if let Some(value) = value.ok().filter(|value| !value.is_empty()) {
        headers.insert(VIA, value);
    }
}

/// The entries of all `Via` fields. A comment with a comma in it falls apart, and harms nothing.
fn entries(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|entry| !entry.is_empty())
}

/// Who wrote an entry: what follows the version of the protocol.
fn by(entry: &str) -> &str {
    entry.split_ascii_whitespace().nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (VIA, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn one_knows_ones_own() {
        let (own, other) = (Pseudonym("namewall-1".to_owned()), Pseudonym("namewall-2".to_owned()));
        let mut headers = via(&["1.1 squid (squid/6, x)"]);
        headers.append(VIA, HeaderValue::from_static("1.1 namewall-2"));
        assert!(other.is_in(&headers) && !own.is_in(&headers));
        assert_eq!(own.after(&headers), "1.1 squid (squid/6, x), 1.1 namewall-2, 1.1 namewall-1");
        assert_eq!(own.after(&HeaderMap::new()), "1.1 namewall-1");
        assert_ne!(Pseudonym::default(), Pseudonym::default());
    }

    #[test]
    fn ours_are_told_from_others() {
        let before = via(&["1.1 namewall-2, 1.1 squid"]);
        let (mut ours, mut others) = (before.clone(), before);
        keep_ours(&mut ours);
        drop_ours(&mut others);
        assert_eq!((ours, others), (via(&["1.1 namewall-2"]), via(&["1.1 squid"])));
        let mut alone = via(&["1.1 namewall-2"]);
        drop_ours(&mut alone);
        assert_eq!(alone, HeaderMap::new());
    }
}
