//! Uploads: however the body is cut into pieces it is judged alike, and none that is let through publishes a protected name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use namewall::pypi::upload::{Rejected, Upload};
use namewall_fuzz::judge;

/// The outcome, and how many bytes were let go before it.
fn read(body: &[u8], size: usize) -> (Result<(), Rejected>, u64) {
    let mut upload = Upload::new("multipart/form-data; boundary=b").expect("a boundary");
    let mut released = 0;
    for chunk in body.chunks(size) {
        if let Err(rejected) = upload.push(chunk, &mut judge()) {
            return (Err(rejected), released);
        }
        assert!(upload.releasable() >= released, "what was let go is taken back");
        released = upload.releasable();
    }
    (upload.finish(), released)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, body) = input;
    let (whole, _) = read(body, body.len().max(1));
    let (pieces, released) = read(body, usize::from(size).max(1));
    assert_eq!(whole.is_ok(), pieces.is_ok(), "{whole:?} at once, {pieces:?} in pieces of {size}");
    let holds = |within: &[u8], words: &[u8]| within.windows(words.len()).any(|window| window == words);
    for bad in [&b"name=\"name\"\r\n\r\nacme\r\n--b"[..], b"name=\"content\"; filename=\"acme-1.0.zip\"\r\n\r\n"] {
        assert!(whole.is_err() || !holds(body, &[b"--b\r\nContent-Disposition: form-data; ", bad].concat()));
        let gone = body.get(..usize::try_from(released).unwrap_or(usize::MAX)).unwrap_or(body);
        assert!(
            !holds(gone, &[b"--b\r\nContent-Disposition: form-data; ", bad].concat()),
            "let go before it was judged"
        );
    }
});
