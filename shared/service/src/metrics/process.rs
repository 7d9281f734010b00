//! What the system says about this process, by the names that all programs use. Where there is no `/proc`, nothing.

use std::fs;

use prometheus_client::metrics::gauge::ConstGauge;

use super::Scrape;

pub(super) fn read(scrape: &mut Scrape) {
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes) {
        scrape.common("process_resident_memory_bytes", "Memory of the process that is in use", ConstGauge::new(bytes));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory that is being read.
        let open = open.count().saturating_sub(1);
        scrape.common("process_open_fds", "Open files and connections of the process", ConstGauge::new(open));
    }
}

/// The resident set in `/proc/self/status`, which has it in KiB.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::resident_bytes;

    #[test]
    fn the_resident_set_is_read_in_bytes() {
        assert_eq!(resident_bytes("Name:\tpeer\nVmRSS:\t    2048 kB\nThreads:\t4\n"), Some(2_097_152));
        assert_eq!(resident_bytes("Name:\tpeer\n"), None);
    }
}
