//! What a handful of noisy measurements says.

/// The middle of a set of measurements; NaN for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let lower = sorted.len().saturating_sub(1) / 2;
    match (sorted.get(lower), sorted.get(upper)) {
        (Some(lower), Some(upper)) => f64::midpoint(*lower, *upper),
        _ => f64::NAN,
    }
}

/// The middle of the ratios of measurements that were taken one right after the other.
pub(crate) fn median_ratio(ours: &[f64], peer: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours
        .iter()
        .zip(peer)
        .map(|(ours, peer)| ours / peer)
        .collect();
    median(&ratios)
}

/// A ratio with its 95 % confidence interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Ratio {
    /// The geometric mean of pairwise ratios, with Student's interval on their logarithms.
    ///
    /// Pairs are measured one right after the other, so that what slows the machine slows both.
    /// With fewer than two of them the interval is everything.
    pub(crate) fn of_pairs(pairs: &[(f64, f64)]) -> Self {
        let logs: Vec<f64> = pairs
            .iter()
            .map(|(ours, peer)| (ours / peer).ln())
            .collect();
        let count = u32::try_from(logs.len()).unwrap_or(u32::MAX);
        let mean = logs.iter().sum::<f64>() / f64::from(count);
        let Some(freedom) = count.checked_sub(1).filter(|freedom| *freedom > 0) else {
            return Ratio {
                mean: mean.exp(),
                low: 0.0,
                high: f64::INFINITY,
            };
        };
        let squares = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>();
        let error = (squares / f64::from(freedom) / f64::from(count)).sqrt();
        let margin = student_97_5(freedom) * error;
        Ratio {
            mean: mean.exp(),
            low: (mean - margin).exp(),
            high: (mean + margin).exp(),
        }
    }
}

/// The 97.5 % quantile of Student's distribution.
fn student_97_5(freedom: u32) -> f64 {
    const SMALL: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045, 2.042,
    ];
    let index = usize::try_from(freedom.saturating_sub(1)).unwrap_or(usize::MAX);
    // Beyond the table, the normal quantile with the first two terms of its correction.
    let freedom = f64::from(freedom);
    let large = 1.95996 + 2.3723 / freedom + 2.8225 / freedom.powi(2);
    SMALL.get(index).copied().unwrap_or(large)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2.0f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5f64.to_bits());
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_median_ratio_is_of_pairs_and_not_of_medians() {
        let ratio = median_ratio(&[1.0, 10.0, 30.0], &[2.0, 5.0, 10.0]);
        assert_eq!(ratio.to_bits(), 2.0f64.to_bits());
    }

    #[test]
    fn equal_pairs_have_ratio_one_and_no_width() {
        let ratio = Ratio::of_pairs(&[(5.0, 5.0); 15]);
        assert!((ratio.mean - 1.0).abs() < 1e-12 && (ratio.high - ratio.low).abs() < 1e-12);
    }

    #[test]
    fn the_interval_is_students() {
        // Logarithms -0.1, 0, 0.1: mean 0, standard error 0.1 / sqrt(3), t(2) = 4.303.
        let pairs = [(-0.1f64).exp(), 1.0, 0.1f64.exp()].map(|ratio| (ratio, 1.0));
        let ratio = Ratio::of_pairs(&pairs);
        assert!((ratio.high.ln() - 4.303 * 0.1 / 3f64.sqrt()).abs() < 1e-9);
        assert!((ratio.low.ln() + ratio.high.ln()).abs() < 1e-12);
    }

    #[test]
    fn one_pair_says_nothing_about_the_spread() {
        let ratio = Ratio::of_pairs(&[(2.0, 1.0)]);
        assert!(ratio.low == 0.0 && ratio.high.is_infinite());
    }

    #[test]
    fn the_quantile_has_no_step_where_the_table_ends() {
        assert!((student_97_5(31) - 2.0395).abs() < 0.0005);
        assert!((student_97_5(1_000_000) - 1.960).abs() < 0.001);
    }
}
