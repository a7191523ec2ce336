//! Carries bytes between two streams without a look at them, half-closes kept, until both ends are done or idle.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp;
use tokio::time::Instant;

use super::pace::Pace;
use super::scratch;
#[cfg(target_os = "linux")]
use super::splice;
use super::stream::Stream;
use crate::config;

/// Whoever has carried so much in a direction is likely to carry more: it goes without a copy.
#[cfg(target_os = "linux")]
const BULK: u64 = 128 * 1024;

/// How long a tunnel may stand still, and be open at all.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// With both directions open.
    pub open: Duration,
    /// With one direction closed: a half-closed peer that never closes the rest must not stay for ever.
    pub half_closed: Duration,
    /// From its beginning to its end.
    pub lifetime: Duration,
}

/// How long a tunnel may stand still that is closed on one side.
const HALF_CLOSED: Duration = Duration::from_secs(60);

impl From<&config::Limits> for Limits {
    fn from(limits: &config::Limits) -> Self {
        let open = limits.tunnel_idle;
        Self { open, half_closed: open.min(HALF_CLOSED), lifetime: limits.tunnel_lifetime }
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

/// What was read of either side before the tunnel was one.
#[derive(Debug, Default)]
pub struct Early {
    /// Of the client.
    pub up: Bytes,
    /// Of the server.
    pub down: Bytes,
}

/// How a tunnel is carried.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    /// For how long.
    pub limits: Limits,
    /// How fast, where that is limited.
    pub pace: Option<&'t Pace>,
    /// The bytes of all tunnels from clients to servers, to which this one's are added as they go.
    pub all_up: &'t AtomicU64,
    /// Those to the clients.
    pub all_down: &'t AtomicU64,
    /// This one's to its client, as they go: whoever drops it still knows.
    pub down: &'t AtomicU64,
}

/// Carries bytes both ways, `early` ones first, until both directions have ended, one has failed, or nothing has moved
/// for too long. Gives what was carried, and how it ended.
pub async fn carry(client: Stream, early: Early, server: Stream, terms: Terms<'_>) -> (Carried, io::Result<()>) {
    match (client, server) {
        (Stream::Tcp(mut client), Stream::Tcp(mut server)) => {
            between(client.split(), early, server.split(), terms).await
        }
        (client, server) => between(tokio::io::split(client), early, tokio::io::split(server), terms).await,
    }
}

async fn between<R: Source, W: Sink, S: Source, T: Sink>(
    client: (R, W),
    early: Early,
    server: (S, T),
    terms: Terms<'_>,
) -> (Carried, io::Result<()>) {
    let Terms { limits, pace, all_up, all_down, down } = terms;
    let (up, down) = (Direction::new(all_up, None), Direction::new(all_down, Some(down)));
    let both = async {
        tokio::try_join!(up.copy(early.up, client.0, server.1, pace), down.copy(early.down, server.0, client.1, pace))
    };
    let result = tokio::select! {
        both = both => both.map(|_| ()),
        () = stands_still(&up, &down, limits) => Err(io::ErrorKind::TimedOut.into()),
        () = tokio::time::sleep(limits.lifetime) => Err(io::ErrorKind::TimedOut.into()),
    };
    (Carried { up: up.bytes(), down: down.bytes() }, result)
}

/// Whence a direction comes.
trait Source: AsyncRead + Unpin {
    /// The socket, if there is nothing but it.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

/// Where a direction goes.
trait Sink: AsyncWrite + Unpin {
    /// The socket, if there is nothing but it.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl Source for tcp::ReadHalf<'_> {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

impl Sink for tcp::WriteHalf<'_> {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

impl Source for tokio::io::ReadHalf<Stream> {}
impl Sink for tokio::io::WriteHalf<Stream> {}

/// One direction of a tunnel: how much it has carried, and whether it has ended (the top bit).
struct Direction<'t> {
    state: AtomicU64,
    /// Whether it waits until its client may have more.
    is_paced: AtomicBool,
    all: &'t AtomicU64,
    own: Option<&'t AtomicU64>,
}

const ENDED: u64 = 1 << 63;

impl<'t> Direction<'t> {
    const fn new(all: &'t AtomicU64, own: Option<&'t AtomicU64>) -> Self {
        Self { state: AtomicU64::new(0), is_paced: AtomicBool::new(false), all, own }
    }

    async fn copy(
        &self,
        early: Bytes,
        mut from: impl Source,
        mut to: impl Sink,
        pace: Option<&Pace>,
    ) -> io::Result<()> {
        if !early.is_empty() {
            self.write(&early, &mut to).await?;
            to.flush().await?;
        }
        drop(early);
        loop {
            let length = self.some(&mut from, &mut to).await?;
            if length == 0 {
                break;
            }
            if let Some(pace) = pace {
                self.is_paced.store(true, Ordering::Relaxed);
                pace.spend(length).await;
                self.is_paced.store(false, Ordering::Relaxed);
            }
        }
        self.state.fetch_or(ENDED, Ordering::Relaxed);
        // The other side learns that no more will come, and may still answer (half-close).
        match to.shutdown().await {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }

    /// Carries what is there, when there is something; how much, 0 at the end.
    async fn some(&self, from: &mut impl Source, to: &mut impl Sink) -> io::Result<usize> {
        #[cfg(target_os = "linux")]
        if self.bytes() > BULK
            && let Some((from, to)) = from.socket().zip(to.socket())
            && let Some(length) = splice::some(from, to, |part| self.add(part)).await?
        {
            return Ok(length);
        }
        let piece = scratch::read(from).await?;
        self.write(&piece, to).await?;
        // What wraps a socket may have kept some of it back.
        to.flush().await?;
        let length = piece.len();
        scratch::give_back(piece);
        Ok(length)
    }

    /// Writes all of `piece`. Each part counts at once: a slow reader doesn't stand still.
    async fn write(&self, mut piece: &[u8], to: &mut impl Sink) -> io::Result<()> {
        while !piece.is_empty() {
            let length = to.write(piece).await?;
            if length == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.add(length);
            piece = piece.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    fn add(&self, length: usize) {
        self.state.fetch_add(length as u64, Ordering::Relaxed);
        self.all.fetch_add(length as u64, Ordering::Relaxed);
        if let Some(own) = self.own {
            own.fetch_add(length as u64, Ordering::Relaxed);
        }
    }

    fn state(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        self.state() & !ENDED
    }
}

/// Completes when neither direction has moved for its limit.
async fn stands_still(up: &Direction<'_>, down: &Direction<'_>, limits: Limits) {
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
        let is_paced = |direction: &Direction<'_>| direction.is_paced.load(Ordering::Relaxed);
        // Whom we let wait doesn't stand still by itself.
        if now != seen || is_paced(up) || is_paced(down) {
            (seen, moved) = (now, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::net::testing::connected;

    static UP: AtomicU64 = AtomicU64::new(0);
    static DOWN: AtomicU64 = AtomicU64::new(0);
    static ITS_DOWN: AtomicU64 = AtomicU64::new(0);

    fn usual() -> Terms<'static> {
        Terms { limits: (&config::Limits::default()).into(), pace: None, all_up: &UP, all_down: &DOWN, down: &ITS_DOWN }
    }

    #[tokio::test]
    async fn half_close_is_kept() {
        let (mut client, near) = connected().await;
        let (far, mut server) = connected().await;
        let tunnel =
            carry(near.into(), Early { up: Bytes::from_static(b"a "), ..Early::default() }, far.into(), usual());
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
        assert_eq!((question.as_str(), answer.as_str()), ("a question", "a late answer"));
        assert_eq!(carried, Carried { up: 10, down: 13 });
    }

    #[tokio::test]
    async fn much_arrives_as_it_was_sent() {
        let (mut client, near) = connected().await;
        let (far, mut server) = connected().await;
        let sent: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 253) as u8).collect();
        let expected = sent.clone();
        let tunnel = carry(near.into(), Early::default(), far.into(), usual());
        let serving = async move {
            server.write_all(&sent).await.unwrap();
            drop(server);
        };
        let receiving = async move {
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((carried, end), (), received) = tokio::join!(tunnel, serving, receiving);
        assert!(end.is_ok() && received == expected);
        assert_eq!(carried.down, expected.len() as u64);
    }

    #[tokio::test]
    async fn what_goes_through_is_counted_while_it_goes() {
        let (mut client, near) = connected().await;
        let (far, mut server) = connected().await;
        let (all_up, all_down, its_down) = (AtomicU64::new(7), AtomicU64::new(7), AtomicU64::new(0));
        let terms = Terms { all_up: &all_up, all_down: &all_down, down: &its_down, ..usual() };
        let tunnel = carry(near.into(), Early::default(), far.into(), terms);
        let talk = async {
            client.write_all(b"question").await.unwrap();
            let mut question = [0; 8];
            server.read_exact(&mut question).await.unwrap();
            server.write_all(b"answer").await.unwrap();
            client.read_exact(&mut [0; 6]).await.unwrap();
        };
        tokio::select! {
            _ = tunnel => panic!("it is still open"),
            () = talk => {}
        }
        assert_eq!((all_up.into_inner(), all_down.into_inner(), its_down.into_inner()), (15, 13, 6));
    }

    /// Tunnels of one client that move more than it may have, each with an idle limit shorter than its waits.
    #[tokio::test(start_paused = true)]
    async fn who_waits_for_its_pace_is_not_idle_and_all_go_on() {
        const TUNNELS: usize = 5;
        let paces = std::sync::Arc::new(crate::net::pace::Paces::new(20_000));
        let pace = paces.of([192, 0, 2, 1].into());
        let limit = Duration::from_secs(2);
        let limits = Limits { open: limit, half_closed: limit, lifetime: Duration::from_secs(60) };
        let got: [AtomicU64; TUNNELS] = std::array::from_fn(|_| AtomicU64::new(0));
        let one = async |got: &AtomicU64| {
            let (mut client, near) = tokio::io::duplex(64 * 1024);
            let (far, mut server) = tokio::io::duplex(64 * 1024);
            let terms = Terms { limits, pace: pace.as_ref(), ..usual() };
            let tunnel = carry(Stream::layered(near), Early::default(), Stream::layered(far), terms);
            let sending = async { while server.write_all(&[0; 4096]).await.is_ok() {} };
            let receiving = async {
                let mut some = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = client.read(&mut some).await {
                    got.fetch_add(length as u64, Ordering::Relaxed);
                }
            };
            tokio::join!(tunnel, sending, receiving).0.1
        };
        let [a, b, c, d, e] = &got;
        let all = async { tokio::join!(one(a), one(b), one(c), one(d), one(e)) };
        let ended = tokio::time::timeout(Duration::from_secs(45), all).await;
        assert!(ended.is_err(), "one was cut: {ended:?}");
        let got = got.map(AtomicU64::into_inner);
        assert!(got.iter().all(|got| (100_000..400_000).contains(got)), "{got:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_tunnel_ends() {
        let (_client, near) = connected().await;
        let (far, _server) = connected().await;
        let before = Instant::now();
        let (_, end) = carry(near.into(), Early::default(), far.into(), usual()).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed().as_secs() / 60, 15);
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_closed_tunnel_ends_sooner() {
        let (mut client, near) = connected().await;
        let (far, _server) = connected().await;
        client.shutdown().await.unwrap();
        let before = Instant::now();
        let (_, end) = carry(near.into(), Early::default(), far.into(), usual()).await;
        assert!(end.is_err());
        assert!(before.elapsed() < Duration::from_secs(180), "{:?}", before.elapsed());
    }
}
