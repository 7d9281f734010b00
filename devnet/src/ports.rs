//! Whether the ports are free, and if not, who has them and where to go instead.

use std::{
    fmt::{self, Write as _},
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
};

use crate::plan::Service;

/// Ports that other programs listen on.
#[derive(Debug)]
pub(crate) struct PortsInUse {
    taken: Vec<Taken>,
    free_base: Option<u16>,
}

#[derive(Debug)]
struct Taken {
    port: u16,
    name: String,
    error: io::Error,
    holder: Option<String>,
}

/// Checks that every service can listen on its port.
///
/// # Errors
/// All ports that cannot be had, with who has them.
pub(crate) fn check(services: &[Service]) -> Result<(), PortsInUse> {
    let taken: Vec<_> = services
        .iter()
        .filter_map(|service| {
            let error = TcpListener::bind(service.socket()).err()?;
            let in_use = error.kind() == io::ErrorKind::AddrInUse;
            let holder = if in_use { holder(Path::new("/proc"), service.port) } else { None };
            Some(Taken { port: service.port, name: service.name.clone(), error, holder })
        })
        .collect();
    if taken.is_empty() {
        return Ok(());
    }
    Err(PortsInUse { taken, free_base: free_base(services) })
}

/// Another port from which on as many are free, in steps of a hundred.
fn free_base(services: &[Service]) -> Option<u16> {
    let (first, count) = (services.first()?.port, u16::try_from(services.len()).ok()?);
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (1..=50)
        .filter_map(|step| first.checked_add(step * 100))
        .find(|base| base.checked_add(count).is_some_and(|end| (*base..end).all(free)))
}

impl std::error::Error for PortsInUse {}

impl fmt::Display for PortsInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Taken { port, name, error, holder } in &self.taken {
            match holder {
                Some(holder) => writeln!(f, "port {port}, meant for {name}, is in use by {holder}")?,
                None if error.kind() == io::ErrorKind::AddrInUse => {
                    writeln!(f, "port {port}, meant for {name}, is in use by another program")?;
                }
                None => writeln!(f, "port {port}, meant for {name}, cannot be had: {error}")?,
            }
        }
        write!(f, "Nothing was started. Stop that program")?;
        match self.free_base {
            Some(base) => write!(f, ", or move the network: cargo run --release -- --base-port {base}"),
            None => write!(f, ", or choose another port with --base-port"),
        }
    }
}

/// The process that listens on this port, as far as `/proc` tells (which is Linux only, and silent about the processes of
/// other users).
fn holder(proc: &Path, port: u16) -> Option<String> {
    let inodes: Vec<_> = ["net/tcp", "net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(proc.join(table)).ok())
        .flat_map(|table| table.lines().filter_map(|line| listening_inode(line, port)).collect::<Vec<_>>())
        .collect();
    let sockets: Vec<_> = inodes.iter().map(|inode| PathBuf::from(format!("socket:[{inode}]"))).collect();
    // Besides the processes, "self" is there, and more.
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let entries = fs::read_dir(proc).ok()?.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_number));
    let process = entries.map(|entry| entry.path()).find(|process| {
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok()).any(|link| sockets.contains(&link))
    })?;
    describe(&process)
}

/// The inode of the socket in this line of `/proc/net/tcp`, if it listens on the port.
fn listening_inode(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let columns: Vec<_> = line.split_ascii_whitespace().collect();
    let (local, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
    let (_, local_port) = local.rsplit_once(':')?;
    let listens = *state == LISTEN && u16::from_str_radix(local_port, 16) == Ok(port);
    listens.then(|| (*inode).to_owned())
}

/// The process in words: its number, and the beginning of its command line.
fn describe(process: &Path) -> Option<String> {
    const SHOWN: usize = 100;
    let number = process.file_name()?.to_str()?;
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    let words: String = String::from_utf8_lossy(&command)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(SHOWN)
        .collect();
    let mut description = format!("process {number}");
    if !words.trim().is_empty() {
        write!(description, " ({})", words.trim()).ok()?;
    }
    Some(description)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use clap::Parser;

    use super::{check, listening_inode};
    use crate::{cli::Cli, plan};

    #[test]
    fn a_port_in_use_is_named_with_its_holder_and_a_way_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = Cli::parse_from(["devnet", "--peers", "1", "--base-port", &port.to_string()]).options;
        let message = check(&plan::services(&options)).unwrap_err().to_string();
        assert!(message.contains(&format!("port {port}, meant for tracker, is in use by")), "{message}");
        assert!(message.contains("--base-port"), "{message}");
        if cfg!(target_os = "linux") {
            assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        }
    }

    #[test]
    fn only_listening_sockets_on_the_very_port_count() {
        let line = "   0: 0100007F:1E14 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4711 1 0";
        assert_eq!(listening_inode(line, 7700).as_deref(), Some("4711"));
        assert_eq!(listening_inode(line, 7701), None);
        assert_eq!(listening_inode(&line.replace(" 0A ", " 01 "), 7700), None);
        assert_eq!(listening_inode("sl local_address rem_address st", 7700), None);
    }
}
