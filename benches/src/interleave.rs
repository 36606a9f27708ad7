//! Measuring several sides so that what slows the machine slows all of them.

use anyhow::Result;

/// Measures every side once in each round, in an order that moves on by one from round to round. Returns each side's
/// measurements in the order of the rounds.
pub(crate) fn rounds(
    count: u32,
    sides: usize,
    mut measure: impl FnMut(usize) -> Result<f64>,
) -> Result<Vec<Vec<f64>>> {
    let mut measured = vec![Vec::new(); sides];
    for round in 0..usize::try_from(count)? {
        for turn in 0..sides {
            let side = (round + turn) % sides;
            let value = measure(side)?;
            if let Some(values) = measured.get_mut(side) {
                values.push(value);
            }
        }
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_is_measured_in_every_round_and_none_is_always_first() {
        let mut order = Vec::new();
        let measured = rounds(2, 3, |side| {
            order.push(side);
            Ok(f64::from(u32::try_from(order.len())?))
        });
        assert_eq!(order, [0, 1, 2, 1, 2, 0]);
        assert_eq!(measured.unwrap(), [[1.0, 6.0], [2.0, 4.0], [3.0, 5.0]]);
    }
}
