//! ETags of our own: they name the policy and the representation, so that a page fetched under other rules is never
//! revived by an upstream 304.

use http::header::{
    ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};

use super::headers::list;

/// Makes and reads the tags of one representation under one policy.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    prefix: String,
}

impl Tags {
    pub(super) fn new(fingerprint: &str, representation: &str) -> Self {
        Self { prefix: format!("nw-{fingerprint}-{representation}-") }
    }

    /// Our tag for the page whose upstream tag `upstream` has; `None` if it has none that is well formed.
    pub(super) fn outer(&self, upstream: &HeaderMap) -> Option<HeaderValue> {
        let (weak, inner) = opaque(upstream.get(ETAG)?.to_str().ok()?)?;
        HeaderValue::try_from(format!("{weak}\"{}{inner}\"", self.prefix)).ok()
    }

    /// Puts the upstream tags inside the client's own conditions into `request`, and drops every other condition:
    /// a tag of another policy, or of upstream itself, would let a 304 revive what must not be seen.
    pub(super) fn unwrap_conditions(&self, request: &mut HeaderMap) {
        let inner: Vec<String> = request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(list)
            .filter_map(opaque)
            .filter_map(|(weak, tag)| Some(format!("{weak}\"{}\"", tag.strip_prefix(&self.prefix)?)))
            .collect();
        for name in [IF_NONE_MATCH, IF_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE] {
            request.remove(name);
        }
        if let Ok(value) = HeaderValue::try_from(inner.join(", "))
            && !inner.is_empty()
        {
            request.insert(IF_NONE_MATCH, value);
        }
    }
}

/// Whether two tags are the same, strong or weak (RFC 9110 section 8.8.3.2).
pub(super) fn are_same(one: &HeaderValue, other: &HeaderValue) -> bool {
    named(one).is_some_and(|tag| named(other) == Some(tag))
}

/// Whether a condition of the client's names `tag`, strong or weak (RFC 9110 section 13.1.2). `*` names none: whoever
/// has something, of whatever rules, is not told that it is the page.
pub(super) fn is_named(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let Some(wanted) = named(tag) else { return false };
    let fields = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(list).filter_map(opaque).any(|(_, named)| named == wanted)
}

/// What stands between the quotes of a field that is one entity tag.
fn named(tag: &HeaderValue) -> Option<&str> {
    opaque(tag.to_str().ok()?).map(|(_, named)| named)
}

/// An entity tag's weakness mark and what stands between its quotes.
fn opaque(tag: &str) -> Option<(&str, &str)> {
    let (weak, quoted) = match tag.strip_prefix("W/") {
        Some(quoted) => ("W/", quoted),
        None => ("", tag),
    };
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('"')).then_some((weak, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn conditions(value: &str) -> Option<String> {
        let mut request = headers(IF_NONE_MATCH, value);
        request.insert(IF_MODIFIED_SINCE, HeaderValue::from_static("Mon, 23 Nov 2026 00:00:00 GMT"));
        request.insert(RANGE, HeaderValue::from_static("bytes=0-1"));
        Tags::new("0123456789ab", "json").unwrap_conditions(&mut request);
        assert!(!request.contains_key(IF_MODIFIED_SINCE) && !request.contains_key(RANGE));
        request.get(IF_NONE_MATCH).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn outer_and_inner_tags() {
        let tags = Tags::new("0123456789ab", "json");
        let outer = |tag| tags.outer(&headers(ETAG, tag)).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(outer("\"abc\"").as_deref(), Some("\"nw-0123456789ab-json-abc\""));
        assert_eq!(outer("W/\"abc\"").as_deref(), Some("W/\"nw-0123456789ab-json-abc\""));
        assert_eq!(outer("abc"), None);
    }

    #[test]
    fn only_a_tag_of_this_policy_and_representation_goes_upstream() {
        assert_eq!(conditions("\"nw-0123456789ab-json-abc\"").as_deref(), Some("\"abc\""));
        assert_eq!(conditions("W/\"nw-0123456789ab-json-a,c\", \"x\"").as_deref(), Some("W/\"a,c\""));
        for foreign in ["\"abc\"", "\"nw-0123456789ab-html-abc\"", "\"nw-ffffffffffff-json-abc\"", "*", "abc", ""] {
            assert_eq!(conditions(foreign), None, "{foreign}");
        }
    }
}
