//! Pages that list projects, and statistics: they pass whole, or what stands in their place shows nothing protected.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use namewall::pypi::filter::{Kind, Sites};
use namewall::pypi::negotiate::Representation::Json;
use namewall::pypi::site::default_sites;
use namewall_fuzz::{assert_stable, filter, show};

static SITES: LazyLock<Sites> = LazyLock::new(|| default_sites().collect());

fuzz_target!(|body: &[u8]| {
    for content_type in ["text/html", "application/json"] {
        let Ok(first) = filter(Kind::Stats(&SITES), content_type, body, Json) else { continue };
        assert_eq!(first.removed == 0, first.is_unchanged());
        assert_stable(Kind::Stats(&SITES), &first, Json);
        let shown = show(&first.body).to_string();
        assert!(!shown.contains("<a href=\\\"/project/acme/\\\">"), "{shown}");
    }
});
