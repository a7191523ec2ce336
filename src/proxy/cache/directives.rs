//! Reads `Cache-Control` (RFC 9111 section 5.2): of a question and of an answer.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};

use super::super::headers::list;

/// What can't be read as a number of seconds is none: such an answer is stale, such a wish is strict.
const UNREADABLE: Duration = Duration::ZERO;

/// The directives that matter to a shared cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) only_if_cached: bool,
    pub(super) max_age: Option<Duration>,
    pub(super) s_maxage: Option<Duration>,
    pub(super) min_fresh: Option<Duration>,
}

impl Directives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut read = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            let value = String::from_utf8_lossy(value.as_bytes());
            // What two readers could read differently is kept by neither.
            read.no_store |= value.contains('\\') || value.matches('"').count() % 2 == 1;
            for directive in list(&value) {
                read.add(directive);
            }
        }
        // What HTTP/1.0 said before there was Cache-Control (section 5.4).
        if !headers.contains_key(CACHE_CONTROL) {
            let pragma = headers.get_all(PRAGMA).iter().filter_map(|value| value.to_str().ok());
            read.no_cache = pragma.flat_map(list).any(|word| word.eq_ignore_ascii_case("no-cache"));
        }
        read
    }

    fn add(&mut self, directive: &str) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        let seconds = |kept: &mut Option<Duration>| {
            let length = delta(argument.trim());
            // Of several, the shortest: none of them may be overstepped.
            *kept = Some(kept.map_or(length, |kept| kept.min(length)));
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" => self.no_store = true,
            // With the names of fields they allow more; nobody is bound to use that.
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => seconds(&mut self.max_age),
            "s-maxage" => seconds(&mut self.s_maxage),
            "min-fresh" => seconds(&mut self.min_fresh),
            _ => {}
        }
    }
}

/// A number of seconds (section 1.2.2). What is too large to count is very long.
fn delta(text: &str) -> Duration {
    let digits = text.trim_matches('"');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return UNREADABLE;
    }
    Duration::from_secs(u64::from(digits.parse().unwrap_or(u32::MAX >> 1).min(u32::MAX >> 1)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Directives {
        Directives::of(&HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_str(value).unwrap())]))
    }

    #[test]
    fn what_servers_and_clients_write() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(read("max-age=600, public"), Directives { max_age: seconds(600), ..Directives::default() });
        let both = Directives { max_age: seconds(0), no_cache: true, ..Directives::default() };
        assert_eq!(read("Max-Age=0 ,No-Cache"), both);
        assert_eq!(read("private=\"a, no-store\", s-maxage=\"5\"").s_maxage, seconds(5));
        assert!(read("private=\"a, no-store\"").private && !read("private=\"a, no-store\"").no_store);
        assert_eq!(read("max-age=9, max-age=3").max_age, seconds(3));
        for unreadable in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=x"] {
            assert_eq!(read(unreadable).max_age, seconds(0), "{unreadable}");
        }
        assert_eq!(read("max-age=99999999999999999999").max_age, seconds(u64::from(u32::MAX >> 1)));
        assert_eq!(read(""), Directives::default());
    }

    #[test]
    fn pragma_counts_where_nothing_newer_is_said() {
        let mut headers = HeaderMap::from_iter([(PRAGMA, HeaderValue::from_static("no-cache"))]);
        assert!(Directives::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        assert!(!Directives::of(&headers).no_cache);
    }
}
