use super::*;
use crate::engine::Mode;
use crate::engine::gradient_tests::loss;
use crate::engine::{Encoder, samples};
use crate::random::Random;

fn adapter(settings: &AdaLora) -> (Encoder, AdaLoraAdapter) {
    let config = samples::config();
    let encoder = Encoder::new(&config, &samples::weights(&config)).unwrap();
    let mut random = Random::new(1, "adapter");
    let adapter =
        settings.build(&mut Host { layers: encoder.layers(), hidden: config.hidden_size, random: &mut random });
    (encoder, adapter)
}

fn directions(adapter: &AdaLoraAdapter) -> Vec<usize> {
    let count = |(change, _): &(Arc<LowRank>, _)| change.counts().iter().filter(|count| **count != 0.0).count();
    adapter.changes.iter().map(count).collect()
}

#[test]
fn directions_fall_as_the_budget_says_and_the_important_stay() {
    let targets = vec![Target::Query, Target::Output];
    let settings = AdaLora { rank: 4, target_rank: 1, targets, interval: 5, ..AdaLora::default() };
    let (_encoder, adapter) = adapter(&settings);
    // The later a direction, and the earlier its change, the higher the score: 10² … 13², 8² … 11², and so on.
    let total = 100;
    let mut counts = Vec::new();
    for step in 0..total {
        for (place, (change, _)) in adapter.changes.iter().enumerate() {
            let gains = &change.gains.as_ref().unwrap().values;
            for direction in 0..4 {
                gains.value_mut()[direction] = 1.0;
                gains.gradient().values[direction] = (10 - 2 * place) as f32 + direction as f32;
            }
        }
        adapter.before_step();
        for parameter in adapter.parameters() {
            parameter.gradient().values.fill(0.0);
        }
        adapter.after_step(step, total);
        counts.push(directions(&adapter).iter().sum::<usize>());
    }
    assert!(counts[..9].iter().all(|count| *count == 16), "{counts:?}");
    // 4 + 12 · (1, (55/60)³, (50/60)³, …), each fifth step.
    let fallen: Vec<usize> = (9..69).step_by(5).map(|step| counts[step]).collect();
    assert_eq!(fallen, [16, 13, 11, 9, 8, 6, 6, 5, 4, 4, 4, 4]);
    assert!(counts[69..].iter().all(|count| *count == 4), "what has settled stays: {counts:?}");
    assert_eq!(directions(&adapter), [3, 1, 0, 0]);
}

#[test]
fn what_is_drawn_to_orthogonality_is_the_penaltys_slope() {
    let (_encoder, adapter) = adapter(&AdaLora { rank: 3, targets: vec![Target::Intermediate], ..AdaLora::default() });
    let change = &adapter.changes[0].0;
    let mut random = Random::new(4, "values");
    for parameter in [&change.up, &change.down] {
        parameter.value_mut().fill_with(|| 0.4 * random.normal() as f32);
    }
    let penalty = || {
        let (up, down, mut sum) = (change.up.value(), change.down.value(), 0.0);
        for (one, other) in (0..3).flat_map(|one| (0..3).map(move |other| (one, other))) {
            let unit = if one == other { 1.0 } else { 0.0 };
            let columns: f64 = up.chunks_exact(3).map(|row| f64::from(row[one]) * f64::from(row[other])).sum();
            let pairs = down[one * 18..][..18].iter().zip(&down[other * 18..][..18]);
            let rows: f64 = pairs.map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
            sum += (columns - unit).powi(2) + (rows - unit).powi(2);
        }
        sum
    };
    straighten(change, 0.5);
    for parameter in [&change.up, &change.down] {
        for place in [0, 7, 20, 53] {
            let at = |by: f32| {
                parameter.value_mut()[place] += by;
                let value = penalty();
                parameter.value_mut()[place] -= by;
                value
            };
            let expected = 0.5 * (at(1e-2) - at(-1e-2)) / 2e-2;
            let own = f64::from(parameter.gradient().values[place]);
            assert!((own - expected).abs() < 1e-2, "{}[{place}]: {own}, not {expected}", parameter.name());
        }
    }
}

#[test]
fn a_closed_direction_neither_counts_nor_learns() {
    let mut model = samples::classifier();
    model.adapt(&crate::engine::AdapterKind::AdaLora(AdaLora { rank: 2, target_rank: 1, ..AdaLora::default() }), 1);
    let all = model.parameters();
    let of = |part: &str| all.iter().copied().filter(|it| it.name().ends_with(part)).collect::<Vec<_>>();
    of("adalora_gains").iter().for_each(|gains| gains.value_mut().fill(3.0));
    let mode = Mode::Training { seed: 1, step: 1, dropout: 0.0 };
    let value = || loss(&model, mode).to_scalar::<f32>().unwrap();
    of("adalora_gates").iter().for_each(|gates| gates.value_mut()[1] = 0.0);
    let without = value();
    of("adalora_gains").iter().for_each(|gains| gains.value_mut()[1] = 100.0);
    assert_eq!(value(), without);
    loss(&model, mode).backward().unwrap();
    for gains in of("adalora_gains") {
        let gradient = &gains.gradient().values;
        assert!(gradient[0] != 0.0 && gradient[1] == 0.0, "{gradient:?}");
    }
}
