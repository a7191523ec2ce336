//! Feeds and sitemaps: no entry that links to something protected shows, and filtering twice changes nothing more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::pypi::filter::Kind;
use namewall::pypi::negotiate::Representation::Json;
use namewall_fuzz::{assert_stable, filter, show};

fuzz_target!(|body: &[u8]| {
    let Ok(first) = filter(Kind::Feed, "text/xml", body, Json) else { return };
    assert_eq!(first.removed == 0, first.is_unchanged());
    assert_stable(Kind::Feed, &first, Json);
    let shown = show(&first.body).to_string();
    for link in ["<link>https://pypi.org/project/acme/</link>", "<loc>https://pypi.org/project/acme/</loc>"] {
        // Within a comment, or as text that is quoted, it links to nothing.
        assert!(!shown.contains(link) || shown.contains("<!--") || shown.contains("CDATA"), "{shown}");
    }
});
