//! Uploads: judged by all that they name before the index has a file of them, and passed on as they come.
//!
//! An upload is held, in memory and then in a file that nobody else sees, until the project and the file are known by
//! name, and at least until it is whole or [`MIN_HELD`] long: so nearly all are judged to their last field before a byte
//! leaves. Of a longer one the end is kept back, and a name that comes late breaks it off: the index publishes nothing
//! of which it has not read the end.

use std::future::Future;
use std::io;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::super::body::{Body, full, within_patience};
use super::super::judge::PolicyJudge;
use super::super::pipe::{Unread, Writer, pipe};
use super::super::reply;
use super::super::upstream::{LONG_ANSWER, UpstreamError};
use super::Exchange;
use super::tell::Told;
use super::tell::fired;
use crate::name::Subject;
use crate::pypi::upload::{ADVICE, BadUpload, Progress, Protected, Refusal, Rejected, Upload};
use crate::telemetry::Outcome;

/// How much of an upload is held back at least, if it is that long.
const MIN_HELD: u64 = 8 * 1024 * 1024;
/// How much is held back at most: a file that comes before its name. No client that is kept sends one so.
const MAX_HELD: u64 = 1024 * 1024 * 1024;
/// How much of what is held is in memory.
const IN_MEMORY: usize = 512 * 1024;
/// What is read at once of what was held in a file.
const PIECE: usize = 64 * 1024;

/// Why an upload ends here.
enum Stop {
    Rejected(Rejected),
    /// More than [`MAX_HELD`] bytes without a name.
    TooLong,
    /// The client broke off, or stalled.
    Client(String),
    /// No room to hold it.
    Spool(io::Error),
    /// The index has stopped reading.
    Index,
}

/// Guards an upload on its way to the index.
pub(super) async fn answer(exchange: &Exchange, body: &mut Option<Incoming>) -> Response<Body> {
    let Some(incoming) = body.as_mut() else { return reply::method_not_allowed() };
    let mut judge = PolicyJudge::new(&exchange.policy);
    let outcome = match guarded(exchange) {
        Ok(upload) => {
            let outcome = Transfer { incoming, upload, judge: &mut judge }.run(exchange).await;
            if matches!(outcome, Err(Stop::Rejected(_))) {
                hear_out(incoming).await;
            }
            outcome
        }
        Err(bad) => Err(Stop::Rejected(bad.into())),
    };
    match outcome {
        Ok(response) => {
            exchange.tell_fired(&fired(judge.hits()), Outcome::Allowed, response.status());
            response
        }
        Err(stop) => refuse(exchange, stop),
    }
}

/// Reads the rest of a refused upload: twine and uv listen when they have said all, and before that a connection that
/// closes is an error without a reason.
async fn hear_out(incoming: &mut Incoming) {
    let mut length = 0;
    while length < MAX_HELD {
        let Some(Some(Ok(frame))) = within_patience(incoming.frame()).await else { return };
        length += frame.data_ref().map_or(0, |piece| piece.len() as u64);
    }
}

/// A reader for the form that the request says it has.
fn guarded(exchange: &Exchange) -> Result<Upload, BadUpload> {
    if exchange.headers.contains_key(CONTENT_ENCODING) {
        return Err(BadUpload::ContentType("it is in a content coding, which no index undoes"));
    }
    let mut types = exchange.headers.get_all(CONTENT_TYPE).iter();
    match (types.next().map(|value| value.to_str()), types.next()) {
        (Some(Ok(content_type)), None) => Upload::new(content_type),
        (None, _) => Err(BadUpload::ContentType("there is none")),
        _ => Err(BadUpload::ContentType("there are several, or it is no text")),
    }
}

fn refuse(exchange: &Exchange, stop: Stop) -> Response<Body> {
    let bad = |status, reason, detail: &str| {
        exchange.tell(&Told { reason: Some(reason), ..Told::new(Outcome::Failed, status) });
        reply::bad_request(status, reason, detail)
    };
    match stop {
        Stop::Rejected(Rejected::Refused(refusal)) => refuse_upload(exchange, &refusal),
        Stop::Rejected(Rejected::Bad(error)) => bad(StatusCode::BAD_REQUEST, error.reason(), &error.to_string()),
        Stop::TooLong => {
            let detail = format!("the upload has no name within its first gigabyte; {ADVICE}");
            bad(StatusCode::PAYLOAD_TOO_LARGE, "upload-limit", &detail)
        }
        Stop::Index => exchange.fail_with(
            StatusCode::GATEWAY_TIMEOUT,
            "upstream-stalled",
            "the index has stopped reading the upload; try again",
        ),
        Stop::Client(why) => bad(StatusCode::BAD_REQUEST, "upload-broke-off", &why),
        Stop::Spool(error) => {
            let detail = format!(
                "there is no room to hold the upload until it is judged: {error}; free some in the folder for temporary \
                 files of the machine that runs namewall, or set TMPDIR to one that has it"
            );
            bad(StatusCode::INSUFFICIENT_STORAGE, "upload-spool", &detail)
        }
    }
}

fn refuse_upload(exchange: &Exchange, refusal: &Refusal) -> Response<Body> {
    let policy = &exchange.policy;
    let told = Told::new(Outcome::Refused, StatusCode::FORBIDDEN);
    let Refusal::Protected(protected) = refusal else {
        exchange.tell(&Told { reason: Some(refusal.reason()), ..told });
        return reply::refused_private(&refusal.to_string());
    };
    let (subject, name, file) = match protected {
        Protected::Project(name) => (Subject::Project(name.as_name()), name.to_string(), None),
        Protected::File(file) => (Subject::File(file), super::named(policy, Subject::File(file)), Some(file)),
    };
    match policy.judge(subject).protected {
        Some(found) => {
            exchange.tell(&Told { project: Some(&name), file, by: Some((&found).into()), ..told });
            reply::refused_upload(&name, &found)
        }
        // The policy said otherwise a moment ago, and it never changes.
        None => exchange.fail("upload-refused", &refusal.to_string()),
    }
}

/// The index's answer to an upload that has been sent.
async fn answered(
    exchange: &Exchange,
    asking: impl Future<Output = Result<Response<Incoming>, UpstreamError>>,
) -> Response<Body> {
    let answer = tokio::time::timeout(LONG_ANSWER, asking).await;
    exchange.passed_on(answer.unwrap_or(Err(UpstreamError::Timeout(LONG_ANSWER))))
}

/// One upload on its way.
struct Transfer<'t, 'p> {
    incoming: &'t mut Incoming,
    upload: Upload,
    judge: &'t mut PolicyJudge<'p>,
}

impl Transfer<'_, '_> {
    async fn run(mut self, exchange: &Exchange) -> Result<Response<Body>, Stop> {
        let mut held = Held::default();
        while held.length < MIN_HELD || self.upload.progress() == Progress::Undecided {
            if held.length > MAX_HELD {
                return Err(Stop::TooLong);
            }
            match self.next().await? {
                Some(piece) => held.add(&piece).await.map_err(Stop::Spool)?,
                None => break,
            }
        }
        let method = exchange.method.clone();
        let whole = self.upload.releasable() == held.length;
        if whole && let Some(all) = held.all_in_memory() {
            return Ok(answered(exchange, exchange.ask(method, exchange.upstream_headers(), full(all))).await);
        }
        let (writer, body) = pipe();
        let asking = exchange.ask(method, exchange.upstream_headers(), body.boxed());
        let sending = self.send(held, writer);
        let (mut asking, mut sending) = (std::pin::pin!(asking), std::pin::pin!(sending));
        tokio::select! {
            // An index may answer before it has read all: what it has heard is enough for it.
            response = asking.as_mut() => return Ok(exchange.passed_on(response)),
            sent = sending.as_mut() => sent?,
        }
        Ok(answered(exchange, asking).await)
    }

    /// Sends what was held, and the rest as it comes; never more than is known to be fit.
    ///
    /// Whatever ends this early leaves a body that broke off: the index must not take it for the whole.
    async fn send(&mut self, mut held: Held, writer: Writer) -> Result<(), Stop> {
        held.rewind().await.map_err(Stop::Spool)?;
        let (mut sent, mut waiting, mut ended) = (0_u64, BytesMut::new(), false);
        loop {
            // First what was held, then what is still to come.
            match held.take().await.map_err(Stop::Spool)? {
                Some(piece) => waiting.extend_from_slice(&piece),
                None if ended => {}
                None => match self.next().await? {
                    Some(piece) => waiting.extend_from_slice(&piece),
                    None => ended = true,
                },
            }
            let fit = usize::try_from(self.upload.releasable().saturating_sub(sent)).unwrap_or(usize::MAX);
            let piece = waiting.split_to(fit.min(waiting.len())).freeze();
            sent += piece.len() as u64;
            if !piece.is_empty() {
                match writer.send(piece).await {
                    Ok(()) => {}
                    // It has answered, or will be found to have gone.
                    Err(Unread::Gone) => return Ok(()),
                    Err(Unread::Stalled) => return Err(Stop::Index),
                }
            }
            if ended && waiting.is_empty() {
                writer.finish().await;
                return Ok(());
            }
        }
    }

    /// The next piece of the body, judged; `None` when it has ended as a form should.
    async fn next(&mut self) -> Result<Option<Bytes>, Stop> {
        if self.upload.is_finished() {
            return Ok(None);
        }
        let frame = match within_patience(self.incoming.frame()).await {
            Some(frame) => frame.transpose().map_err(|error| Stop::Client(error.to_string()))?,
            None => return Err(Stop::Client("the client has sent nothing for too long; try again".to_owned())),
        };
        // Trailers are not passed on, and say nothing of a form.
        match frame.map(|frame| frame.into_data().unwrap_or_default()) {
            Some(piece) => {
                self.upload.push(&piece, self.judge).map_err(Stop::Rejected)?;
                Ok(Some(piece))
            }
            None => {
                self.upload.finish().map_err(Stop::Rejected)?;
                Ok(None)
            }
        }
    }
}

/// The beginning of an upload, held back.
#[derive(Default)]
struct Held {
    length: u64,
    memory: BytesMut,
    /// What was too much for memory; it has no name, so that it goes with the process.
    file: Option<File>,
}

impl Held {
    async fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        self.length += piece.len() as u64;
        self.memory.extend_from_slice(piece);
        if self.memory.len() > IN_MEMORY {
            let memory = self.memory.split();
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(unnamed_file().await?),
            };
            file.write_all(&memory).await?;
        }
        Ok(())
    }

    /// All of it, if none of it is in a file.
    fn all_in_memory(&mut self) -> Option<Bytes> {
        self.file.is_none().then(|| self.memory.split().freeze())
    }

    /// Back to the beginning, for [`Held::take`].
    async fn rewind(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => {
                file.flush().await?;
                file.rewind().await.map(drop)
            }
            None => Ok(()),
        }
    }

    /// The next piece of what was held.
    async fn take(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(file) = &mut self.file {
            let mut piece = BytesMut::with_capacity(PIECE);
            if file.read_buf(&mut piece).await? > 0 {
                return Ok(Some(piece.freeze()));
            }
            self.file = None;
        }
        Ok(Some(self.memory.split().freeze()).filter(|rest| !rest.is_empty()))
    }
}

/// Made off the event loop: the file system may take its time.
async fn unnamed_file() -> io::Result<File> {
    let made = tokio::task::spawn_blocking(tempfile::tempfile).await;
    Ok(File::from_std(made.map_err(io::Error::other)??))
}
