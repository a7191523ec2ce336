//! The access log: one line for each request and each tunnel, as JSON or as web servers have always written it. Never a
//! credential, a query string or a body.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Version};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::info;

use super::decision::written;
use super::line_file::{Line, LineFile};
use super::metrics::{Log, Metrics};
use crate::config::{AccessFormat, AccessTo};
use crate::tasks::Tasks;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Passage {
    /// It was understood, judged and answered.
    Intercepted,
    /// Plain HTTP to a host that is not ours.
    Forward,
    /// It went through unseen.
    Tunnel,
    /// It was no request for this proxy, or its server was not reached.
    Refused,
}

/// A request, as far as it is known when it begins.
#[derive(Clone, Debug)]
pub(crate) struct Began {
    pub(crate) at: OffsetDateTime,
    pub(crate) clock: Instant,
    pub(crate) client: IpAddr,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) method: Method,
    pub(crate) scheme: &'static str,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) trace_id: Option<String>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) request_id: String,
    pub(crate) kind: Passage,
    pub(crate) status: u16,
    pub(crate) decision: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) bytes: u64,
}

/// Where the lines go, if anywhere. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    to: Option<To>,
    format: AccessFormat,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Debug)]
enum To {
    Log,
    File(LineFile<Record>),
}

/// One line.
#[derive(Debug)]
struct Record {
    began: Began,
    ended: Ended,
    took: Duration,
    format: AccessFormat,
}

impl AccessLog {
    /// Opens the log, appending.
    ///
    /// # Errors
    /// The file can't be opened for appending.
    pub(crate) async fn open(
        to: Option<&AccessTo>,
        format: AccessFormat,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let to = match to {
            None => None,
            Some(AccessTo::Log) => Some(To::Log),
            Some(AccessTo::File(path)) => {
                Some(To::File(LineFile::open(Path::new(path), Arc::clone(&metrics), tasks).await?))
            }
        };
        Ok(Self { to, format, metrics })
    }

    /// Whether anything is written.
    pub(crate) const fn is_kept(&self) -> bool {
        self.to.is_some()
    }

    /// Writes a line. Never waits.
    pub(crate) fn record(&self, began: Began, ended: Ended) {
        let Some(to) = &self.to else { return };
        let record = Record { took: began.clock.elapsed(), began, ended, format: self.format };
        match to {
            To::File(file) => {
                if !file.send(record) {
                    self.metrics.dropped(Log::Access, 1);
                }
            }
            To::Log => record.tell(),
        }
    }

    /// Opens the file anew: it was renamed.
    pub(crate) fn reopen(&self) {
        if let Some(To::File(file)) = &self.to {
            file.reopen();
        }
    }
}

impl Line for Record {
    const LOG: Log = Log::Access;

    fn write(&self, line: &mut Vec<u8>) {
        match self.format {
            // Strings and numbers: nothing of it can fail.
            AccessFormat::Json => drop(serde_json::to_writer(line, &self.json())),
            AccessFormat::Common => line.extend_from_slice(self.common().as_bytes()),
        }
    }
}

/// A line as JSON has it.
#[derive(Serialize)]
struct Json<'r> {
    ts: String,
    request_id: &'r str,
    client: IpAddr,
    user: Option<&'r str>,
    method: &'r str,
    host: &'r str,
    path: &'r str,
    status: u16,
    bytes: u64,
    ms: f64,
    kind: Passage,
    decision: Option<&'r str>,
    rule: Option<&'r str>,
    trace_id: Option<&'r str>,
}

/// As Apache writes the time: `[10/Oct/2000:13:55:36 +0000]`.
const CLF_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

impl Record {
    fn json(&self) -> Json<'_> {
        let Self { began, ended, took, .. } = self;
        Json {
            ts: written(began.at),
            request_id: &ended.request_id,
            client: began.client,
            user: began.user.as_deref(),
            method: began.method.as_str(),
            host: &began.host,
            path: &began.path,
            status: ended.status,
            bytes: ended.bytes,
            ms: (took.as_secs_f64() * 10_000.0).round() / 10.0,
            kind: ended.kind,
            decision: ended.decision.as_deref(),
            rule: ended.rule.as_deref(),
            trace_id: began.trace_id.as_deref(),
        }
    }

    /// `%h %l %u %t "%r" %>s %b`.
    fn common(&self) -> String {
        let Began { at, client, user, method, scheme, host, path, version, .. } = &self.began;
        let user = user.as_deref().map_or_else(|| "-".to_owned(), |user| escaped(user).replace(' ', "\\x20"));
        let at = at.format(CLF_TIME).unwrap_or_default();
        let target = escaped(&format!("{scheme}{host}{path}"));
        let bytes = if self.ended.bytes == 0 { "-".to_owned() } else { self.ended.bytes.to_string() };
        let (method, status) = (escaped(method.as_str()), self.ended.status);
        format!("{client} - {user} [{at}] \"{method} {target} {version:?}\" {status} {bytes}")
    }

    fn tell(&self) {
        if self.format == AccessFormat::Common {
            return info!("{}", self.common());
        }
        // The log has a time of its own.
        let Json {
            ts: _,
            request_id,
            client,
            user,
            method,
            host,
            path,
            status,
            bytes,
            ms,
            kind,
            decision,
            rule,
            trace_id,
        } = self.json();
        let kind = kind.as_str();
        info!(
            request_id, %client, user, method, host, path, status, bytes, ms, kind, decision, rule, trace_id, "access"
        );
    }
}

impl Passage {
    /// The word in the log.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Intercepted => "intercepted",
            Self::Forward => "forward",
            Self::Tunnel => "tunnel",
            Self::Refused => "refused",
        }
    }
}

/// As Apache escapes what a client has sent: nobody ends a line, or a quoted part of it, but us.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => safe.extend(['\\', byte.into()]),
            b' '..=b'~' => safe.push(byte.into()),
            _ => safe.push_str(&format!("\\x{byte:02x}")),
        }
    }
    safe
}

/// The trace that a request belongs to, by its `traceparent` (W3C Trace Context), if that is one.
pub(crate) fn trace_id(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_some = |text: &str| text.bytes().any(|byte| byte != b'0');
    let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let valid = known && is_hex(trace, 32) && is_some(trace) && is_hex(parent, 16) && is_some(parent);
    (valid && is_hex(flags, 2)).then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str) -> Record {
        let began = Began {
            at: time::macros::datetime!(2026-11-26 09:05:00.5 UTC),
            clock: Instant::now(),
            client: IpAddr::from([10, 0, 0, 7]),
            user: Some("ann \"x\"".into()),
            method: Method::GET,
            scheme: "https://",
            host: "pypi.org".into(),
            path: path.into(),
            version: Version::HTTP_11,
            trace_id: None,
        };
        let ended = Ended {
            request_id: "1".into(),
            kind: Passage::Intercepted,
            status: 200,
            decision: None,
            rule: None,
            bytes: 12,
        };
        Record { began, ended, took: Duration::from_micros(1_234), format: AccessFormat::Common }
    }

    #[test]
    fn the_common_format_is_apaches_and_nobody_breaks_out_of_it() {
        assert_eq!(
            record("/simple/\"\\\n\u{2028}/").common(),
            "10.0.0.7 - ann\\x20\\\"x\\\" [26/Nov/2026:09:05:00 +0000] \
             \"GET https://pypi.org/simple/\\\"\\\\\\x0a\\xe2\\x80\\xa8/ HTTP/1.1\" 200 12"
        );
    }

    #[test]
    fn the_log_is_told_each_key_too() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let writer = Arc::clone(&told);
        let log = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || Told(Arc::clone(&writer)))
            .finish();
        let mut record = record("/");
        record.format = AccessFormat::Json;
        record.began.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".into());
        (record.ended.decision, record.ended.rule) = (Some("hidden".into()), Some("acme".into()));
        tracing::subscriber::with_default(log, || record.tell());
        let line: serde_json::Value = serde_json::from_slice(&told.lock().unwrap()).unwrap();
        let file = serde_json::to_value(record.json()).unwrap();
        for (key, value) in file.as_object().unwrap().iter().filter(|(key, _)| *key != "ts") {
            assert_eq!(&line[key], value, "{key}");
        }
    }

    /// What a log writes to.
    struct Told(Arc<std::sync::Mutex<Vec<u8>>>);

    impl io::Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn json_has_each_key() {
        let text = serde_json::to_string(&record("/").json()).unwrap();
        assert_eq!(
            text,
            r#"{"ts":"2026-11-26T09:05:00.500Z","request_id":"1","client":"10.0.0.7","user":"ann \"x\"","method":"GET","host":"pypi.org","path":"/","status":200,"bytes":12,"ms":1.2,"kind":"intercepted","decision":null,"rule":null,"trace_id":null}"#
        );
    }

    #[test]
    fn only_a_valid_traceparent_names_a_trace() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (written, valid) in [
            (format!("00-{trace}-00f067aa0ba902b7-01"), true),
            (format!("01-{trace}-00f067aa0ba902b7-01-more"), true),
            (format!("00-{trace}-00f067aa0ba902b7-01-more"), false),
            (format!("ff-{trace}-00f067aa0ba902b7-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()), false),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false),
            (format!("00-{trace}-0000000000000000-01"), false),
            (format!("00-{trace}-00f067aa0ba902b7"), false),
            (String::new(), false),
        ] {
            assert_eq!(trace_id(&written).as_deref(), valid.then_some(trace), "{written}");
        }
    }
}
