//! A log's file, one record a line: written in batches behind a bounded queue, opened anew when it was rotated.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tracing::{error, info};

use super::metrics::{Log, Metrics};
use crate::tasks::Tasks;

/// Records that may wait for the disk; more are dropped and counted, the data path never waits.
const QUEUE: usize = 4096;
/// Records written at once: all that can wait.
const BATCH: usize = QUEUE;
/// How long what comes after a batch is collected: to wake the disk's thread for each record would cost a busy proxy more
/// than a tenth of its time.
const BREATH: Duration = Duration::from_millis(10);

/// What is a line of a log.
pub(super) trait Line: Send + 'static {
    /// Which log it belongs to.
    const LOG: Log;

    /// Writes itself, without the end of the line.
    fn write(&self, line: &mut Vec<u8>);
}

/// The way to the file.
#[derive(Debug)]
pub(super) struct LineFile<L> {
    queue: mpsc::Sender<L>,
    rotated: Arc<Notify>,
}

impl<L> Clone for LineFile<L> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), rotated: Arc::clone(&self.rotated) }
    }
}

impl<L: Line> LineFile<L> {
    /// Opens the file, appending, and starts to write what is sent.
    pub(super) async fn open(path: &Path, metrics: Arc<Metrics>, tasks: &Tasks) -> io::Result<Self> {
        let mut writer = Writer { path: path.to_owned(), file: append(path).await?, metrics, torn: false, lost: 0 };
        writer.torn = is_torn(path).await;
        let (queue, records) = mpsc::channel(QUEUE);
        let rotated = Arc::new(Notify::new());
        tasks.spawn_last(writer.write_all::<L>(records, Arc::clone(&rotated)));
        Ok(Self { queue, rotated })
    }

    /// Sends a record on its way; `false` if there is no room. Never waits.
    pub(super) fn send(&self, record: L) -> bool {
        self.queue.try_send(record).is_ok()
    }

    /// Has the file opened anew before the next record is written.
    pub(super) fn reopen(&self) {
        self.rotated.notify_one();
    }
}

/// The one who writes.
struct Writer {
    path: PathBuf,
    file: File,
    metrics: Arc<Metrics>,
    /// Whether the file may end within a line.
    torn: bool,
    /// Records lost since the disk failed; 0 while it doesn't.
    lost: u64,
}

impl Writer {
    /// Writes records as they come, in batches, until nobody is left who could send one.
    async fn write_all<L: Line>(mut self, mut records: mpsc::Receiver<L>, rotated: Arc<Notify>) {
        let mut batch = Vec::new();
        let mut lines = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = rotated.notified() => self.reopen(L::LOG).await,
                // Takes no record out of the queue unless it completes.
                count = records.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.write(&mut batch, &mut lines).await;
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    async fn write<L: Line>(&mut self, batch: &mut Vec<L>, lines: &mut Vec<u8>) {
        lines.clear();
        if self.torn {
            lines.push(b'\n');
        }
        let count = batch.len() as u64;
        for record in batch.drain(..) {
            record.write(lines);
            lines.push(b'\n');
        }
        let written = async {
            self.file.write_all(lines).await?;
            self.file.flush().await
        };
        match written.await {
            Ok(()) => self.recovered(L::LOG),
            Err(problem) => self.failed(L::LOG, count, &problem),
        }
    }

    fn recovered(&mut self, log: Log) {
        if self.lost > 0 {
            info!(lost = self.lost, path = %self.path.display(), "the {} log is written again", log.as_str());
        }
        (self.torn, self.lost) = (false, 0);
    }

    /// Said once: a full disk isn't told of every request.
    fn failed(&mut self, log: Log, count: u64, problem: &io::Error) {
        if self.lost == 0 {
            let (path, log) = (self.path.display(), log.as_str());
            error!(%problem, %path, "cannot write the {log} log; what it loses is counted");
        }
        self.metrics.dropped(log, count);
        self.lost += count;
        self.torn = true;
    }

    async fn reopen(&mut self, log: Log) {
        match append(&self.path).await {
            Ok(file) => {
                self.file = file;
                self.torn = is_torn(&self.path).await;
            }
            // The renamed file is better than none.
            Err(problem) => {
                let (path, log) = (self.path.display(), log.as_str());
                error!(%problem, %path, "cannot open the {log} log anew: the old file is written on");
            }
        }
    }
}

async fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    // Who installs what is the owner's and his group's business.
    #[cfg(unix)]
    options.mode(0o640);
    options.open(path).await
}

/// Whether the file ends within a line, as a crash or a full disk leaves it.
async fn is_torn(path: &Path) -> bool {
    // To open a pipe only to look at it would be heard at its other end.
    if !tokio::fs::metadata(path).await.is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0) {
        return false;
    }
    let last = async {
        let mut file = File::open(path).await?;
        file.seek(SeekFrom::End(-1)).await?;
        file.read_u8().await
    };
    last.await.is_ok_and(|byte| byte != b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::decision::tests::decision;
    use crate::telemetry::{Decisions, Outcome};

    async fn end(decisions: Decisions, tasks: Tasks) {
        drop(decisions);
        tasks.shut_down(Duration::from_secs(5), std::future::pending()).await;
    }

    fn projects(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let project =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["project"].as_str().map(str::to_owned);
        text.lines().filter_map(project).collect()
    }

    #[tokio::test]
    async fn a_rotated_file_is_opened_anew_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("d.jsonl"), folder.path().join("d.jsonl.1"));
        let tasks = Tasks::default();
        let decisions = Decisions::open(Some(&path), Arc::default(), &tasks).await.unwrap();
        for number in 0..500 {
            decisions.record(decision(Outcome::Hidden, &number.to_string()));
            if number == 250 {
                std::fs::rename(&path, &old).unwrap();
            }
            if number == 300 {
                decisions.reopen();
            }
            if number % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
        end(decisions, tasks).await;
        let all: Vec<String> = projects(&old).into_iter().chain(projects(&path)).collect();
        assert_eq!(all, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(path.exists());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_torn_line_stays_alone_and_strangers_read_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        for (before, lines) in [("", 1), ("{\"project\":", 2), ("{\"project\":\"a\"}\n", 2)] {
            if !before.is_empty() {
                std::fs::write(&path, before).unwrap();
            }
            let tasks = Tasks::default();
            let decisions = Decisions::open(Some(&path), Arc::default(), &tasks).await.unwrap();
            decisions.record(decision(Outcome::Hidden, "b"));
            end(decisions, tasks).await;
            assert_eq!(projects(&path).last().unwrap(), "b");
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), lines);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o137, 0);
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_full_disk_loses_is_counted() {
        let (tasks, metrics) = (Tasks::default(), Arc::<Metrics>::default());
        let decisions = Decisions::open(Some(Path::new("/dev/full")), Arc::clone(&metrics), &tasks).await.unwrap();
        for _ in 0..3 {
            decisions.record(decision(Outcome::Hidden, "a"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        end(decisions, tasks).await;
        assert!(
            metrics.render("", 0).contains("namewall_log_dropped_total{log=\"decision\"} 3\n"),
            "{}",
            metrics.render("", 0)
        );
    }
}
