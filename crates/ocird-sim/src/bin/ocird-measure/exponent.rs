//! How a figure grows: the exponent of the power of the size that fits it best, by least squares over the logarithms.
//!
//! It judges nothing, and with four points it tells a line from a square, and no more.

/// The exponent `b` of `y = a * x^b` through points `(x, y)`; `None` for fewer than two sizes, and where a point is not
/// positive and so has no logarithm.
pub(crate) fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    if points.iter().any(|(x, y)| !(*x > 0.0 && *y > 0.0)) {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / n;
    let spread: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let together: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (spread > 0.0).then(|| together / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(law: impl Fn(f64) -> f64) -> f64 {
        let points = [1.0, 2.0, 4.0, 8.0].map(|x| (x, law(x)));
        exponent(&points).unwrap()
    }

    #[test]
    fn a_power_has_its_own_exponent_whatever_stands_before_it() {
        assert!((of(|x| 3.0 * x * x) - 2.0).abs() < 1e-12);
        assert!((of(|x| 70.0 * x) - 1.0).abs() < 1e-12);
        assert!(of(|_| 114.0).abs() < 1e-12);
    }

    #[test]
    fn what_has_a_fixed_part_grows_by_less_than_its_power() {
        let exponent = of(|x| 100.0 + x);
        assert!(exponent > 0.0 && exponent < 0.1, "{exponent}");
    }

    #[test]
    fn one_size_and_what_is_not_positive_have_none() {
        assert_eq!(exponent(&[]), None);
        assert_eq!(exponent(&[(4.0, 1.0)]), None);
        assert_eq!(exponent(&[(4.0, 1.0), (4.0, 2.0)]), None);
        assert_eq!(exponent(&[(1.0, 1.0), (2.0, 0.0)]), None);
        assert_eq!(exponent(&[(1.0, 1.0), (2.0, f64::NAN)]), None);
    }
}
