//! Buffers that are held only while bytes are in them: a tunnel that stands still holds none.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Large enough that a fast download isn't all system calls.
const SIZE: usize = 128 * 1024;

thread_local! {
    /// The one that the next read on this thread takes: of a thousand tunnels, few carry something at the same moment.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Waits for bytes of `from`, without a buffer, and reads what is there; gives the buffer with them, empty at the end.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    poll_fn(|cx| {
        let mut buffer = SPARE.take();
        buffer.clear();
        buffer.reserve(SIZE);
        match poll_read_buf(Pin::new(&mut *from), cx, &mut buffer) {
            Poll::Ready(Ok(_length)) => Poll::Ready(Ok(buffer)),
            Poll::Ready(Err(error)) => {
                give_back(buffer);
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                give_back(buffer);
                Poll::Pending
            }
        }
    })
    .await
}

/// Gives a buffer back when its bytes are on their way.
pub(super) fn give_back(buffer: Vec<u8>) {
    SPARE.set(buffer);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_buffer_is_used_again() {
        let (mut near, mut far) = duplex(64);
        near.write_all(b"ab").await.unwrap();
        let first = read(&mut far).await.unwrap();
        assert_eq!(first, b"ab");
        let at = first.as_ptr();
        give_back(first);
        // Waiting takes none away.
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), read(&mut far)).await.is_err());
        near.write_all(b"c").await.unwrap();
        let second = read(&mut far).await.unwrap();
        assert_eq!((&second[..], second.as_ptr()), (&b"c"[..], at));
        drop(near);
        assert!(read(&mut far).await.unwrap().is_empty());
    }
}
