//! What the fuzz targets share: the policy that they judge by, and what must be true of every page that is filtered.

pub mod opinion;

use std::sync::LazyLock;

use namewall::name::Subject;
use namewall::policy::{Pattern, Policy, Rule};
use namewall::proxy::judge::PolicyJudge;
use namewall::pypi::Malformed;
use namewall::pypi::filter::{Filtered, Kind, Received, filter_page};
use namewall::pypi::negotiate::Representation;
use time::macros::date;
use url::Url;

/// All that a client can ask for.
pub const REPRESENTATIONS: [Representation; 3] = [Representation::Json, Representation::Html, Representation::TextHtml];

/// Where every page was found.
pub static PAGE: LazyLock<Url> = LazyLock::new(|| Url::parse("https://pypi.org/simple/other/").expect("a URL"));

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let names = ["acme", "acme-*"].map(|name| Pattern::parse(name).expect("a pattern")).to_vec();
    let rule = Rule { id: "acme".to_owned(), names, ..Rule::default() };
    Policy::compile(vec![rule], date!(2026 - 01 - 01)).expect("a policy")
});

/// The proxy's judge over a policy that protects `acme` and `acme-*`.
pub fn judge() -> PolicyJudge<'static> {
    PolicyJudge::new(&POLICY)
}

/// Whether that policy protects any of `subjects`.
pub fn protects<'a>(mut subjects: impl Iterator<Item = Subject<'a>>) -> bool {
    subjects.any(|subject| POLICY.judge(subject).is_protected())
}

/// Filters a page as the proxy does when upstream says that it is of this `content_type`.
pub fn filter<'a>(
    kind: Kind<'a>,
    content_type: &'a str,
    body: &'a [u8],
    wanted: Representation,
) -> Result<Filtered<'a>, Malformed> {
    let page = Received { kind, content_type: Some(content_type), body, url: Some(&*PAGE), wanted };
    filter_page(&page, &mut judge())
}

/// Filters once more what was filtered: nothing goes a second time.
pub fn again<'a>(kind: Kind<'a>, first: &'a Filtered<'_>, wanted: Representation) -> Filtered<'a> {
    let second = filter(kind, first.content_type, &first.body, wanted).expect("we read what we write");
    assert_eq!(second.removed, 0, "removed only the second time from {}", show(&first.body));
    assert_eq!(second.content_type, first.content_type);
    second
}

/// Filtering twice is the same as filtering once, to the byte.
pub fn assert_stable(kind: Kind<'_>, first: &Filtered<'_>, wanted: Representation) {
    let second = again(kind, first, wanted);
    assert_eq!(show(&second.body), show(&first.body), "the second time it looks different");
}

/// Bytes in a form that a failed assertion can print.
pub fn show(bytes: &[u8]) -> impl std::fmt::Display + std::fmt::Debug + PartialEq {
    bytes.escape_ascii().to_string()
}
