//! Where a `Refresh` leads: the header's and `<meta http-equiv="refresh">`'s value alike.

/// The URL in `0; url=…`, as the HTML standard finds it ("shared declarative refresh steps"); `None` if there is none.
pub(crate) fn target(refresh: &str) -> Option<&str> {
    let after = refresh.trim_start().trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if after.len() == refresh.len() {
        return None;
    }
    let url = after.trim_start().trim_start_matches([';', ',']).trim_start();
    let is_key = url.get(..3).is_some_and(|key| key.eq_ignore_ascii_case("url"));
    let value = url.get(3..).filter(|_| is_key).and_then(|rest| rest.trim_start().strip_prefix('='));
    let url = value.unwrap_or(url).trim_start();
    let quoted = ['"', '\''].into_iter().find_map(|quote| url.strip_prefix(quote)?.split(quote).next());
    Some(quoted.unwrap_or(url).trim()).filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (refresh, url) in [
            ("0;URL='../acme/'", Some("../acme/")),
            (" 3.5 , acme", Some("acme")),
            ("0 url = \"acme\" x", Some("acme")),
            ("5; /simple/acme/", Some("/simple/acme/")),
            ("0", None),
            ("0;", None),
            ("width=device-width", None),
            ("url=/acme", None),
        ] {
            assert_eq!(target(refresh), url, "{refresh}");
        }
    }
}
