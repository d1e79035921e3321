//! Processor time, allocations and memory of this process.

use std::{alloc::System, fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// User and system time of all threads.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The allocations from now on.
pub(crate) fn allocations() -> Region<'static, System> {
    Region::new(ALLOCATOR)
}

/// The bytes that are allocated now.
pub(crate) fn allocated() -> usize {
    let Stats { bytes_allocated, bytes_deallocated, .. } = ALLOCATOR.stats();
    bytes_allocated - bytes_deallocated
}

/// The memory of this process that is in use, in bytes. Linux only; zero elsewhere.
pub(crate) fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .map_or(0, |kib| kib.parse::<usize>().unwrap() * 1024)
}
