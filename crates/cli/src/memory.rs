//! How much memory a run may take: `--memory`, or a share of what the machine or its control group allows.

use std::path::{Path, PathBuf};

use tessera_pipeline::Hooks;
use tessera_snapshot::Stopped;

use crate::interrupt::{GATE, end_unpublished};

/// Default limit, as a share of the memory of the machine or its control group.
const DEFAULT_SHARE: f64 = 0.75;

/// Three quarters of the memory of the machine or its control group; no limit where neither is known.
pub(crate) fn default_bytes() -> u64 {
    let allowed = allowed_bytes(Path::new("/"));
    allowed.map_or(u64::MAX, |bytes| (bytes as f64 * DEFAULT_SHARE) as u64)
}

/// The smallest of the machine's memory and the limits of its control groups, of version 1 and 2, up to the root.
fn allowed_bytes(root: &Path) -> Option<u64> {
    let read = |path: PathBuf| std::fs::read_to_string(path).ok();
    let mut found = Vec::new();
    if let Some(text) = read(root.join("proc/meminfo")) {
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kilobytes = total.and_then(|total| total.trim().strip_suffix("kB"));
        let kilobytes: Option<u64> = kilobytes.and_then(|k| k.trim().parse().ok());
        found.extend(kilobytes.map(|kilobytes| kilobytes << 10));
    }
    let groups = read(root.join("proc/self/cgroup")).unwrap_or_default();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            named if named.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mount = root.join(mount);
        // In a container the path may be that of the host; the container's own limits are then at the mount itself.
        let folders = Path::new(path.trim_start_matches('/')).ancestors();
        let limits = folders.filter_map(|folder| read(mount.join(folder).join(file)));
        found.extend(limits.filter_map(|limit| limit.trim().parse::<u64>().ok()));
    }
    found.into_iter().min()
}

/// Actions when memory is scarce or the limit is exceeded.
pub(crate) const HOOKS: Hooks = Hooks {
    release: crate::allocator::release,
    overrun: end,
};

/// Ends a run that uses more memory than its limit. A run that has begun to commit continues, since little is left to do.
fn end(taken_bytes: u64, limit_bytes: u64) {
    if GATE.stop() != Stopped::Before {
        return;
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let message = format!(
        "the run needs more memory than its limit of {} MiB: it uses {} MiB and was not finished; nothing was published. Run it \
         with a higher `--memory`, or on fewer customers, rows or features",
        mib(limit_bytes),
        mib(taken_bytes)
    );
    end_unpublished(3, &message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_machine_and_groups_holds() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(allowed_bytes(root.path()), None);
        write(
            "proc/meminfo",
            "MemTotal:       8388608 kB\nMemFree: 1 kB\n",
        );
        assert_eq!(allowed_bytes(root.path()), Some(8 << 30));
        // version 2: the limit of a group above holds as well
        write("proc/self/cgroup", "0::/jobs/nightly\n");
        write("sys/fs/cgroup/jobs/nightly/memory.max", "max\n");
        assert_eq!(allowed_bytes(root.path()), Some(8 << 30));
        write("sys/fs/cgroup/jobs/memory.max", "4294967296\n");
        assert_eq!(allowed_bytes(root.path()), Some(4 << 30));
        // in a container the group's own folder is the mount
        write("proc/self/cgroup", "0::/../../elsewhere\n");
        write("sys/fs/cgroup/memory.max", "3221225472\n");
        assert_eq!(allowed_bytes(root.path()), Some(3 << 30));
        // version 1
        write(
            "proc/self/cgroup",
            "5:cpu:/x\n4:memory,hugetlb:/docker/abc\n",
        );
        write(
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes",
            "1073741824\n",
        );
        write(
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        assert_eq!(allowed_bytes(root.path()), Some(1 << 30));
    }
}
