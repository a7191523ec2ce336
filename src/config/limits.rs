//! Compiles `[limits]`: how much of the proxy anybody may take, and for how long.

use std::time::Duration;

use toml::Spanned;

use super::raw::{RawLimits, Text};
use super::snippet::{Mistakes, Wrong};
use super::value;

/// How much of the proxy anybody may take, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Client connections at once.
    pub connections: usize,
    /// Connections of one client's at once.
    pub connections_per_client: usize,
    /// Tunnels at once.
    pub tunnels: usize,
    /// Connections to PyPI's servers at once; not to be set.
    pub upstream: usize,
    /// Requests on one connection, which is then closed.
    pub requests_per_connection: u64,
    /// The largest head of a request, in bytes.
    pub head_size: usize,
    /// Requests under way on one HTTP/2 connection.
    pub streams: u32,
    /// How long a client may take for its first byte, and for a TLS handshake.
    pub opening: Duration,
    /// How long a request's head may take, and how long a connection may idle between two.
    pub idle: Duration,
    /// How long a tunnel may stand still.
    pub tunnel_idle: Duration,
    /// How long a tunnel may be open at all.
    pub tunnel_lifetime: Duration,
    /// Bytes a second that each client gets, bodies and tunnels together; 0 is as many as there are.
    pub bytes_per_client: u64,
}

/// Open files that are kept for all but the clients: logs, listeners, pages on their way, those who are told to come again.
const KEPT_FILES: usize = 512;

impl Limits {
    /// Serves no more clients than there can be open files for: a tunnel takes two. Where none is left, nobody is answered,
    /// not even who asks how we do.
    pub fn fit_into(&mut self, open_files: usize) {
        // One part for the ways to PyPI, on two for clients and two for tunnels.
        let part = (open_files.saturating_sub(KEPT_FILES) / 5).max(open_files / 8).max(1);
        self.connections = self.connections.min(2 * part);
        self.tunnels = self.tunnels.min(2 * part);
        self.upstream = self.upstream.min(part);
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16 * 1024,
            connections_per_client: 1024,
            tunnels: 16 * 1024,
            upstream: 8 * 1024,
            requests_per_connection: 10_000,
            head_size: 64 * 1024,
            streams: 256,
            opening: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            tunnel_idle: Duration::from_secs(15 * 60),
            tunnel_lifetime: Duration::from_secs(24 * 60 * 60),
            bytes_per_client: 0,
        }
    }
}

/// hyper takes no less for a head, and browsers send cookies of kilobytes.
const LEAST_HEAD: u64 = 8 * 1024;
const MOST_HEAD: u64 = 1024 * 1024;
/// More of anything is no limit.
const MOST: i64 = 1 << 30;
/// Less than that is no download.
const LEAST_BYTES: u64 = 1024;

/// The limits of the file, or the usual ones.
pub(super) fn limits(raw: &RawLimits, mistakes: &mut Mistakes<'_>) -> Limits {
    let usual = Limits::default();
    let size = |written: &Option<Spanned<super::raw::RawSize>>, mistakes: &mut Mistakes<'_>| {
        let written = written.as_ref()?;
        mistakes.keep(&written.span(), value::size(written.get_ref())).map(|bytes| (bytes, written.span()))
    };
    let head_size = size(&raw.head_size, mistakes).map(|(bytes, span)| {
        if !(LEAST_HEAD..=MOST_HEAD).contains(&bytes) {
            let help = "write a size from `8KB` to `1MB`";
            mistakes.report(&span, Wrong::new("that is no size for the head of a request", help));
        }
        usize::try_from(bytes).unwrap_or(usual.head_size)
    });
    let bytes_per_client = size(&raw.bytes_per_client, mistakes).map(|(bytes, span)| {
        if (1..LEAST_BYTES).contains(&bytes) {
            let help = "write how many bytes a second each client gets, such as `10MB`; or `0` for no limit";
            mistakes.report(&span, Wrong::new("with so few bytes a second nothing arrives", help));
        }
        bytes
    });
    Limits {
        connections: count(&raw.connections, mistakes).unwrap_or(usual.connections),
        connections_per_client: count(&raw.connections_per_client, mistakes).unwrap_or(usual.connections_per_client),
        tunnels: count(&raw.tunnels, mistakes).unwrap_or(usual.tunnels),
        upstream: usual.upstream,
        requests_per_connection: count(&raw.requests_per_connection, mistakes).unwrap_or(usual.requests_per_connection),
        head_size: head_size.unwrap_or(usual.head_size),
        streams: count(&raw.streams, mistakes).unwrap_or(usual.streams),
        opening: time(&raw.opening, mistakes).unwrap_or(usual.opening),
        idle: time(&raw.idle, mistakes).unwrap_or(usual.idle),
        tunnel_idle: time(&raw.tunnel_idle, mistakes).unwrap_or(usual.tunnel_idle),
        tunnel_lifetime: time(&raw.tunnel_lifetime, mistakes).unwrap_or(usual.tunnel_lifetime),
        bytes_per_client: bytes_per_client.unwrap_or(usual.bytes_per_client),
    }
}

/// A number of things, at least one.
fn count<T: TryFrom<i64>>(written: &Option<Spanned<i64>>, mistakes: &mut Mistakes<'_>) -> Option<T> {
    let written = written.as_ref()?;
    let number = *written.get_ref();
    let few = T::try_from(number).ok().filter(|_| (1..=MOST).contains(&number));
    if few.is_none() {
        let help = format!("write a number from 1 to {MOST}; leave the key out for the usual limit");
        mistakes.report(&written.span(), Wrong::new(format!("`{number}` is not a limit"), help));
    }
    few
}

/// A length of time, and some.
fn time(written: &Option<Text>, mistakes: &mut Mistakes<'_>) -> Option<Duration> {
    let written = written.as_ref()?;
    let time = mistakes.keep(&written.span(), value::duration(written.get_ref()))?;
    if time.is_zero() {
        let help = "write how long, such as `60s`; leave the key out for the usual limit";
        mistakes.report(&written.span(), Wrong::new("nobody does anything in no time", help));
    }
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_are_no_files_for_is_not_served() {
        for (files, connections, tunnels) in
            [(0, 2, 2), (48, 12, 12), (1024, 256, 256), (20_000, 7_794, 7_794), (65_536, 16_384, 16_384)]
        {
            let mut limits = Limits::default();
            limits.fit_into(files);
            assert_eq!((limits.connections, limits.tunnels), (connections, tunnels), "{files}");
        }
    }
}
