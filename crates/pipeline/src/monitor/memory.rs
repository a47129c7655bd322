//! The peak memory of the process, from `/proc`; not known on other systems.

/// Resets the peak. Other programs that read it, such as `time`, then see the peak since this reset.
pub(super) fn begin() {
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        tracing::debug!("the peak of memory cannot be reset: {error}");
    }
}

/// The most memory since [`begin`].
pub(super) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
