//! The proxy in front of a server that answers each line `...\r\n\r\n` with as many bytes as were asked for.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use raclette_service::dice::Dice;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Fault, Proxy};

/// Long enough to be sure that nothing comes.
const SILENCE: Duration = Duration::from_millis(200);
/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(20);
const ANSWER: usize = 100;

/// A server that answers every request with a hundred bytes, and counts the requests.
async fn server() -> (std::net::SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    counter.fetch_add(1, Ordering::SeqCst);
                    if stream.write_all(&[b'x'; ANSWER]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, asked)
}

async fn proxy() -> (Proxy, Arc<AtomicU64>) {
    // Every other roll is low.
    let count = AtomicU64::new(0);
    let dice = Dice::new(move || if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { 0.1 } else { 0.9 });
    let proxy = Proxy::start(dice).await.unwrap();
    let (target, asked) = server().await;
    proxy.forward_to(target);
    (proxy, asked)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
}

/// Asks once; what came back before the connection ended or was complete.
async fn ask(stream: &mut TcpStream, caller: &str) -> io::Result<usize> {
    let request = format!("GET / HTTP/1.1\r\nRaclette-From: {caller}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; ANSWER];
    let mut length = 0;
    while length < ANSWER {
        let read = timeout(SOON, stream.read(&mut answer[length..])).await.expect("the connection is not silent")?;
        if read == 0 {
            break;
        }
        length += read;
    }
    Ok(length)
}

/// Whether nothing at all comes back.
async fn is_silent(stream: &mut TcpStream, caller: &str) -> bool {
    timeout(SILENCE, ask(stream, caller)).await.is_err()
}

#[tokio::test]
async fn everything_passes_through_a_proxy_without_faults() {
    let (proxy, asked) = proxy().await;
    let mut stream = connect(&proxy).await;
    for _ in 0..3 {
        assert_eq!(ask(&mut stream, "alice").await.unwrap(), ANSWER);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.ended, counts.answered), (1, 0, 300));
}

#[tokio::test]
async fn what_is_delayed_comes_late_in_both_directions() {
    let (proxy, _) = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Fault::Delay(Duration::from_millis(50)));
    let begun = Instant::now();
    assert_eq!(ask(&mut stream, "alice").await.unwrap(), ANSWER);
    assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_dropped_request_ends_its_connection_and_does_not_arrive() {
    let (proxy, asked) = proxy().await;
    proxy.set(Fault::Drop(50));
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(ask(&mut connect(&proxy).await, "alice").await.unwrap_or(0));
    }
    assert_eq!(outcomes, [0, ANSWER, 0, ANSWER]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(proxy.counts().ended, 2);
}

#[tokio::test]
async fn a_black_hole_is_silent_and_gives_back_what_it_held_when_it_ends() {
    let (proxy, asked) = proxy().await;
    let mut standing = connect(&proxy).await;
    assert_eq!(ask(&mut standing, "alice").await.unwrap(), ANSWER);
    proxy.set(Fault::BlackHole);
    let mut new = connect(&proxy).await;
    assert!(is_silent(&mut standing, "alice").await && is_silent(&mut new, "alice").await);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    proxy.heal();
    let mut answer = [0; ANSWER];
    for stream in [&mut standing, &mut new] {
        timeout(SOON, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn connections_are_reset_those_that_stand_and_those_that_come() {
    let (proxy, asked) = proxy().await;
    let mut standing = connect(&proxy).await;
    assert_eq!(ask(&mut standing, "alice").await.unwrap(), ANSWER);
    proxy.set(Fault::Reset);
    let error = timeout(SOON, standing.read(&mut [0; 1])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = ask(&mut connect(&proxy).await, "alice").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_is_cut_after_so_many_bytes_though_its_request_arrived() {
    let (proxy, asked) = proxy().await;
    for most in [0, 1, 99] {
        let mut stream = connect(&proxy).await;
        proxy.heal();
        assert_eq!(ask(&mut stream, "alice").await.unwrap(), ANSWER);
        proxy.set(Fault::CutAfter(most));
        assert_eq!(ask(&mut stream, "alice").await.unwrap(), usize::try_from(most).unwrap(), "cut after {most}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn the_link_of_one_caller_is_disturbed_and_no_others() {
    let (proxy, _) = proxy().await;
    let (mut alice, mut bob) = (connect(&proxy).await, connect(&proxy).await);
    proxy.set_for("bob", Fault::BlackHole);
    assert_eq!(ask(&mut alice, "alice").await.unwrap(), ANSWER);
    assert!(is_silent(&mut bob, "bob").await);
    proxy.heal();
    assert_eq!(ask(&mut connect(&proxy).await, "bob").await.unwrap(), ANSWER);
}

#[tokio::test]
async fn a_proxy_without_a_target_or_without_an_end_of_the_head_closes() {
    let proxy = Proxy::start(Dice::system()).await.unwrap();
    assert_eq!(connect(&proxy).await.read(&mut [0; 1]).await.unwrap_or(0), 0);
    let (proxy, asked) = self::proxy().await;
    let mut stream = connect(&proxy).await;
    let endless = vec![b'a'; 128 << 10];
    // Writing may fail because it is closed already.
    let _ = stream.write_all(&endless).await;
    assert_eq!(timeout(SOON, stream.read(&mut [0; 1])).await.unwrap().unwrap_or(0), 0);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_proxy_that_is_dropped_ends_all_connections() {
    let (proxy, _) = proxy().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "alice").await.unwrap(), ANSWER);
    drop(proxy);
    assert_eq!(timeout(SOON, stream.read(&mut [0; 1])).await.unwrap().unwrap_or(0), 0);
}
