//! Looks into a ClientHello for what rustls doesn't tell of it: whether its true server name is encrypted.

/// `encrypted_client_hello` (RFC 9849 section 5).
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// TLS record type "handshake" (RFC 8446 section 5.1).
pub(super) const HANDSHAKE: u8 = 0x16;
/// Handshake type "client_hello" (RFC 8446 section 4).
const CLIENT_HELLO: u8 = 1;

/// Whether the hello in these records has the extension that hides its server name. Browsers send it at random, too, so
/// it says nothing alone.
#[must_use]
pub fn hides_its_name(records: &[u8]) -> bool {
    let hello = fragments(records);
    extensions(&hello).is_some_and(|extensions| holds(extensions, ENCRYPTED_CLIENT_HELLO))
}

/// The handshake messages, put together from the records.
fn fragments(mut records: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(records.len());
    while let [HANDSHAKE, _, _, high, low, rest @ ..] = records {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (fragment, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        whole.extend_from_slice(fragment);
        records = rest;
    }
    whole
}

/// The extensions of a ClientHello (RFC 8446 section 4.1.2).
fn extensions(hello: &[u8]) -> Option<&[u8]> {
    let [CLIENT_HELLO, _, _, _, body @ ..] = hello else { return None };
    // legacy_version and random.
    let (_, body) = body.split_at_checked(2 + 32)?;
    let (_session, body) = vector8(body)?;
    let (_ciphers, body) = vector16(body)?;
    let (_compressions, body) = vector8(body)?;
    vector16(body).map(|(extensions, _)| extensions)
}

fn holds(mut extensions: &[u8], wanted: u16) -> bool {
    while let [high, low, rest @ ..] = extensions {
        if u16::from_be_bytes([*high, *low]) == wanted {
            return true;
        }
        let Some((_, rest)) = vector16(rest) else { return false };
        extensions = rest;
    }
    false
}

/// What a length of one byte stands before, and what follows it.
fn vector8(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// What a length of two bytes stands before, and what follows it.
fn vector16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::testing::client_hello;

    /// The hello with one more extension, in records of at most `size` bytes.
    fn with_extension(kind: u16, size: usize) -> Vec<u8> {
        let message = fragments(&client_hello("pypi.org"));
        let length = extensions(&message).unwrap().len();
        let (head, tail) = message.split_at(message.len() - length);
        let added = [&kind.to_be_bytes()[..], &[0, 3, 1, 2, 3]].concat();
        let mut body = head[4..head.len() - 2].to_vec();
        body.extend_from_slice(&u16::try_from(length + added.len()).unwrap().to_be_bytes());
        body.extend_from_slice(tail);
        body.extend_from_slice(&added);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let whole = [&[CLIENT_HELLO], &length[1..], &body].concat();
        let record =
            |part: &[u8]| [&[HANDSHAKE, 3, 1][..], &u16::try_from(part.len()).unwrap().to_be_bytes(), part].concat();
        whole.chunks(size).flat_map(record).collect()
    }

    #[test]
    fn a_hidden_name_is_seen_in_any_records() {
        assert!(!hides_its_name(&client_hello("pypi.org")));
        for size in [7, 100, 16_000] {
            assert!(hides_its_name(&with_extension(ENCRYPTED_CLIENT_HELLO, size)), "{size}");
            assert!(!hides_its_name(&with_extension(0xfe0e, size)), "{size}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..400) {
            let _seen = hides_its_name(&bytes);
            let _seen = hides_its_name(&[&[HANDSHAKE, 3, 1, 0, 200, CLIENT_HELLO], &bytes[..]].concat());
            let whole = client_hello("pypi.org");
            let _seen = hides_its_name(&whole[..cut.min(whole.len())]);
        }
    }
}
