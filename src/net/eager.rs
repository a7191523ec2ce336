//! A stream that is read as far as it goes: TLS gives one record of 16 KiB a read, and each piece that is passed on has
//! its price.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::writes::writes_to_inner;

/// `inner`, of which a read takes all that is there and fits.
#[derive(Debug)]
pub struct Eager<S> {
    inner: S,
    /// What came behind bytes that were still to be given out.
    error: Option<io::Error>,
}

impl<S> Eager<S> {
    /// Reads `inner` eagerly.
    pub const fn new(inner: S) -> Self {
        Self { inner, error: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Eager<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        let given = buf.filled().len();
        loop {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.inner).poll_read(cx, buf);
            match read {
                Poll::Ready(Ok(())) if buf.filled().len() > before && buf.remaining() > 0 => {}
                _ if before == given => return read,
                Poll::Ready(Err(error)) => {
                    self.error = Some(error);
                    return Poll::Ready(Ok(()));
                }
                // Nothing more now, or for ever: the next read finds that out again.
                Poll::Ready(Ok(())) | Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
    }
}

writes_to_inner!(Eager);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio_test::io::Builder;

    use super::*;

    #[tokio::test]
    async fn what_is_there_is_one_read() {
        let mut stream = Eager::new(Builder::new().read(b"ab").read(b"cd").read(b"efg").build());
        let mut buffer = [0; 5];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 5);
        assert_eq!(&buffer, b"abcde");
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 2);
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_error_comes_behind_what_came_before_it() {
        let stream = Builder::new().read(b"ab").read_error(io::ErrorKind::ConnectionReset.into()).build();
        let mut stream = Eager::new(stream);
        let mut buffer = [0; 5];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 2);
        assert_eq!(stream.read(&mut buffer).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_more_than_is_there() {
        let stream = Builder::new().read(b"ab").wait(std::time::Duration::from_secs(3600)).read(b"cd").build();
        let (mut stream, mut buffer) = (Eager::new(stream), [0; 5]);
        for _ in 0..2 {
            assert_eq!(stream.read(&mut buffer).await.unwrap(), 2);
        }
    }
}
