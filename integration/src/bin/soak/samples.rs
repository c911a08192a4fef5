//! Memory and descriptors of the daemon over time.

use std::fmt;
use std::time::Instant;

use anyhow::{Result, ensure};
use tufd_integration::Usage;

/// The share of the run in which caches, pools and the allocator's arenas fill.
const WARM_UP: f64 = 0.25;
/// More resident memory than this may not be gained after the warm-up, by the line through all samples.
const GROWTH_KIB_MAX: f64 = 16.0 * 1024.0;
/// Nor may the most descriptors of the last third exceed those of the first by more.
const MORE_DESCRIPTORS_MAX: u64 = 16;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// What was held when.
#[derive(Debug)]
pub(crate) struct Samples {
    began: Instant,
    /// With seconds since it began.
    all: Vec<(f64, Usage)>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { began: Instant::now(), all: Vec::new() }
    }
}

impl Samples {
    pub(crate) fn add(&mut self, usage: Usage) {
        self.all.push((self.began.elapsed().as_secs_f64(), usage));
    }

    /// The slope of resident memory after the warm-up.
    pub(crate) fn memory(&self) -> Result<String> {
        let warm = self.warm();
        let points: Vec<_> = warm.iter().map(|(at, usage)| (*at, usage.rss_kib as f64)).collect();
        let slope = slope(&points);
        let seconds =
            points.last().map_or(0.0, |last| last.0) - points.first().map_or(0.0, |first| first.0);
        let growth = slope * seconds;
        ensure!(growth < GROWTH_KIB_MAX, "{growth:.0} KiB more resident memory in {seconds:.0} s");
        let mib = |kib: u64| kib as f64 / 1024.0;
        let rss = || warm.iter().map(|(_, usage)| usage.rss_kib);
        Ok(format!(
            "{:.1} to {:.1} MiB resident after the warm-up, {:.1} MiB at the peak; slope {:+.1} MiB/h over \
             {seconds:.0} s",
            mib(rss().min().unwrap_or_default()),
            mib(rss().max().unwrap_or_default()),
            mib(warm.last().map_or(0, |(_, usage)| usage.peak_kib)),
            slope * SECONDS_PER_HOUR / 1024.0,
        ))
    }

    /// The most descriptors in the first and in the last third after the warm-up.
    pub(crate) fn descriptors(&self) -> Result<String> {
        let warm = self.warm();
        let most = |samples: &[(f64, Usage)]| {
            samples.iter().map(|(_, usage)| usage.descriptors).max().unwrap_or_default()
        };
        let (first, rest) = warm.split_at(warm.len() / 3);
        let (middle, last) = rest.split_at(rest.len() / 2);
        let [first, middle, last] = [first, middle, last].map(most);
        ensure!(
            last <= first + MORE_DESCRIPTORS_MAX,
            "descriptors grew from {first} over {middle} to {last}"
        );
        Ok(format!("{first}, {middle} and {last} at most in the thirds after the warm-up"))
    }

    fn warm(&self) -> &[(f64, Usage)] {
        let from = (self.all.len() as f64 * WARM_UP) as usize;
        self.all.get(from..).unwrap_or_default()
    }
}

/// The newest.
impl fmt::Display for Samples {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((at, usage)) = self.all.last() else { return Ok(()) };
        let Usage { rss_kib, peak_kib: _, descriptors } = usage;
        write!(out, "{at:.0} s: {:.1} MiB, {descriptors} descriptors", *rss_kib as f64 / 1024.0)
    }
}

/// Of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    let shared = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    if spread > 0.0 { shared / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rss_kib: impl Fn(u64) -> u64, descriptors: impl Fn(u64) -> u64) -> Samples {
        let usage = |second| Usage {
            rss_kib: rss_kib(second),
            peak_kib: 0,
            descriptors: descriptors(second),
        };
        let all = (0..1200).map(|second| (second as f64, usage(second))).collect();
        Samples { all, ..Samples::default() }
    }

    #[test]
    fn growth_is_a_leak_and_noise_is_none() {
        let noisy = samples(|second| 20_000 + second * 7919 % 9_000, |second| 20 + second % 16);
        assert!(noisy.memory().is_ok() && noisy.descriptors().is_ok());
        assert!(samples(|second| 20_000 + second * 20, |_| 20).memory().is_err());
        assert!(samples(|_| 20_000, |second| 20 + second / 20).descriptors().is_err());
    }

    #[test]
    fn slope_of_a_line() {
        assert!((slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 2.0).abs() < 1e-9);
    }
}
