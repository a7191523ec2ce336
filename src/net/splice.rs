//! Moves bytes from one socket to another within the kernel (`splice(2)`): what a tunnel carries is looked at by nobody,
//! so nobody needs a copy of it.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How much is moved at once. An ordinary user may have pipes of up to 1 MiB.
const SIZE: usize = 256 * 1024;

/// A pipe with nothing in it, between two moves.
#[derive(Debug)]
struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
}

thread_local! {
    /// The one that the next move on this thread takes: a tunnel that stands still holds none.
    static SPARE: Cell<Option<Pipe>> = const { Cell::new(None) };
}

impl Pipe {
    fn take() -> io::Result<Self> {
        if let Some(pipe) = SPARE.take() {
            return Ok(pipe);
        }
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // With the usual size it is slower, and still right.
        let _best_effort = fcntl_setpipe_size(&into, SIZE);
        Ok(Self { out, into })
    }

    fn give_back(self) {
        SPARE.set(Some(self));
    }
}

/// Waits for bytes of `from`, and moves what is there to `to`, telling `moved` of each part; how much that was, 0 at the end. `None` if there is something
/// and no pipe can be had for it: there may be no file descriptor left.
///
/// # Errors
/// Those of either socket. Dropped in between, what was under way is lost with its pipe.
pub(super) async fn some(from: &TcpStream, to: &TcpStream, moved: impl Fn(usize)) -> io::Result<Option<usize>> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    let taken = from
        .async_io(Interest::READABLE, || {
            let Ok(pipe) = Pipe::take() else { return Ok(None) };
            match splice(from, None, &pipe.into, None, SIZE, flags) {
                Ok(length) => Ok(Some((pipe, length))),
                // The pipe is empty: it is the socket that has nothing.
                Err(error) => {
                    pipe.give_back();
                    Err(error.into())
                }
            }
        })
        .await?;
    let Some((pipe, length)) = taken else { return Ok(None) };
    let mut left = length;
    while left > 0 {
        let part = to.async_io(Interest::WRITABLE, || Ok(splice(&pipe.out, None, to, None, left, flags)?)).await?;
        if part == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        moved(part);
        left -= part;
    }
    pipe.give_back();
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::net::testing::connected;

    #[tokio::test]
    async fn all_bytes_arrive_in_their_order() {
        let (mut client, near) = connected().await;
        let (far, mut server) = connected().await;
        let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        let expected = sent.clone();
        let sending = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let moving = async {
            let mut all = 0;
            loop {
                match some(&near, &far, |_| {}).await.unwrap().unwrap() {
                    0 => break drop(far),
                    length => all += length,
                }
            }
            all
        };
        let receiving = async {
            let mut received = Vec::new();
            server.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((), moved, received) = tokio::join!(sending, moving, receiving);
        assert_eq!((moved, received), (expected.len(), expected));
    }

    #[tokio::test]
    async fn a_receiver_that_has_gone_is_an_error_and_leaves_nothing_for_the_next() {
        let (mut client, near) = connected().await;
        let (far, server) = connected().await;
        drop(server);
        let mut failed = false;
        while !failed {
            client.write_all(b"for nobody").await.unwrap();
            failed = some(&near, &far, |_| {}).await.is_err();
        }
        let (mut client, near) = connected().await;
        let (far, mut server) = connected().await;
        client.write_all(b"other").await.unwrap();
        assert_eq!(some(&near, &far, |_| {}).await.unwrap(), Some(5));
        let mut received = [0; 5];
        server.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"other");
    }
}
