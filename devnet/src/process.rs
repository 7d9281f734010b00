//! One service as a child process: started, asked to stop, killed, and noticed when it ends.
//!
//! The child reads its standard input, on which nothing ever comes. When devnet ends, in whatever way, the system closes
//! the pipe, and the child stops by itself: no process is left behind, on any Unix, even after a SIGKILL of devnet.

use std::{
    fs::OpenOptions,
    io,
    os::unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, ChildStdin, Command},
    sync::{mpsc, watch},
    time::timeout,
};

use crate::plan::Service;

/// A running child process, or one that has just ended.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    orders: mpsc::UnboundedSender<Order>,
    ending: watch::Receiver<Option<Ending>>,
}

/// How a process ended, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending(pub(crate) String);

#[derive(Debug, Clone, Copy)]
enum Order {
    /// SIGTERM: finish what you do and stop.
    Stop,
    /// SIGKILL: no chance to finish anything.
    Kill,
}

/// Settings of the services that must not reach the children: each of them would give all services the same port, name or
/// directory. What is logged, and how, is meant for all; so are a bug that a test plants, and how hard mining is at first,
/// which only the tracker reads.
const FOR_ALL: [&str; 4] =
    ["RACLETTE_LOG", "RACLETTE_LOG_FORMAT", "RACLETTE_PLANTED_BUG", "RACLETTE_FIRST_TARGET_BITS"];

impl Process {
    /// Starts the service. What it writes is appended to its log file.
    pub(crate) fn start(service: &Service) -> io::Result<Self> {
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(service.log_file())?;
        let program = std::env::current_exe()?;
        let mut command = if service.survives_file_limit {
            // An ignored signal stays ignored in the program that takes the shell's place.
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
            shell
        } else {
            Command::new(program)
        };
        command
            .args(&service.arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C reaches devnet alone, which then stops its children.
            .process_group(0)
            .kill_on_drop(true);
        let ours = std::env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("RACLETTE_") && !FOR_ALL.contains(&name.as_ref())
        });
        for name in ours {
            command.env_remove(name);
        }
        let mut child = command.spawn()?;
        let id = child.id().ok_or_else(|| io::Error::other("the process ended before it was looked at"))?;
        let stdin = child.stdin.take();
        let (orders, received) = mpsc::unbounded_channel();
        let (tell, ending) = watch::channel(None);
        tokio::spawn(async move {
            let ending = attend(child, stdin, received).await;
            tell.send_replace(Some(ending));
        });
        Ok(Self { id, orders, ending })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Asks it to stop and waits; kills it if that takes longer than `patience`. Whether it stopped by itself.
    pub(crate) async fn stop(&self, patience: Duration) -> bool {
        self.order(Order::Stop);
        if timeout(patience, self.ended()).await.is_ok() {
            return true;
        }
        self.kill().await;
        false
    }

    /// Kills it and waits.
    pub(crate) async fn kill(&self) {
        self.order(Order::Kill);
        self.ended().await;
    }

    /// Waits until it has ended, and says how.
    pub(crate) fn ended(&self) -> impl Future<Output = Ending> + Send + use<> {
        let mut ending = self.ending.clone();
        async move {
            let ended = ending.wait_for(Option::is_some).await.ok().and_then(|ending| ending.clone());
            ended.unwrap_or_else(|| Ending(String::from("nobody looked after it any more")))
        }
    }

    fn order(&self, order: Order) {
        // It fails only if the process has ended, and then there is nothing to order.
        self.orders.send(order).ok();
    }
}

/// Looks after the child until it ends. It alone reaps the child, so its number cannot belong to another process when a
/// signal is sent.
async fn attend(mut child: Child, stdin: Option<ChildStdin>, mut orders: mpsc::UnboundedReceiver<Order>) -> Ending {
    let ending = loop {
        tokio::select! {
            status = child.wait() => break match status {
                Ok(status) => Ending(in_words(status)),
                Err(error) => Ending(format!("it cannot be waited for: {error}")),
            },
            Some(order) = orders.recv() => {
                let sent = match order {
                    Order::Stop => ask_to_stop(&child),
                    Order::Kill => child.start_kill(),
                };
                if let Err(error) = sent {
                    break Ending(format!("it cannot be signalled: {error}"));
                }
            }
        }
    };
    drop(stdin);
    ending
}

fn ask_to_stop(child: &Child) -> io::Result<()> {
    let number = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // Without a number it has ended already.
    number.map_or(Ok(()), |number| Ok(kill_process(number, Signal::TERM)?))
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => String::from("it stopped"),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(9)) => String::from("killed by signal 9, SIGKILL"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
