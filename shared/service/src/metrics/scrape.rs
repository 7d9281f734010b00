//! The readings of one answer.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeGaugeValue, EncodeMetric, GaugeValueEncoder, MetricEncoder, prometheus_text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Metric, Registry},
};

use crate::tasks::Tasks;

/// Readings, collected for one answer. Help texts end without a full stop; one is added.
#[derive(Debug, Default)]
pub struct Scrape(Registry);

impl Scrape {
    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.own(name, help, ConstGauge::new(Reading(value)));
    }

    /// A number that only grows, from the service's start or longer; `_total` is added to its name.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.own(name, help, ConstCounter::new(value));
    }

    /// Several numbers that go up and down, told apart by labels. Whoever calls it keeps the set of labels bounded.
    pub fn gauges<const LABELS: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
        values: impl IntoIterator<Item = ([String; LABELS], f64)>,
    ) {
        let values =
            values.into_iter().map(|(own, value)| (labelled(labels, own), ConstGauge::new(Reading(value)))).collect();
        self.own(name, help, Labelled { kind: MetricType::Gauge, values });
    }

    /// Several numbers that only grow, told apart by labels.
    pub fn counters<const LABELS: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
        values: impl IntoIterator<Item = ([String; LABELS], u64)>,
    ) {
        let values = values.into_iter().map(|(own, value)| (labelled(labels, own), ConstCounter::new(value))).collect();
        self.own(name, help, Labelled { kind: MetricType::Counter, values });
    }

    /// How often background tasks have panicked; the log names them.
    pub fn panics(&mut self, tasks: &Tasks) {
        self.counter("task_panics", "Panics of background tasks", tasks.panics().values().sum());
    }

    /// A metric of Raclette's own.
    pub(super) fn own(&mut self, name: &'static str, help: &'static str, metric: impl Metric) {
        self.0.register(format!("raclette_{name}"), help, metric);
    }

    /// A metric that other programs have as well, under its common name.
    pub(super) fn common(&mut self, name: &'static str, help: &'static str, metric: impl Metric) {
        self.0.register(name, help, metric);
    }

    /// All of it as text.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// A number, written without a fraction if it has none.
#[derive(Debug)]
struct Reading(f64);

impl EncodeGaugeValue for Reading {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            EncodeGaugeValue::encode(&(self.0 as i64), encoder)
        } else {
            EncodeGaugeValue::encode(&self.0, encoder)
        }
    }
}

type Labels = Vec<(&'static str, String)>;

fn labelled<const LABELS: usize>(names: [&'static str; LABELS], values: [String; LABELS]) -> Labels {
    names.into_iter().zip(values).collect()
}

/// Readings in the order in which they came, so that two answers can be compared by eye.
#[derive(Debug)]
struct Labelled<M> {
    kind: MetricType,
    values: Vec<(Labels, M)>,
}

impl<M: EncodeMetric> EncodeMetric for Labelled<M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.values.iter().try_for_each(|(labels, value)| value.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Scrape;

    #[test]
    fn readings_are_written_as_prometheus_reads_them() {
        let mut scrape = Scrape::default();
        scrape.gauge("cheese_grams", "How much there is", 2.5);
        scrape.counter("bites", "How often somebody took some", 7);
        scrape.gauges("shares", "Who has how much", ["name"], [([String::from("al\"ice\n")], 3.0)]);
        scrape.gauges("nothing", "Nobody has any", ["name"], []);
        assert_eq!(
            scrape.text().unwrap(),
            "# HELP raclette_cheese_grams How much there is.\n# TYPE raclette_cheese_grams gauge\n\
             raclette_cheese_grams 2.5\n\
             # HELP raclette_bites_total How often somebody took some.\n# TYPE raclette_bites_total counter\n\
             raclette_bites_total 7\n\
             # HELP raclette_shares Who has how much.\n# TYPE raclette_shares gauge\n\
             raclette_shares{name=\"al\\\"ice\\n\"} 3\n"
        );
    }
}
