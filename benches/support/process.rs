//! What a process takes, as Linux tells it.

/// Its resident memory in MB: now, and at the most so far.
pub(crate) fn memory(pid: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("memory is read of /proc");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number of KiB") / 1024.0
    };
    (field("VmRSS"), field("VmHWM"))
}
