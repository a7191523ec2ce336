//! The first bytes of a TLS connection: any of them are looked into without a panic, and what follows changes nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::net::hello::hides_its_name;

fuzz_target!(|records: &[u8]| {
    if hides_its_name(records) {
        assert!(hides_its_name(&[records, b"\x17\x03\x03\x00\x01x"].concat()));
    }
});
