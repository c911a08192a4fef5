//! Writes families of series.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Names and values of a series' labels.
pub(super) type Labels<'l, const N: usize> = [(&'l str, &'l str); N];

/// One answer to Prometheus in the making.
pub(super) struct Sheet<'e>(pub(super) DescriptorEncoder<'e>);

impl Sheet<'_> {
    pub(super) fn gauges<'l, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, series, |to, value| to.encode_gauge(&value))
    }

    /// The encoder appends `_total` to the name.
    pub(super) fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, series, |to, value| {
            to.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        (sum, buckets): (f64, Vec<(f64, u64)>),
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut to = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        to.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn family<'l, const N: usize, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        series: impl IntoIterator<Item = (Labels<'l, N>, V)>,
        write: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in series {
            if N == 0 {
                write(&mut family, value)?;
            } else {
                write(&mut family.encode_family(&labels)?, value)?;
            }
        }
        Ok(())
    }
}
