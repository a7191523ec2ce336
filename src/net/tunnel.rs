//! Carries bytes between two streams without a look at them, half-closes kept, until both ends are done or idle.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::scratch;

/// How long a tunnel may stand still.
#[derive(Clone, Copy, Debug)]
pub struct IdleLimits {
    /// With both directions open.
    pub open: Duration,
    /// With one direction closed: a half-closed peer that never closes the rest must not stay for ever.
    pub half_closed: Duration,
}

impl Default for IdleLimits {
    fn default() -> Self {
        Self { open: Duration::from_secs(15 * 60), half_closed: Duration::from_secs(60) }
    }
}

/// What went through a tunnel, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// From the client to the server.
    pub up: u64,
    /// From the server to the client.
    pub down: u64,
}

/// Carries bytes both ways until both directions have ended, one has failed, or nothing has moved for too long.
/// Gives what was carried, and how it ended.
pub async fn carry(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
    limits: IdleLimits,
) -> (Carried, io::Result<()>) {
    let (client_read, client_write) = tokio::io::split(client);
    let (server_read, server_write) = tokio::io::split(server);
    let (up, down) = (Direction::default(), Direction::default());
    let result = tokio::select! {
        both = async { tokio::try_join!(up.copy(client_read, server_write), down.copy(server_read, client_write)) } => {
            both.map(|_| ())
        }
        () = stands_still(&up, &down, limits) => Err(io::ErrorKind::TimedOut.into()),
    };
    (Carried { up: up.bytes(), down: down.bytes() }, result)
}

/// One direction of a tunnel: how much it has carried, and whether it has ended (the top bit).
#[derive(Default)]
struct Direction(AtomicU64);

const ENDED: u64 = 1 << 63;

impl Direction {
    async fn copy(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        loop {
            let piece = scratch::read(&mut from).await?;
            if piece.is_empty() {
                break;
            }
            to.write_all(&piece).await?;
            to.flush().await?;
            self.0.fetch_add(piece.len() as u64, Ordering::Relaxed);
            scratch::give_back(piece);
        }
        self.0.fetch_or(ENDED, Ordering::Relaxed);
        // The other side learns that no more will come, and may still answer (half-close).
        match to.shutdown().await {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }

    fn state(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        self.state() & !ENDED
    }
}

/// Completes when neither direction has moved for its limit.
async fn stands_still(up: &Direction, down: &Direction, limits: IdleLimits) {
    let mut seen = (up.state(), down.state());
    let mut moved = Instant::now();
    loop {
        let half_closed = (seen.0 | seen.1) & ENDED != 0;
        let limit = if half_closed { limits.half_closed } else { limits.open };
        if moved.elapsed() >= limit {
            return;
        }
        // Looking a few times within the limit is cheaper than a timer that is reset by every piece.
        tokio::time::sleep(limit / 8).await;
        let now = (up.state(), down.state());
        if now != seen {
            (seen, moved) = (now, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn half_close_is_kept() {
        let (mut client, near) = duplex(64);
        let (far, mut server) = duplex(64);
        let tunnel = async { carry(near, far, IdleLimits::default()).await };
        let talk = async move {
            client.write_all(b"question").await.unwrap();
            client.shutdown().await.unwrap();
            let mut question = String::new();
            server.read_to_string(&mut question).await.unwrap();
            server.write_all(b"a late answer").await.unwrap();
            drop(server);
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            (question, answer)
        };
        let ((carried, end), (question, answer)) = tokio::join!(tunnel, talk);
        assert!(end.is_ok());
        assert_eq!((question.as_str(), answer.as_str()), ("question", "a late answer"));
        assert_eq!(carried, Carried { up: 8, down: 13 });
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_tunnel_ends() {
        let (_client, near) = duplex(64);
        let (far, _server) = duplex(64);
        let before = Instant::now();
        let (_, end) = carry(near, far, IdleLimits::default()).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed().as_secs() / 60, 15);
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_closed_tunnel_ends_sooner() {
        let (mut client, near) = duplex(64);
        let (far, _server) = duplex(64);
        client.shutdown().await.unwrap();
        let before = Instant::now();
        let (_, end) = carry(near, far, IdleLimits::default()).await;
        assert!(end.is_err());
        assert!(before.elapsed() < Duration::from_secs(180), "{:?}", before.elapsed());
    }
}
