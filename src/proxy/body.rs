//! Bodies: the type that all answers have, and reading an upstream's body: decoded, bounded in size and in patience.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyDataStream, BodyExt, Empty, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::coding::{Coding, UnknownCoding};
use super::patient::Patient;
use super::rooms::{ORDINARY, Place, Places};

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

/// How long a body may stand still.
const IDLE: Duration = Duration::from_secs(60);

/// What is read at once.
const PIECE: usize = 64 * 1024;

/// The largest page that is read into memory, decoded. PyPI's largest project pages have some 30 MB.
pub(super) const MAX_PAGE: usize = 64 * 1024 * 1024;

/// From here on a page is large.
pub(super) const LARGE: usize = 256 * 1024;

/// The longest list that is let through as a stream, decoded. PyPI's has some 60 MB.
const MAX_LIST: u64 = 1 << 30;

/// From here on a page may be no more than [`MAX_RATIO`] times as large as what it was unpacked from. PyPI's own pages
/// are 4 to 20 times as large.
const FREE: u64 = 4 * 1024 * 1024;
const MAX_RATIO: u64 = 200;

/// Why a body couldn't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error(transparent)]
    Coding(#[from] UnknownCoding),
    #[error("the body broke off: {0}")]
    Broken(#[source] io::Error),
    #[error("the body is not in the content coding that it is said to be in: {0}")]
    Garbled(#[source] io::Error),
    #[error("nothing came for {} s", IDLE.as_secs())]
    Stalled,
    #[error("the page has more than {MAX_PAGE} bytes")]
    TooLarge,
    #[error("the list has more than {MAX_LIST} bytes")]
    Endless,
    #[error("as many large pages as may be are worked on")]
    Crowded,
    #[error("unpacked it is more than {MAX_RATIO} times as large")]
    Bomb,
}

impl BodyError {
    /// What a reader's error means: the connection's own errors come through the decoders as they are.
    fn reading(error: io::Error) -> Self {
        let of_connection = error.get_ref().is_some_and(|inner| inner.is::<hyper::Error>());
        if of_connection || error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Broken(error)
        } else {
            Self::Garbled(error)
        }
    }

    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Coding(_) => "unknown-coding",
            Self::Broken(_) => "upstream-broke-off",
            Self::Garbled(_) => "bad-coding",
            Self::Stalled => "upstream-stalled",
            Self::TooLarge | Self::Endless => "page-limit",
            Self::Crowded => "large-pages",
            Self::Bomb => "decompression-bomb",
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

/// A request's body, passed on as it comes, unless the client stalls.
pub(super) fn passed(incoming: Incoming) -> Body {
    Patient::new(incoming, IDLE, "the client has sent nothing for too long; try again").boxed()
}

/// An upstream's body, passed on as it comes, unless it stalls.
pub(super) fn streamed(incoming: Incoming) -> Body {
    Patient::new(incoming, IDLE, "the upstream server stalled").boxed()
}

/// An upstream's body, decoded piece by piece.
pub(super) struct Decoded {
    source: Source,
    length: u64,
}

/// Where the pieces come from.
enum Source {
    /// What isn't coded is passed on as it was received.
    Plain(Incoming),
    Coded {
        reader: Pin<Box<dyn AsyncRead + Send>>,
        /// Its memory is used again for each piece, if those before have been dropped.
        piece: BytesMut,
    },
}

impl Decoded {
    /// Reads `incoming` in the coding that `headers` name.
    pub(super) async fn new(headers: &HeaderMap, incoming: Incoming) -> Result<Self, BodyError> {
        let source = match Coding::of(headers)? {
            Coding::Identity => Source::Plain(incoming),
            coding => {
                let raw = StreamReader::new(BodyDataStream::new(incoming.map_err(io::Error::other)));
                Source::Coded { reader: in_time(coding.undo(raw)).await?, piece: BytesMut::new() }
            }
        };
        Ok(Self { source, length: 0 })
    }

    /// The next piece; an empty one at the end.
    pub(super) async fn next(&mut self) -> Result<Bytes, BodyError> {
        let piece = match &mut self.source {
            Source::Plain(incoming) => in_time(plain(incoming)).await?,
            Source::Coded { reader, piece } => {
                piece.reserve(PIECE);
                in_time(reader.read_buf(piece)).await?;
                piece.split().freeze()
            }
        };
        self.length += piece.len() as u64;
        if self.length > MAX_LIST { Err(BodyError::Endless) } else { Ok(piece) }
    }
}

/// The next data that isn't empty, if there is any.
async fn plain(incoming: &mut Incoming) -> io::Result<Bytes> {
    while let Some(frame) = incoming.frame().await.transpose().map_err(io::Error::other)? {
        let data = frame.into_data().unwrap_or_default();
        if !data.is_empty() {
            return Ok(data);
        }
    }
    Ok(Bytes::new())
}

async fn in_time<T>(reading: impl Future<Output = io::Result<T>>) -> Result<T, BodyError> {
    match within_patience(reading).await {
        Some(Ok(read)) => Ok(read),
        Some(Err(error)) => Err(BodyError::reading(error)),
        None => Err(BodyError::Stalled),
    }
}

/// What `waiting` comes to, if it does so before patience ends.
pub(super) async fn within_patience<T>(waiting: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(IDLE, waiting).await.ok()
}

/// A page that is here whole: in the coding in which it came, and without it.
pub(super) struct Whole<'p> {
    pub(super) coding: Coding,
    pub(super) coded: Bytes,
    pub(super) plain: Bytes,
    /// Held as long as the page is worked on.
    _place: Option<Place<'p>>,
}

impl<'p> Whole<'p> {
    /// Reads a body that is no larger than a page may be. A large one takes one of `places`, and waits for it: memory
    /// must not grow with the number of clients.
    pub(super) async fn read(
        headers: &HeaderMap,
        mut incoming: Incoming,
        places: &'p Places,
    ) -> Result<Self, BodyError> {
        let coding = Coding::of(headers)?;
        let (mut coded, mut place) = (BytesMut::new(), None);
        while let Some(frame) = in_time(async { incoming.frame().await.transpose().map_err(io::Error::other) }).await? {
            let piece = frame.into_data().unwrap_or_default();
            grow(&mut coded, &piece, &mut place, places).await?;
        }
        let coded = coded.freeze();
        let plain = match coding {
            Coding::Identity => coded.clone(),
            coding => unpack(coding, &coded, &mut place, places).await?,
        };
        Ok(Self { coding, coded, plain, _place: place })
    }
}

/// Undoes the coding of what is here whole. A piece takes some hundred microseconds; between two, others get their turn.
async fn unpack<'p>(
    coding: Coding,
    coded: &[u8],
    place: &mut Option<Place<'p>>,
    places: &'p Places,
) -> Result<Bytes, BodyError> {
    let mut reader = coding.undo(coded).await.map_err(BodyError::reading)?;
    let (mut plain, mut piece) = (BytesMut::new(), Vec::with_capacity(PIECE));
    while reader.read_buf(&mut piece).await.map_err(BodyError::reading)? > 0 {
        grow(&mut plain, &piece, place, places).await?;
        piece.clear();
        let (from, to) = (coded.len() as u64, plain.len() as u64);
        if to > FREE && to > from.saturating_mul(MAX_RATIO) {
            return Err(BodyError::Bomb);
        }
        tokio::task::yield_now().await;
    }
    Ok(plain.freeze())
}

async fn grow<'p>(
    whole: &mut BytesMut,
    piece: &[u8],
    place: &mut Option<Place<'p>>,
    places: &'p Places,
) -> Result<(), BodyError> {
    if whole.len() + piece.len() > MAX_PAGE {
        return Err(BodyError::TooLarge);
    }
    whole.extend_from_slice(piece);
    let is_vast = place.as_ref().is_some_and(Place::is_vast);
    if (place.is_none() && whole.len() > LARGE) || (!is_vast && whole.len() > ORDINARY) {
        *place = None;
        *place = Some(places.take(whole.len()).await.ok_or(BodyError::Crowded)?);
    }
    Ok(())
}
