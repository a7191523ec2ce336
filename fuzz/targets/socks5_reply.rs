//! A SOCKS proxy's answer: any bytes are read without a panic, and what follows an answer changes nothing of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::net::parent::socks::reply;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((outcome, length))) = reply(bytes) {
        assert!(length <= bytes.len());
        let longer = reply(&[bytes, b"x"].concat());
        assert!(matches!(longer, Ok(Some((again, more))) if again == outcome && (more == length || outcome.is_err())));
    }
});
