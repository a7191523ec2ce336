//! Decisions as they are made, for who follows them (`text/event-stream`): resumed by id, bounded, never waited for.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{MissedTickBehavior, interval};

use crate::tasks::Tasks;
use crate::telemetry::recent::{Following, Id, Numbered, Recent};

/// Who follows at once; more are asked to come again.
pub(super) const FOLLOWERS: usize = 32;
/// Between two signs of life: less than what usually ends an idle connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// What is put together into one piece.
const PIECE: usize = 64 * 1024;

/// The events on their way to one follower.
#[derive(Debug)]
pub(super) struct Events(mpsc::Receiver<Bytes>);

/// Begins to send what is decided after `known`, until the reader leaves or the proxy drains. `place` is held as long.
pub(super) fn follow(recent: &Recent, known: Option<Id>, place: OwnedSemaphorePermit, tasks: &Tasks) -> Events {
    let following = recent.follow(known);
    // One piece waits; the rest waits where there is a bound, and what passes it is told of.
    let (sender, events) = mpsc::channel(1);
    let draining = tasks.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = draining.draining() => {}
            () = sender.closed() => {}
            () = send_all(following, &sender) => {}
        }
        drop(place);
    });
    Events(events)
}

async fn send_all(following: Following, sender: &mpsc::Sender<Bytes>) {
    let Following { missed, gap, mut news } = following;
    let mut text = "retry: 2000\n: namewall decisions\n\n".to_owned();
    if gap {
        lag(&mut text, None);
    }
    missed.iter().for_each(|numbered| tell(&mut text, numbered));
    let mut signs = interval(SIGN_OF_LIFE);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    signs.reset();
    loop {
        if sender.send(std::mem::take(&mut text).into()).await.is_err() {
            return;
        }
        tokio::select! {
            came = news.recv() => match came {
                Ok(numbered) => tell(&mut text, &numbered),
                Err(RecvError::Lagged(count)) => lag(&mut text, Some(count)),
                Err(RecvError::Closed) => return,
            },
            _ = signs.tick() => text.push_str(": still here\n\n"),
        }
        while text.len() < PIECE {
            match news.try_recv() {
                Ok(numbered) => tell(&mut text, &numbered),
                Err(TryRecvError::Lagged(count)) => lag(&mut text, Some(count)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }
}

fn tell(text: &mut String, numbered: &Arc<Numbered>) {
    // JSON has no line break of its own, so it is one line of data.
    let data = serde_json::to_string(&*numbered.decision).unwrap_or_default();
    text.push_str(&format!("id: {}\ndata: {data}\n\n", numbered.id));
}

/// Says that decisions are missing here: how many, if that is known.
fn lag(text: &mut String, missed: Option<u64>) {
    text.push_str(&format!("event: lagged\ndata: {}\n\n", json!({ "missed": missed })));
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::telemetry::Outcome;
    use crate::telemetry::decision::tests::decision;

    async fn place() -> OwnedSemaphorePermit {
        Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap()
    }

    async fn next(events: &mut Events) -> String {
        let piece = events.frame().await.unwrap().unwrap().into_data().unwrap();
        String::from_utf8(piece.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_told_what_it_missed_and_the_end_is_the_drains() {
        let (recent, tasks) = (Recent::default(), Tasks::default());
        let mut events = follow(&recent, None, place().await, &tasks);
        assert!(next(&mut events).await.starts_with("retry: "));
        assert_eq!(next(&mut events).await, ": still here\n\n");
        for number in 0..2000 {
            recent.add(Arc::new(decision(Outcome::Hidden, &number.to_string())));
        }
        let mut text = String::new();
        while !text.contains("\"1999\"") {
            text.push_str(&next(&mut events).await);
        }
        assert!(text.contains("event: lagged\ndata: {\"missed\":1744}\n\n"), "{text}");
        assert!(text.contains("\"project\":\"1744\"") && !text.contains("\"project\":\"1743\""), "{text}");
        tasks.shut_down(Duration::from_secs(1), std::future::pending()).await;
        assert!(events.frame().await.is_none());
    }
}
