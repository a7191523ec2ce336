//! A project page in JSON, in all representations: nothing protected shows, and filtering twice changes nothing more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::pypi::filter::Kind;
use namewall_fuzz::{REPRESENTATIONS, again, assert_stable, filter, opinion};

fuzz_target!(|body: &[u8]| {
    for wanted in REPRESENTATIONS {
        let kind = Kind::Project(None);
        let Ok(first) = filter(kind, "application/vnd.pypi.simple.v1+json", body, wanted) else { return };
        assert!(first.removed > 0 || first.is_unchanged() || wanted.is_html() || body.len() > first.body.len());
        if wanted.is_html() {
            opinion::check_html_page(&first.body);
            // Its anchors say what JSON calls them; HTML can say no more than what their URLs end in.
            let second = again(kind, &first, wanted);
            assert_stable(kind, &second, wanted);
        } else {
            opinion::check_json_page(&first.body);
            assert_stable(kind, &first, wanted);
        }
    }
});
