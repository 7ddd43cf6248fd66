//! Families of samples, filled in at a scrape.

use std::collections::BTreeMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::catalogue::{Family, Kind};
use crate::plain::plain;

/// The longest label value, in characters. The longest repository name has 255.
const MAX_LABEL: usize = 255;

/// The samples of one scrape.
#[derive(Debug, Default)]
pub(super) struct Sheet(BTreeMap<&'static str, (Family, Vec<Metric>)>);

impl Sheet {
    /// Adds a sample without labels.
    pub(super) fn put(&mut self, family: Family, value: f64) {
        self.put_labelled(family, &[], value);
    }

    /// Adds a sample. Labels may come from outside, so they are made plain.
    pub(super) fn put_labelled(&mut self, family: Family, labels: &[(&str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(plain(value, MAX_LABEL));
            pair
        });
        let mut metric = Metric::from_label(labels.collect());
        match family.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.0.entry(family.name).or_insert_with(|| (family, Vec::new())).1.push(metric);
    }

    /// The families that have a sample.
    pub(super) fn into_families(self) -> Vec<MetricFamily> {
        self.0.into_values().map(|(family, metrics)| family_of(family, metrics)).collect()
    }
}

fn family_of(described: Family, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(described.name.to_owned());
    family.set_help(described.help.to_owned());
    family.set_field_type(match described.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
    });
    family.set_metric(metrics);
    family
}
