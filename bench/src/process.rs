//! What a process costs, from `/proc`, and where it may run.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::error::{BenchError, Context, Outcome};

/// CPU time of a process and all its threads so far, in user space and in the kernel.
pub(crate) fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("read CPU time")?;
    let ticks =
        ticks(&stat).ok_or_else(|| BenchError::Invalid("unreadable /proc/PID/stat".into()))?;
    let hertz = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / hertz as f64))
}

/// CPU time that all processes together, and the hypervisor, took from this machine's cores.
pub(crate) fn machine_cpu() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("read the machine's CPU time")?;
    // user nice system idle iowait irq softirq steal
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    let busy = fields.enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
    let ticks: u64 = busy.filter_map(|(_, field)| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// For how long threads of a process were ready to run and no core was free for them.
pub(crate) fn waited(pid: u32) -> Outcome<Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("list threads")?;
    let mut nanos = 0;
    for task in tasks.flatten() {
        // A thread may end meanwhile; the kernel may be built without these figures.
        let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let field = stat.split_whitespace().nth(1).and_then(|field| field.parse::<u64>().ok());
        nanos += field.unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// CPU time that the hypervisor gave to other machines while this one wanted it.
pub(crate) fn stolen() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("read the machine's CPU time")?;
    let field = stat.lines().next().unwrap_or_default().split_whitespace().nth(8);
    let ticks = field.and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Resident memory of a process in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All of it.
    pub(crate) resident: u64,
    /// The most there ever was.
    pub(crate) peak: u64,
    /// The part that is no file's.
    pub(crate) anonymous: u64,
}

/// What a process has in memory now.
pub(crate) fn memory(pid: u32) -> Outcome<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("read memory")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.map(|kib| kib * 1024)
    };
    let unreadable = || BenchError::Invalid("unreadable /proc/PID/status".into());
    Ok(Memory {
        resident: field("VmRSS:").ok_or_else(unreadable)?,
        peak: field("VmHWM:").ok_or_else(unreadable)?,
        anonymous: field("RssAnon:").ok_or_else(unreadable)?,
    })
}

/// As many open files as the system allows; returns how many that is. Children inherit it.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return limit.maximum.unwrap_or(u64::MAX);
    }
    limit.current.unwrap_or(u64::MAX)
}

/// Where this process, and every process that it starts, may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// The server's core.
    First,
    /// The generator's core.
    Second,
    /// Wherever the scheduler likes.
    All,
}

/// Keeps this thread on some cores; does nothing on a machine with one core.
pub(crate) fn pin(cores: Cores) {
    let mut set = CpuSet::new();
    match cores {
        Cores::First => set.set(0),
        Cores::Second => set.set(1),
        Cores::All => (0..CpuSet::MAX_CPU).for_each(|core| set.set(core)),
    }
    // Fails where that core does not exist, and then the comparison shares one.
    let _ = sched_setaffinity(None, &set);
}

/// The `utime` and `stime` of `/proc/PID/stat`, which are its 14th and 15th fields. The second
/// field is the program's name in brackets, and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_after_any_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20";
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn this_process_has_a_cost() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap().resident > 100_000);
        assert!(cpu(pid).is_ok());
    }
}
