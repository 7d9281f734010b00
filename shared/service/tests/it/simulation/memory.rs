//! A network in memory: requests are calls of functions, later, or never.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use raclette_service::dice::Dice;
use tokio::time::{sleep, timeout};

use super::message::{Host, Message, Wire};

/// What answers at a host.
pub(crate) type Handler = Arc<dyn Fn(Message) -> BoxFuture<'static, Message> + Send + Sync>;

/// The network. A clone is the same.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Inner>);

struct Inner {
    dice: Dice,
    handlers: Mutex<BTreeMap<Host, Handler>>,
    weather: Mutex<Weather>,
}

/// What the network does to requests.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// Hosts that are down: whoever calls them is refused at once.
    pub(crate) down: BTreeSet<Host>,
    /// Directions, as (from, to), in which nothing arrives.
    pub(crate) cut: BTreeSet<(Host, Host)>,
    /// How many requests fail, from 0 to 1: half of them arrive and lose their answer.
    pub(crate) loss: f64,
    /// The longest that a request, and an answer, may be under way.
    pub(crate) latency: Duration,
}

impl Weather {
    /// Nothing is lost, and everything is quick.
    pub(crate) fn calm() -> Self {
        Self { down: BTreeSet::new(), cut: BTreeSet::new(), loss: 0.0, latency: Duration::from_millis(20) }
    }

    /// Nothing goes from `one` to `other` nor back.
    pub(crate) fn separate(&mut self, one: Host, other: Host) {
        self.cut.extend([(one, other), (other, one)]);
    }
}

impl Memory {
    pub(crate) fn new(dice: Dice) -> Self {
        Self(Arc::new(Inner { dice, handlers: Mutex::default(), weather: Mutex::new(Weather::calm()) }))
    }

    /// From now on, this answers at a host.
    pub(crate) fn serve(&self, host: Host, handler: Handler) {
        self.0.handlers.lock().unwrap().insert(host, handler);
    }

    /// Changes the weather.
    pub(crate) fn weather<T>(&self, change: impl FnOnce(&mut Weather) -> T) -> T {
        change(&mut self.0.weather.lock().unwrap())
    }

    async fn travel(&self) {
        let longest = self.weather(|weather| weather.latency);
        sleep(Duration::from_millis(1) + longest.mul_f64(self.0.dice.roll())).await;
    }

    fn arrives(&self, from: Host, to: Host) -> bool {
        let lost = self.0.dice.roll();
        self.weather(|weather| !weather.cut.contains(&(from, to)) && lost >= weather.loss / 2.0)
    }

    /// Whether what answered at a host is what runs there: the dead say nothing.
    fn still_lives(&self, host: Host, handler: &Handler) -> bool {
        let same = self.0.handlers.lock().unwrap().get(&host).is_some_and(|now| Arc::ptr_eq(now, handler));
        same && self.weather(|weather| !weather.down.contains(&host))
    }

    async fn exchange(&self, from: Host, to: Host, message: Message) -> Option<Message> {
        self.travel().await;
        if !self.arrives(from, to) {
            return std::future::pending().await;
        }
        if self.weather(|weather| weather.down.contains(&to)) {
            return None;
        }
        let handler = self.0.handlers.lock().unwrap().get(&to).cloned()?;
        let answer = handler.clone()(message).await;
        if !self.still_lives(to, &handler) {
            return std::future::pending().await;
        }
        self.travel().await;
        if !self.arrives(to, from) {
            return std::future::pending().await;
        }
        Some(answer)
    }
}

impl Wire for Memory {
    async fn call(&self, from: Host, to: Host, message: Message, within: Duration) -> Option<Message> {
        timeout(within, self.exchange(from, to, message)).await.ok().flatten()
    }
}
