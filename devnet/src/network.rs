//! Running the network: from the command line to "all are ready", and then until somebody ends it.

use std::{io, process::ExitCode};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::{
    activity::{Activity, Wanted},
    cli::{self, Options},
    console::{self, Command},
    data::DataDirectory,
    follow, plan, ports,
    probe::Probe,
    ready, status,
    supervisor::{Stopped, Supervisor},
    terminal::{Colour, complain, paint, say},
    tour,
    watch::Watch,
};

/// Why the network cannot be started at all.
type Refusal = Box<dyn std::error::Error>;

/// Starts the network and looks after it until it is to end.
pub(crate) async fn run(options: Options) -> ExitCode {
    match start_and_attend(options).await {
        Ok(code) => code,
        Err(refusal) => {
            complain(refusal.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn start_and_attend(options: Options) -> Result<ExitCode, Refusal> {
    let end = end_on_signals()?;
    let services = plan::services(&options);
    cli::check(&services)?;
    let data = DataDirectory::open(&options.data)?;
    ports::check(&services)?;
    if options.fresh {
        let gone = data.start_over()?;
        if !gone.is_empty() {
            say(format!("Starting over: deleted {} in {}", gone.join(", "), options.data.display()));
        }
    }
    for service in &services {
        data.prepare(service)?;
    }
    if options.verbose {
        follow::logs(services.iter());
    }
    let mut network = Network {
        supervisor: Supervisor::new(services.clone()),
        probe: Probe::new()?,
        end,
        activity: None,
        watch: Watch::new(options.verbose),
    };
    let well = network.start().await;
    if well {
        network.introduce(&options.wanted);
        network.activity = Activity::start(&options.wanted, &services, &network.end)?;
        network.attend(console::commands()).await;
    }
    network.stop().await;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends with the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal is closed).
fn end_on_signals() -> io::Result<CancellationToken> {
    let end = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let (mut signals, end) = (signal(kind)?, end.clone());
        tokio::spawn(async move {
            if signals.recv().await.is_some() {
                end.cancel();
            }
        });
    }
    Ok(end)
}

struct Network {
    supervisor: Supervisor,
    probe: Probe,
    end: CancellationToken,
    /// What happens by itself, if anything does.
    activity: Option<Activity>,
    watch: Watch,
}

impl Network {
    /// Starts all services and waits until they are ready. Whether they are.
    async fn start(&mut self) -> bool {
        let all: Vec<_> = (0..self.supervisor.services().len()).collect();
        say(format!("Starting a tracker and {} peers; the first start also makes their keys.", all.len() - 1));
        for index in all.iter().copied() {
            if let Err(error) = self.supervisor.start(index) {
                complain(format!("{} cannot be started: {error}", self.supervisor.service(index).name));
                return false;
            }
        }
        if !self.wait(&all).await {
            return false;
        }
        tokio::select! {
            all_know_all = ready::acquainted(&self.supervisor, &self.probe) => {
                if !all_know_all {
                    say("  The peers have not all heard of each other yet; that may take a moment longer.");
                }
                true
            }
            () = self.end.cancelled() => false,
        }
    }

    /// Waits until these services are ready. Whether they are.
    async fn wait(&mut self, which: &[usize]) -> bool {
        let outcome = tokio::select! {
            outcome = ready::wait(&self.supervisor, &self.probe, which) => outcome,
            () = self.end.cancelled() => return false,
        };
        let Err(failed) = outcome else { return true };
        let (name, log) = (&failed.service.name, failed.service.log_file());
        complain(format!("{name} did not come up ({}). The end of its log {}:", failed.ending.0, log.display()));
        say(ready::end_of_log(&log));
        false
    }

    /// Says what there is, and what one can do with it.
    fn introduce(&self, wanted: &Wanted) {
        let heading = |text: &str| paint(text, Colour::Bold);
        let services: Vec<_> = self.supervisor.services().cloned().collect();
        say(format!("\n{}\n", heading("The network is running.")));
        say(status::directory(&self.supervisor));
        say(format!("\n{}\n", heading("Try it from another terminal in this directory, in this order:")));
        say(tour::text(&services));
        let by_itself = wanted.in_words();
        if !by_itself.is_empty() {
            say(format!("\n{} {by_itself}.", heading("By itself:")));
        }
        say(format!("\n{} status, watch, stop bob, start bob, kill bob, tour, help, quit", heading("Type here:")));
    }

    /// Does what it is told, and tells what happens by itself, until the end.
    async fn attend(&mut self, mut commands: mpsc::Receiver<Command>) {
        let end = self.end.clone();
        let mut open = true;
        while !end.is_cancelled() {
            tokio::select! {
                () = end.cancelled() => {}
                command = commands.recv(), if open => {
                    self.watch.stop();
                    match command {
                        Some(Command::Quit) => end.cancel(),
                        Some(command) => self.obey(command).await,
                        None => open = false,
                    }
                }
                () = self.watch.due() => self.show_status().await,
                (index, ending) = self.supervisor.ended_by_itself() => {
                    let service = self.supervisor.service(index);
                    let (name, log) = (&service.name, service.log_file());
                    self.watch.interrupted();
                    say(format!("{name} is down: {}. Its log: {}. Type: start {name}", ending.0, log.display()));
                }
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Status => self.show_status().await,
            Command::Watch => {
                self.watch.start();
                self.show_status().await;
            }
            Command::Start(name) => self.start_one(&name).await,
            Command::Stop(name) => self.stop_one(&name).await,
            Command::Kill(name) => self.kill_one(&name).await,
            Command::Tour => say(tour::text(&self.supervisor.services().cloned().collect::<Vec<_>>())),
            Command::Help => say(console::HELP),
            Command::Quit => self.end.cancel(),
            Command::Nothing => {}
            Command::Unknown(hint) => say(hint),
        }
    }

    /// Shows how every service is, in the place of what was shown before while it is watched.
    async fn show_status(&mut self) {
        let end = self.end.clone();
        let mut report = tokio::select! {
            report = status::report(&self.supervisor, &self.probe) => report,
            () = end.cancelled() => return,
        };
        if let Some(activity) = &self.activity {
            report = format!("{report}\n{}", activity.told());
        }
        self.watch.show(&report);
    }

    async fn start_one(&mut self, name: &str) {
        let Some(index) = self.find(name) else { return };
        match self.supervisor.start(index) {
            Ok(true) => {
                if !self.wait(&[index]).await && !self.end.is_cancelled() {
                    self.supervisor.kill(index).await;
                }
            }
            Ok(false) => say(format!("{name} is running already")),
            Err(error) => complain(format!("{name} cannot be started: {error}")),
        }
    }

    async fn stop_one(&mut self, name: &str) {
        let Some(index) = self.find(name) else { return };
        say(match self.supervisor.stop(index).await {
            Stopped::Gracefully => format!("{name} has stopped; what it is sent now waits for it. Type: start {name}"),
            Stopped::ByForce => format!("{name} did not stop in time and was killed"),
            Stopped::WasDown => format!("{name} is not running"),
        });
    }

    async fn kill_one(&mut self, name: &str) {
        let Some(index) = self.find(name) else { return };
        say(if self.supervisor.kill(index).await {
            format!("{name} was killed; what it is sent now waits for it. Type: start {name}")
        } else {
            format!("{name} is not running")
        });
    }

    fn find(&self, name: &str) -> Option<usize> {
        let index = self.supervisor.find(name);
        if index.is_none() {
            let names: Vec<_> = self.supervisor.services().map(|service| service.name.as_str()).collect();
            say(format!("there is no {name:?} here, only {}", names.join(", ")));
        }
        index
    }

    /// Stops everything, within five seconds.
    async fn stop(&mut self) {
        say("Stopping.");
        let killed = self.supervisor.stop_all().await;
        if !killed.is_empty() {
            say(format!("These did not stop in time and were killed: {}", killed.join(", ")));
        }
    }
}
