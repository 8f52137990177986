//! Many annotators, as many for each unit (Fleiss, "Measuring Nominal Scale Agreement Among Many Raters", 1971).

/// Agreement beyond chance, where chance has all annotators' shares of labels. `counts` is how many annotators gave each label,
/// `[units][labels]`. None without a unit, where units have different numbers of ratings or fewer than two, or where all ratings are
/// one label.
pub fn fleiss_kappa(counts: &[Vec<u64>]) -> Option<f64> {
    let ratings = counts.first()?.iter().sum::<u64>();
    if ratings < 2 || counts.iter().any(|unit| unit.iter().sum::<u64>() != ratings) {
        return None;
    }
    let (units, ratings) = (counts.len() as f64, ratings as f64);
    let square = |count: f64| count * count;
    let observed: f64 = counts
        .iter()
        .map(|unit| {
            (unit.iter().map(|count| square(*count as f64)).sum::<f64>() - ratings) / (ratings * (ratings - 1.0))
        })
        .sum::<f64>()
        / units;
    let of_label = |label: usize| counts.iter().map(|unit| unit[label]).sum::<u64>() as f64;
    let expected: f64 = (0..counts[0].len()).map(|label| square(of_label(label) / (units * ratings))).sum();
    (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_is_that_counted_by_hand() {
        // Observed: (1 + 1/3) / 2 = 2/3. Labels: 4 and 2 of 6: 5/9 by chance. (2/3 - 5/9) / (4/9) = 1/4.
        assert!((fleiss_kappa(&[vec![3, 0], vec![1, 2]]).unwrap() - 0.25).abs() < 1e-12);
        // Fourteen raters, ten subjects, five categories: the example that textbooks use.
        let counts = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ];
        let kappa = fleiss_kappa(&counts.map(Vec::from)).unwrap();
        assert!((kappa - 0.210).abs() < 5e-4, "{kappa}");
    }

    #[test]
    fn what_the_measure_does_not_know_has_none() {
        assert_eq!(fleiss_kappa(&[vec![2, 0], vec![1, 2]]), None);
        assert_eq!(fleiss_kappa(&[vec![1, 0]]), None);
        assert_eq!(fleiss_kappa(&[vec![3, 0], vec![3, 0]]), None);
        assert_eq!(fleiss_kappa(&[]), None);
    }
}
