//! The legacy JSON of a project: nothing protected shows, and filtering twice changes nothing more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::pypi::filter::Kind;
use namewall::pypi::negotiate::Representation::Json;
use namewall_fuzz::{assert_stable, filter, opinion};

fuzz_target!(|body: &[u8]| {
    let Ok(first) = filter(Kind::Legacy(None), "application/json", body, Json) else { return };
    assert!(first.removed > 0 || first.emptied || first.is_unchanged());
    // Instead of what is emptied a 404 is shown.
    if !first.emptied {
        opinion::check_legacy_json(&first.body);
        assert_stable(Kind::Legacy(None), &first, Json);
    }
});
