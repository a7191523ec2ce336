//! Bodies: the type that all answers have, and reading an upstream's body: decoded, bounded in size and in patience.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyDataStream, BodyExt, Empty, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::io::StreamReader;

use super::patient::Patient;

/// Why a body ended before its end. A type of its own: a boxed error as a body's error defeats the compiler's proof
/// that a connection's future is `Send`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BrokenOff(String);

impl BrokenOff {
    pub(super) fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// The body of every request that goes upstream, and of every answer.
pub(super) type Body = BoxBody<Bytes, BrokenOff>;

/// How long an upstream's body may stand still.
const IDLE: Duration = Duration::from_secs(60);

/// What is read at once.
const PIECE: usize = 64 * 1024;

/// The largest page that is read into memory, decoded. PyPI's largest project pages have some 30 MB.
pub(super) const MAX_PAGE: usize = 64 * 1024 * 1024;

/// From here on a page is large.
pub(super) const LARGE: usize = 256 * 1024;

/// Why a body couldn't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the content coding `{0}` was not asked for and is not understood")]
    Coding(String),
    #[error("the body broke off: {0}")]
    Broken(#[source] io::Error),
    #[error("nothing came for {} s", IDLE.as_secs())]
    Stalled,
    #[error("the page has more than {MAX_PAGE} bytes")]
    TooLarge,
}

impl BodyError {
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Coding(_) => "unknown-coding",
            Self::Broken(_) => "upstream-broke-off",
            Self::Stalled => "upstream-stalled",
            Self::TooLarge => "page-limit",
        }
    }
}

/// No body.
pub(super) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body that is known whole.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// A request's body, passed on as it comes.
pub(super) fn passed(incoming: Incoming) -> Body {
    incoming.map_err(BrokenOff::new).boxed()
}

/// An upstream's body, passed on as it comes, unless it stalls.
pub(super) fn streamed(incoming: Incoming) -> Body {
    Patient::new(incoming, IDLE).boxed()
}

/// An upstream's body, decoded piece by piece.
pub(super) struct Decoded(Pin<Box<dyn AsyncRead + Send>>);

impl Decoded {
    /// Reads `incoming` in the coding that `headers` name. Only what we ask for is understood: identity and gzip.
    pub(super) fn new(headers: &HeaderMap, incoming: Incoming) -> Result<Self, BodyError> {
        let raw = StreamReader::new(BodyDataStream::new(incoming.map_err(io::Error::other)));
        match codings(headers).as_slice() {
            [] => Ok(Self(Box::pin(raw))),
            [coding] if coding == "gzip" || coding == "x-gzip" => {
                let mut decoder = GzipDecoder::new(raw);
                // What follows the first member is another member, or an error; never silently dropped.
                decoder.multiple_members(true);
                Ok(Self(Box::pin(decoder)))
            }
            other => Err(BodyError::Coding(other.join(", "))),
        }
    }

    /// Puts the next piece into `piece` (cleared first); leaves it empty at the end.
    pub(super) async fn next(&mut self, piece: &mut Vec<u8>) -> Result<(), BodyError> {
        piece.clear();
        piece.reserve(PIECE);
        match tokio::time::timeout(IDLE, self.0.read_buf(piece)).await {
            Ok(Ok(_length)) => Ok(()),
            Ok(Err(error)) => Err(BodyError::Broken(error)),
            Err(_elapsed) => Err(BodyError::Stalled),
        }
    }

    /// The whole body, if it is no larger than a page may be. A large one takes one of `places`, and waits for it:
    /// memory must not grow with the number of clients.
    pub(super) async fn collect(
        mut self,
        places: &Semaphore,
    ) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), BodyError> {
        let mut whole = Vec::new();
        let mut piece = Vec::new();
        let mut place = None;
        loop {
            self.next(&mut piece).await?;
            if piece.is_empty() {
                return Ok((whole, place));
            }
            if whole.len() + piece.len() > MAX_PAGE {
                return Err(BodyError::TooLarge);
            }
            if place.is_none() && whole.len() > LARGE {
                place = places.acquire().await.ok();
            }
            whole.extend_from_slice(&piece);
        }
    }
}

/// The content codings that were applied, in order (RFC 9110 section 8.4).
fn codings(headers: &HeaderMap) -> Vec<String> {
    let fields = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let all =
        fields.flat_map(|field| field.split(',').map(|coding| coding.trim().to_ascii_lowercase()).collect::<Vec<_>>());
    all.filter(|coding| !coding.is_empty() && coding != "identity").collect()
}
