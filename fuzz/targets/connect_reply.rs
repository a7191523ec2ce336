//! A proxy's answer to CONNECT: any bytes are read without a panic, piece by piece as at once, and end where they end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::net::parent::connect::reply;

fuzz_target!(|bytes: &[u8]| {
    let Ok(whole) = reply(bytes) else { return };
    let first = (0..=bytes.len()).find_map(|length| reply(&bytes[..length]).ok().flatten());
    assert_eq!(first, whole);
    if let Some((answer, length)) = whole {
        assert!(length <= bytes.len() && (100..600).contains(&answer.status));
        assert!(answer.reason.bytes().all(|byte| (b' '..0x7f).contains(&byte)));
    }
});
