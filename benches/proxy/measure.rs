//! What a process and its children have used, from `/proc`: processor time and memory.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// What the kernel counts in.
const TICKS_A_SECOND: u64 = 100;

/// Processor time so far of a process, all below it, and what has ended there.
pub(crate) fn cpu(root: u32) -> Duration {
    let ticks: u64 = tree(root).into_iter().filter_map(times).sum();
    Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
}

/// Resident memory of a process and all below it, in bytes.
pub(crate) fn resident(root: u32) -> u64 {
    tree(root).into_iter().filter_map(|id| status(id, "VmRSS:")).sum()
}

/// What of that is no file's that others map, too, such as the program itself.
pub(crate) fn own(root: u32) -> u64 {
    tree(root).into_iter().filter_map(|id| status(id, "RssAnon:")).sum()
}

/// The most that [`resident`] has been since [`forget_peak`].
pub(crate) fn peak(root: u32) -> u64 {
    tree(root).into_iter().filter_map(|id| status(id, "VmHWM:")).sum()
}

/// The peak is what it is now.
pub(crate) fn forget_peak(root: u32) {
    for id in tree(root) {
        // It may have ended.
        let _gone = fs::write(format!("/proc/{id}/clear_refs"), "5");
    }
}

/// The processor's name.
pub(crate) fn processor() -> String {
    let all = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = all.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or_else(|| "unknown".to_owned(), |name| name.trim_start_matches([' ', '\t', ':']).to_owned())
}

/// A process and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: HashMap<u32, u32> = ids.filter_map(|id| Some((id, stat(id)?.get(1)?.parse().ok()?))).collect();
    let descends = |id: u32| {
        let mut above = std::iter::successors(Some(id), |id| parents.get(id).copied());
        above.any(|id| id == root)
    };
    parents.keys().copied().filter(|id| descends(*id)).collect()
}

/// utime, stime, and those of the children that it has waited for.
fn times(id: u32) -> Option<u64> {
    Some(stat(id)?.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

/// The fields behind the command's name, which may have blanks and parentheses in it.
fn stat(id: u32) -> Option<Vec<String>> {
    let line = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = line.rsplit_once(')')?;
    Some(fields.split_whitespace().map(ToOwned::to_owned).collect())
}

fn status(id: u32, key: &str) -> Option<u64> {
    let all = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = all.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
