//! A project page in HTML: nothing protected shows, and what is written is read as it was meant.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::pypi::filter::Kind;
use namewall_fuzz::{REPRESENTATIONS, assert_stable, filter, opinion};

fuzz_target!(|body: &[u8]| {
    for wanted in REPRESENTATIONS {
        let Ok(first) = filter(Kind::Project(None), "text/html", body, wanted) else { return };
        opinion::check_html_page(&first.body);
        assert_stable(Kind::Project(None), &first, wanted);
    }
});
