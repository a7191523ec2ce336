//! A `Proxy-Authorization` field: a name has no colon, and what is read is read again from how it is written.

#![no_main]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use libfuzzer_sys::fuzz_target;
use namewall::users::Credentials;

fuzz_target!(|field: &[u8]| {
    let Ok(said) = Credentials::parse(field) else { return };
    assert!(!said.name.contains(':'));
    assert!(!said.name.chars().chain(said.password.chars()).any(char::is_control));
    let written = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", said.name, said.password)));
    // In UTF-8 it may be longer than it was.
    if let Ok(again) = Credentials::parse(written.as_bytes()) {
        assert!(again == said, "{} {}", said.name, again.name);
    } else {
        assert!(written.len() > 4096, "{written}");
    }
});
