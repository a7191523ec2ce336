//! Content codings: which one an answer came in, which one a client takes, and undoing it within bounds.

use std::io;
use std::pin::Pin;

use async_compression::Level;
use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, GzipEncoder, ZlibDecoder, ZstdDecoder,
};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt};

/// A content coding (RFC 9110 section 8.4.1) that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    /// zlib's format (RFC 1950), as the specification says, or bare deflate, as some servers do.
    Deflate,
    Brotli,
    Zstd,
}

/// A coding that isn't understood, or several on top of each other.
#[derive(Debug, thiserror::Error)]
#[error("the content coding `{0}` is not understood")]
pub(crate) struct UnknownCoding(String);

impl Coding {
    /// The coding of an answer. PyPI applies one at most, so a stack of them is a disguise.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, UnknownCoding> {
        let fields = headers.get_all(CONTENT_ENCODING).iter();
        let named = fields.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
        let all = named.collect::<Vec<_>>().join(",");
        let mut codings = all.split(',').map(str::trim).filter(|coding| !matches!(*coding, "" | "identity"));
        match (codings.next(), codings.next()) {
            (None, _) => Ok(Self::Identity),
            (Some("gzip" | "x-gzip"), None) => Ok(Self::Gzip),
            (Some("deflate"), None) => Ok(Self::Deflate),
            (Some("br"), None) => Ok(Self::Brotli),
            (Some("zstd"), None) => Ok(Self::Zstd),
            _ => Err(UnknownCoding(all)),
        }
    }

    /// The name in `Content-Encoding`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Undoes the coding. What follows the end of the coded data is more of it, or an error; never silently dropped.
    pub(super) async fn undo<'r>(
        self,
        mut coded: impl AsyncBufRead + Unpin + Send + 'r,
    ) -> io::Result<Pin<Box<dyn AsyncRead + Send + 'r>>> {
        macro_rules! decoder {
            ($decoder:ident, $coded:expr) => {{
                let mut decoder = $decoder::new($coded);
                decoder.multiple_members(true);
                Ok(Box::pin(decoder))
            }};
        }
        match self {
            Self::Identity => Ok(Box::pin(coded)),
            Self::Gzip => decoder!(GzipDecoder, coded),
            Self::Brotli => decoder!(BrotliDecoder, coded),
            Self::Zstd => decoder!(ZstdDecoder, coded),
            Self::Deflate => {
                let mut first = [0; 2];
                coded.read_exact(&mut first).await?;
                let coded = io::Cursor::new(first).chain(coded);
                if is_zlib(first) { decoder!(ZlibDecoder, coded) } else { decoder!(DeflateDecoder, coded) }
            }
        }
    }
}

/// `plain` in gzip, little packed but soon. Between two pieces, others get their turn.
pub(super) async fn pack(plain: &[u8]) -> Option<Bytes> {
    let mut packed = Vec::with_capacity(plain.len() / 4);
    let mut encoder = GzipEncoder::with_quality(plain, Level::Fastest);
    while encoder.read_buf(&mut packed).await.ok()? > 0 {
        if packed.len() == packed.capacity() {
            packed.reserve(64 * 1024);
        }
        tokio::task::yield_now().await;
    }
    // It is kept: with no more memory than it has bytes.
    packed.shrink_to_fit();
    Some(packed.into())
}

/// Whether these are the first bytes of zlib's format: its method is 8, and together they are a multiple of 31.
fn is_zlib(first: [u8; 2]) -> bool {
    first.first().is_some_and(|method| method & 0x0f == 8) && u16::from_be_bytes(first).is_multiple_of(31)
}

/// Whether the client takes gzip (RFC 9110 section 12.5.3).
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any) = (None, None);
    for value in headers.get_all(ACCEPT_ENCODING) {
        for element in value.to_str().unwrap_or_default().split(',') {
            let (coding, weight) = element.split_once(';').unwrap_or((element, ""));
            let weight = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q="));
            let taken = !weight.is_some_and(|weight| weight.trim().chars().all(|digit| matches!(digit, '0' | '.')));
            match coding.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(taken),
                "*" => any = Some(taken),
                _ => {}
            }
        }
    }
    gzip.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
    use http::{HeaderName, HeaderValue};

    use super::*;

    const TEXT: &[u8] =
        b"{\"name\":\"six\",\"files\":[],\"versions\":[\"1.0\",\"1.0.1\"]} and more of it, and more of it";

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    async fn read(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        from.read_to_end(&mut all).await.map(|_| all)
    }

    async fn undone(coding: Coding, coded: &[u8]) -> io::Result<Vec<u8>> {
        read(coding.undo(coded).await?).await
    }

    async fn all_coded() -> Vec<(Coding, Vec<u8>)> {
        vec![
            (Coding::Gzip, read(GzipEncoder::new(TEXT)).await.unwrap()),
            (Coding::Deflate, read(ZlibEncoder::new(TEXT)).await.unwrap()),
            (Coding::Deflate, read(DeflateEncoder::new(TEXT)).await.unwrap()),
            (Coding::Brotli, read(BrotliEncoder::new(TEXT)).await.unwrap()),
            (Coding::Zstd, read(ZstdEncoder::new(TEXT)).await.unwrap()),
        ]
    }

    #[tokio::test]
    async fn every_coding_is_undone() {
        for (coding, coded) in all_coded().await {
            assert_eq!(undone(coding, &coded).await.unwrap(), TEXT, "{coding:?}");
        }
        assert_eq!(undone(Coding::Identity, TEXT).await.unwrap(), TEXT);
    }

    #[tokio::test]
    async fn what_is_cut_off_is_an_error_at_every_length() {
        for (coding, coded) in all_coded().await {
            for length in 0..coded.len() {
                let cut = undone(coding, &coded[..length]).await;
                assert!(cut.is_err(), "{coding:?} {length} of {}: {:?}", coded.len(), cut.map(|c| c.len()));
            }
        }
    }

    #[tokio::test]
    async fn what_follows_the_end_is_an_error() {
        for (coding, mut coded) in all_coded().await {
            coded.extend_from_slice(b"\xff\xff\xff\xffand more");
            assert!(undone(coding, &coded).await.is_err(), "{coding:?}");
        }
    }

    #[test]
    fn one_coding_is_understood_and_no_stack() {
        for (values, coding) in [
            (&[][..], Some(Coding::Identity)),
            (&["identity"], Some(Coding::Identity)),
            (&["GZIP"], Some(Coding::Gzip)),
            (&["identity, x-gzip"], Some(Coding::Gzip)),
            (&["br"], Some(Coding::Brotli)),
            (&["zstd"], Some(Coding::Zstd)),
            (&["deflate"], Some(Coding::Deflate)),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
            (&["gzip", "br"], None),
            (&["compress"], None),
            (&["aes128gcm"], None),
            (&["gzip;q=1"], None),
        ] {
            assert_eq!(Coding::of(&headers(&CONTENT_ENCODING, values)).ok(), coding, "{values:?}");
        }
    }

    #[test]
    fn whether_a_client_takes_gzip() {
        for (values, taken) in [
            (&[][..], false),
            (&["identity"], false),
            (&["gzip, deflate"], true),
            (&["gzip;q=0"], false),
            (&["gzip;q=0.000, *"], false),
            (&["br", "gzip;q=0.5"], true),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["zstd, br"], false),
        ] {
            assert_eq!(accepts_gzip(&headers(&ACCEPT_ENCODING, values)), taken, "{values:?}");
        }
    }
}
