//! Decides which representation of a simple page a client is given, and which one upstream has sent.

use super::Malformed;

/// The representations of a root list or a project page (PEP 691).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Representation {
    /// `application/vnd.pypi.simple.v1+json`.
    Json,
    /// `application/vnd.pypi.simple.v1+html`.
    Html,
    /// `text/html`: the same bytes as [`Representation::Html`] under its old name.
    TextHtml,
}

impl Representation {
    /// The `Content-Type` that is sent with it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/vnd.pypi.simple.v1+json",
            Self::Html => "application/vnd.pypi.simple.v1+html",
            Self::TextHtml => "text/html; charset=UTF-8",
        }
    }

    /// A short word for it: part of an entity tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::TextHtml => "text",
        }
    }

    /// Whether it is HTML under either name.
    #[must_use]
    pub const fn is_html(self) -> bool {
        matches!(self, Self::Html | Self::TextHtml)
    }

    /// The representation that PyPI would choose: a known `format` in the query beats `Accept`; of what `accept` takes,
    /// the best quality wins, a named type before a wildcard, then the first named; whatever is left gets `text/html`,
    /// never a 406.
    ///
    /// Several `Accept` lines are one list (RFC 9110 §5.3): join them with `,`.
    #[must_use]
    pub fn negotiate(accept: Option<&str>, query: Option<&str>) -> Self {
        query.and_then(requested_format).or_else(|| accept.and_then(best)).unwrap_or(Self::TextHtml)
    }

    /// The representation that upstream says it has sent. Strict, because clients choose their parser by it, and some
    /// know types that we don't (uv takes its own msgpack from any host).
    ///
    /// # Errors
    /// [`Malformed::Shape`] for a missing or any other type, and for a charset other than UTF-8 (or, as its subset,
    /// US-ASCII).
    pub fn of_response(content_type: Option<&str>) -> Result<Self, Malformed> {
        let content_type = content_type.ok_or(Malformed::Shape("it has no content type"))?;
        let essence = checked_essence(content_type)?;
        match Self::named(&essence) {
            Some(representation) if !essence.contains(".latest+") => Ok(representation),
            _ => Err(Malformed::Shape("its content type is not one of a simple page")),
        }
    }

    /// The representation with this exact, lower-case media type; `latest` is an alias that only requests use.
    fn named(essence: &str) -> Option<Self> {
        match essence {
            "application/vnd.pypi.simple.v1+json" | "application/vnd.pypi.simple.latest+json" => Some(Self::Json),
            "application/vnd.pypi.simple.v1+html" | "application/vnd.pypi.simple.latest+html" => Some(Self::Html),
            "text/html" => Some(Self::TextHtml),
            _ => None,
        }
    }
}

/// The `Content-Type` of upstream's answer, which must be one of `types` and, if it says so, in UTF-8.
///
/// # Errors
/// [`Malformed::Shape`] for a missing or any other type.
pub fn expect<'a>(content_type: Option<&'a str>, types: &[&str]) -> Result<&'a str, Malformed> {
    let content_type = content_type.ok_or(Malformed::Shape("it has no content type"))?;
    if types.contains(&&*checked_essence(content_type)?) {
        Ok(content_type)
    } else {
        Err(Malformed::Shape("its content type is not one of such a page"))
    }
}

/// The lower-case media type without its parameters, of which `charset` must be harmless.
fn checked_essence(content_type: &str) -> Result<String, Malformed> {
    let mut parts = split_unquoted(content_type, b';').into_iter();
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.trim().eq_ignore_ascii_case("charset") && !is_utf8(value) {
            return Err(Malformed::Shape("its charset is not UTF-8"));
        }
    }
    Ok(essence)
}

/// Whether a charset's label means UTF-8 or a subset of it.
pub(super) fn is_utf8(label: &str) -> bool {
    let label = label.trim().trim_matches('"');
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| label.eq_ignore_ascii_case(known))
}

fn requested_format(query: &str) -> Option<Representation> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("format="))?;
    // `+` stands for itself: PyPI compares the raw query, and these types have one in their name.
    let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
    Representation::named(&value)
}

/// One element of `Accept` that means something here.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

fn best(accept: &str) -> Option<Representation> {
    let accept = accept.to_ascii_lowercase();
    let ranges: Vec<Range<'_>> = split_unquoted(&accept, b',').into_iter().filter_map(Range::parse).collect();
    let named: Vec<Representation> = ranges.iter().filter_map(Range::representation).collect();
    let mut chosen: Option<(u16, bool, Representation)> = None;
    for range in ranges.iter().filter(|range| range.quality > 0) {
        let exact = range.representation();
        // A wildcard speaks for what isn't named (RFC 9110 §12.5.1: the most specific range counts).
        let offer = exact.or_else(|| range.wildcard().iter().find(|offer| !named.contains(offer)).copied());
        let Some(offer) = offer else { continue };
        let rank = (range.quality, exact.is_some());
        if chosen.is_none_or(|(quality, exact, _)| rank > (quality, exact)) {
            chosen = Some((rank.0, rank.1, offer));
        }
    }
    chosen.map(|(_, _, representation)| representation)
}

impl<'a> Range<'a> {
    /// `None` if it is malformed: such an element is ignored.
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = split_unquoted(element, b';').into_iter();
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let weight = parts.find_map(|parameter| parameter.trim().strip_prefix("q="));
        Some(Self { kind, subtype, quality: weight.map_or(Some(1000), quality)? })
    }

    fn representation(&self) -> Option<Representation> {
        Representation::named(&format!("{}/{}", self.kind, self.subtype))
    }

    /// What a wildcard stands for, in PyPI's order of preference.
    const fn wildcard(&self) -> &'static [Representation] {
        use Representation::{Html, Json, TextHtml};
        match (self.kind.as_bytes(), self.subtype.as_bytes()) {
            (b"*", b"*") => &[TextHtml, Html, Json],
            (b"text", b"*") => &[TextHtml],
            (b"application", b"*") => &[Html, Json],
            _ => &[],
        }
    }
}

/// A quality value in thousandths: `0`, `1`, or up to three decimals (RFC 9110 §12.4.2).
fn quality(raw: &str) -> Option<u16> {
    let raw = raw.trim();
    let (whole, decimals) = raw.split_once('.').unwrap_or((raw, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// Splits at a separator that doesn't stand in a quoted string (RFC 9110 §5.6.4).
fn split_unquoted(raw: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                parts.extend(raw.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(raw.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Representation::{Html, Json, TextHtml};
    use super::*;

    const JSON: &str = "application/vnd.pypi.simple.v1+json";

    #[test]
    fn what_clients_send() {
        for (accept, chosen) in [
            // pip, uv, poetry on PyPI, poetry elsewhere, old pip, hatch, a browser.
            (format!("{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"), Json),
            (format!("{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"), Json),
            (JSON.to_owned(), Json),
            (format!("{JSON}, */*;q=0.1"), Json),
            ("text/html".to_owned(), TextHtml),
            ("*/*".to_owned(), TextHtml),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8".to_owned(), TextHtml),
        ] {
            assert_eq!(Representation::negotiate(Some(&accept), None), chosen, "{accept}");
        }
        assert_eq!(Representation::negotiate(None, None), TextHtml);
    }

    #[test]
    fn accept_by_the_letter() {
        for (accept, chosen) in [
            ("application/vnd.pypi.simple.latest+json", Json),
            ("application/vnd.pypi.simple.latest+html", Html),
            ("Application/Vnd.PyPI.Simple.V1+JSON;Q=0.5, image/png", Json),
            ("application/vnd.pypi.simple.v1+json;q=0", TextHtml),
            ("application/vnd.pypi.simple.v1+json;q=0, application/vnd.pypi.simple.v1+html", Html),
            ("text/html;q=0.2, application/vnd.pypi.simple.v1+json;q=0.201", Json),
            ("text/html;q=0.20, application/vnd.pypi.simple.v1+json;q=0.200", TextHtml),
            ("application/vnd.pypi.simple.v1+json, text/html", Json),
            ("text/html, application/vnd.pypi.simple.v1+json", TextHtml),
            ("*/*, application/vnd.pypi.simple.v1+json", Json),
            ("text/html;q=0, */*", Html),
            ("text/html;q=0.1, */*;q=0.5", Html),
            ("application/*", Html),
            ("text/*;q=0.3, application/*;q=0.2", TextHtml),
            ("application/vnd.pypi.simple.v1+html;q=0, application/*", Json),
            ("application/json", TextHtml),
            ("application/vnd.pypi.simple.v2+json", TextHtml),
            ("", TextHtml),
            (",;=,,", TextHtml),
            ("application/vnd.pypi.simple.v1+json;q=2, text/html;q=0.1", TextHtml),
            ("application/vnd.pypi.simple.v1+json;q=0.1234", TextHtml),
            ("application/vnd.pypi.simple.v1+json;q=", TextHtml),
            (r#"text/html;x="a,b;q=0\"", application/vnd.pypi.simple.v1+json;q=0.9"#, TextHtml),
            (r#"image/png;x="text/html,text/html", application/vnd.pypi.simple.v1+json;q=0.9"#, Json),
        ] {
            assert_eq!(Representation::negotiate(Some(accept), None), chosen, "{accept}");
        }
    }

    #[test]
    fn format_beats_accept() {
        for (query, chosen) in [
            ("format=application/vnd.pypi.simple.v1+json", Json),
            ("x=1&format=application/vnd.pypi.simple.latest%2Bjson", Json),
            ("format=application/vnd.pypi.simple.v1+html&y", Html),
            ("format=text/html", TextHtml),
            ("format=application/json", Html),
            ("format=", Html),
            ("", Html),
        ] {
            let accept = Some("application/vnd.pypi.simple.v1+html");
            assert_eq!(Representation::negotiate(accept, Some(query)), chosen, "{query}");
        }
    }

    #[test]
    fn responses_are_read_strictly() {
        for (content_type, read) in [
            ("application/vnd.pypi.simple.v1+json", Json),
            ("Application/vnd.pypi.simple.v1+JSON ; charset=\"UTF-8\"", Json),
            ("application/vnd.pypi.simple.v1+html", Html),
            ("text/html;charset=us-ascii", TextHtml),
            ("text/html; foo=bar; charset=utf-8", TextHtml),
        ] {
            assert_eq!(Representation::of_response(Some(content_type)), Ok(read), "{content_type}");
        }
        for refused in [
            "application/vnd.pypi.simple.latest+json",
            "application/vnd.pypi.simple.v2+json",
            "application/vnd.pyx.simple.v1+msgpack",
            "application/json",
            "application/xhtml+xml",
            "text/html, text/html",
            "text/html; charset=utf-16",
            "text/html; charset",
            "text/html; charset=utf-8; charset=utf-16",
            "text/html; charset=iso-8859-1",
            "text/plain",
            "",
        ] {
            assert!(Representation::of_response(Some(refused)).is_err(), "{refused}");
        }
        assert!(Representation::of_response(None).is_err());
        let json = |content_type| expect(content_type, &["application/json"]).is_ok();
        assert!(json(Some("application/json")) && json(Some("Application/JSON; charset=utf-8")));
        assert!(!json(Some("application/json; charset=utf-16")) && !json(Some("text/html")) && !json(None));
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        for representation in [Json, Html, TextHtml] {
            assert_eq!(Representation::of_response(Some(representation.content_type())), Ok(representation));
        }
    }

    proptest! {
        #[test]
        fn any_header_is_judged_without_a_panic(accept in ".*", query in ".*") {
            let _chosen = Representation::negotiate(Some(&accept), Some(&query));
            let _read = Representation::of_response(Some(&accept));
        }
    }
}
