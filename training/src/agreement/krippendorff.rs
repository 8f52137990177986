//! Any number of annotators, units that some have not labelled (Krippendorff, "Content Analysis", chapter 12, 2004).

/// Krippendorff's alpha for nominal labels: 1 less the observed disagreement over that of labels shuffled among all ratings. `counts`
/// is how many annotators gave each label, `[units][labels]`; units with fewer than two ratings do not count. None where no unit has
/// two, or where all ratings are one label.
pub fn krippendorff_alpha(counts: &[Vec<u64>]) -> Option<f64> {
    let shared = || counts.iter().filter(|unit| unit.iter().sum::<u64>() > 1);
    let labels = counts.first()?.len();
    let mut of_label = vec![0.0; labels];
    let mut apart = 0.0;
    for unit in shared() {
        let ratings = unit.iter().sum::<u64>() as f64;
        for (label, count) in unit.iter().enumerate() {
            let count = *count as f64;
            of_label[label] += count;
            apart += count * (ratings - count) / (ratings - 1.0);
        }
    }
    let all: f64 = of_label.iter().sum();
    let expected = of_label.iter().map(|count| count * (all - count)).sum::<f64>();
    (expected > 0.0).then(|| 1.0 - (all - 1.0) * apart / expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_is_that_counted_by_hand() {
        // Two annotators, ten units, two labels: 6 of 10 agree. Labels: 14 and 6 of 20 ratings.
        // Disagreement: 8 values of 20 against 14 · 6 · 2 / (20 · 19): 1 - 0.4 / 0.4421 = 0.0952.
        let counts: Vec<Vec<u64>> = [([2, 0], 5), ([1, 1], 4), ([0, 2], 1)]
            .iter()
            .flat_map(|(unit, times)| vec![unit.to_vec(); *times])
            .collect();
        assert!((krippendorff_alpha(&counts).unwrap() - (1.0 - 0.4 / (168.0 / 380.0))).abs() < 1e-12);
        // Four observers, twelve units, five labels, some missing: the example that the measure is taught with.
        let counts = [
            [3, 0, 0, 0, 0],
            [0, 3, 1, 0, 0],
            [0, 0, 4, 0, 0],
            [0, 0, 4, 0, 0],
            [0, 4, 0, 0, 0],
            [1, 1, 1, 1, 0],
            [0, 0, 0, 4, 0],
            [3, 1, 0, 0, 0],
            [0, 4, 0, 0, 0],
            [0, 0, 0, 0, 3],
            [2, 0, 0, 0, 0],
            [0, 0, 1, 0, 0],
        ];
        let alpha = krippendorff_alpha(&counts.map(Vec::from)).unwrap();
        assert!((alpha - 0.743).abs() < 5e-4, "{alpha}");
    }

    #[test]
    fn what_the_measure_does_not_know_has_none() {
        assert_eq!(krippendorff_alpha(&[vec![1, 0], vec![0, 1]]), None);
        assert_eq!(krippendorff_alpha(&[vec![2, 0], vec![3, 0]]), None);
        assert_eq!(krippendorff_alpha(&[]), None);
    }
}
