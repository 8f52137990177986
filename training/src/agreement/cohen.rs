//! Two annotators (Cohen, "A Coefficient of Agreement for Nominal Scales", 1960).

/// Agreement of two annotators beyond chance, where chance has each annotator's own shares of labels. `pairs` are both labels of
/// each unit, as indices below `labels`. None without a unit, or where both gave one and the same label throughout.
pub fn cohen_kappa(pairs: &[(usize, usize)], labels: usize) -> Option<f64> {
    let count = pairs.len() as f64;
    let (mut first, mut second) = (vec![0.0; labels], vec![0.0; labels]);
    for (one, two) in pairs {
        first[*one] += 1.0;
        second[*two] += 1.0;
    }
    let observed = pairs.iter().filter(|(one, two)| one == two).count() as f64 / count;
    let expected = first.iter().zip(&second).map(|(one, two)| one * two).sum::<f64>() / (count * count);
    (!pairs.is_empty() && expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_is_that_counted_by_hand() {
        // 20 times both yes, 15 times both no, 5 and 10 times apart: 0.7 observed, 0.5 · 0.6 + 0.5 · 0.4 = 0.5 by chance.
        let pairs: Vec<(usize, usize)> = [((0, 0), 20), ((0, 1), 5), ((1, 0), 10), ((1, 1), 15)]
            .iter()
            .flat_map(|(pair, times)| vec![*pair; *times])
            .collect();
        assert!((cohen_kappa(&pairs, 2).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(cohen_kappa(&[(0, 0), (1, 1)], 2), Some(1.0));
        assert_eq!(cohen_kappa(&[(0, 1), (1, 0)], 2), Some(-1.0));
        assert_eq!(cohen_kappa(&[(0, 0), (0, 0)], 2), None);
        assert_eq!(cohen_kappa(&[], 2), None);
    }
}
