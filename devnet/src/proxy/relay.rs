//! One connection through a proxy.

use std::{net::SocketAddr, sync::atomic::Ordering};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::sleep,
};

use super::{
    Shared,
    fault::{Fault, Rules, caller},
};

/// What is read at once.
const PIECE: usize = 16 << 10;
/// The longest head of a first request.
const LONGEST_HEAD: usize = 64 << 10;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// One of the two closed it, or is gone.
    Theirs,
    /// A fault closes it.
    Closed,
    /// A fault resets it.
    Reset,
}

/// In which direction something passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

/// Lets pass what the faults let pass, until the connection ends.
pub(super) async fn connection(mut client: TcpStream, target: SocketAddr, shared: &Shared) {
    let end = run(&mut client, target, shared).await;
    if end != End::Theirs {
        shared.counters.ended.fetch_add(1, Ordering::Relaxed);
    }
    if end == End::Reset {
        // What is dropped now is answered with RST; where the system does not know that, it is closed.
        let _ = client.set_zero_linger();
    }
}

async fn run(client: &mut TcpStream, target: SocketAddr, shared: &Shared) -> End {
    // Whose connection it is decides what is done to it, so that the first request is read before anything passes.
    let Some(head) = first_request(client).await else { return End::Theirs };
    let caller = caller(&head);
    let (client_reads, client_writes) = client.split();
    let rules = shared.rules.subscribe();
    let mut asking =
        Passage { way: Way::Request, caller: caller.clone(), rules: rules.clone(), cut: Cut::default(), shared };
    // Only now is the other side called: a fault that lets nothing pass never reaches it.
    if let Err(end) = asking.may_pass(0).await {
        return end;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return End::Closed };
    // Small messages must not wait for each other: what is late here is late because somebody said so.
    let _ = server.set_nodelay(true);
    let (server_reads, server_writes) = server.split();
    let answering = Passage { way: Way::Answer, caller, rules, cut: Cut::default(), shared };
    tokio::select! {
        end = asking.pump(client_reads, server_writes, head) => end,
        end = answering.pump(server_reads, client_writes, Vec::new()) => end,
    }
}

/// Reads up to the end of the first request's head, and maybe more; none if there is no such thing.
async fn first_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    // It fails only if the connection is gone, and then reading fails too.
    let _ = client.set_nodelay(true);
    let mut head = Vec::with_capacity(PIECE);
    loop {
        if client.read_buf(&mut head).await.ok()? == 0 || head.len() > LONGEST_HEAD {
            return None;
        }
        if head.windows(4).any(|window| window == b"\r\n\r\n") {
            return Some(head);
        }
    }
}

/// One direction of a connection.
struct Passage<'a> {
    way: Way,
    caller: Option<String>,
    rules: watch::Receiver<Rules>,
    cut: Cut,
    shared: &'a Shared,
}

/// How much has passed since the rules changed.
#[derive(Debug, Default)]
struct Cut {
    generation: u64,
    passed: u64,
}

impl Passage<'_> {
    /// Passes on what comes, `first` before all else, until the connection ends.
    async fn pump(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, first: Vec<u8>) -> End {
        let mut piece = first;
        loop {
            if !piece.is_empty() {
                let passes = match self.may_pass(piece.len()).await {
                    Ok(passes) => passes,
                    Err(end) => return end,
                };
                if to.write_all(&piece[..passes]).await.is_err() {
                    return End::Theirs;
                }
                let counters = &self.shared.counters;
                let counter = if self.way == Way::Request { &counters.asked } else { &counters.answered };
                counter.fetch_add(passes as u64, Ordering::Relaxed);
                if passes < piece.len() {
                    return End::Closed;
                }
                piece.clear();
            }
            piece.reserve(PIECE);
            tokio::select! {
                read = from.read_buf(&mut piece) => if !matches!(read, Ok(1..)) { return End::Theirs },
                // What stands is reset too, also when nothing passes.
                changed = self.rules.changed() => {
                    if changed.is_err() || self.fault() == Fault::Reset {
                        return End::Reset;
                    }
                }
            }
        }
    }

    fn fault(&mut self) -> Fault {
        self.rules.borrow_and_update().fault(self.caller.as_deref())
    }

    /// Waits until this piece may pass; how much of it passes.
    async fn may_pass(&mut self, length: usize) -> Result<usize, End> {
        loop {
            match self.fault() {
                Fault::None => return Ok(length),
                Fault::Reset => return Err(End::Reset),
                Fault::Delay(time) if length > 0 => {
                    sleep(time).await;
                    return Ok(length);
                }
                Fault::Drop(percent) if self.way == Way::Request && length > 0 => {
                    let dropped = self.shared.dice.roll() * 100.0 < f64::from(percent);
                    return if dropped { Err(End::Closed) } else { Ok(length) };
                }
                Fault::CutAfter(most) if self.way == Way::Answer => return Ok(self.cut(most, length)),
                Fault::Delay(_) | Fault::Drop(_) | Fault::CutAfter(_) => return Ok(length),
                Fault::BlackHole => {
                    if self.rules.changed().await.is_err() {
                        return Err(End::Closed);
                    }
                }
            }
        }
    }

    fn cut(&mut self, most: u64, length: usize) -> usize {
        let generation = self.rules.borrow().generation;
        if self.cut.generation != generation {
            self.cut = Cut { generation, passed: 0 };
        }
        let passes = usize::try_from(most.saturating_sub(self.cut.passed)).unwrap_or(usize::MAX).min(length);
        self.cut.passed += passes as u64;
        passes
    }
}
