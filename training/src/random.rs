//! Counter-based random numbers: the value at a place depends on the seed and the place alone, so a run repeats itself on
//! any number of threads and a dropout mask can be made again instead of being kept.

/// A stream of random numbers, told apart from other streams of one seed by its name.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    key: u64,
    counter: u64,
}

impl Random {
    /// The stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: &str) -> Self {
        let key = stream.bytes().fold(mix64(seed), |key, byte| mix64(key ^ u64::from(byte)));
        Self { key, counter: 0 }
    }

    /// How many numbers were drawn.
    pub(crate) fn drawn(&self) -> u64 {
        self.counter
    }

    /// Goes on after so many numbers.
    pub(crate) fn go_on_after(&mut self, drawn: u64) {
        self.counter = drawn;
    }

    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.counter += 1;
        mix64(self.key ^ mix64(self.counter))
    }

    /// A number below `bound`, which must not be zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from the standard normal distribution (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Puts the items in random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}

/// A dropout mask over up to 2³² places: a pure function of its key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    key: u32,
    threshold: u32,
    scale: f32,
}

impl Dropout {
    /// The mask that keeps everything.
    pub(crate) const OFF: Self = Self { key: 0, threshold: 0, scale: 1.0 };

    /// Drops a share `rate` (0 to below 1) of places; `site` tells the masks of one step apart.
    pub(crate) fn new(rate: f32, seed: u64, step: u64, site: u64) -> Self {
        if rate <= 0.0 {
            return Self::OFF;
        }
        let key = mix64(mix64(mix64(seed) ^ step) ^ site) as u32;
        Self { key, threshold: (f64::from(rate) * 4_294_967_296.0) as u32, scale: 1.0 / (1.0 - rate) }
    }

    /// Whether this mask keeps everything.
    pub(crate) fn is_off(self) -> bool {
        self.threshold == 0
    }

    /// What the value at `place` is multiplied by: 0, or 1 / (1 - rate).
    #[inline(always)]
    pub(crate) fn factor(self, place: u32) -> f32 {
        if mix32(place ^ self.key) < self.threshold { 0.0 } else { self.scale }
    }
}

/// Steele and others' SplitMix64 finaliser.
fn mix64(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A 32-bit finaliser with low bias (constants found by Wellons' hash prospector).
#[inline(always)]
fn mix32(value: u32) -> u32 {
    let value = (value ^ (value >> 16)).wrapping_mul(0x7FEB_352D);
    let value = (value ^ (value >> 15)).wrapping_mul(0x846C_A68B);
    value ^ (value >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_stream_and_names_part_streams() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..8).map(|_| random.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "split"), draw(1, "split"));
        assert_ne!(draw(1, "split"), draw(2, "split"));
        assert_ne!(draw(1, "split"), draw(1, "order"));
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_moves_most() {
        let mut items: Vec<usize> = (0..1000).collect();
        Random::new(3, "test").shuffle(&mut items);
        let still = items.iter().enumerate().filter(|(index, item)| index == *item).count();
        assert!(still < 10, "{still} of 1000 did not move");
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1000));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut random = Random::new(4, "test");
        let draws: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
    }

    #[test]
    fn dropout_drops_its_share_and_keeps_the_sum() {
        let mask = Dropout::new(0.1, 5, 7, 9);
        let factors: Vec<f32> = (0..100_000).map(|place| mask.factor(place)).collect();
        let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
        assert!((9_500..10_500).contains(&dropped), "{dropped} of 100000 dropped at rate 0.1");
        assert!(factors.iter().all(|factor| *factor == 0.0 || (*factor - 1.0 / 0.9).abs() < 1e-6));
        let other = Dropout::new(0.1, 5, 8, 9);
        let both = (0..100_000).filter(|place| mask.factor(*place) == 0.0 && other.factor(*place) == 0.0).count();
        assert!((800..1_200).contains(&both), "masks of two steps must be independent: {both} dropped by both");
    }

    #[test]
    fn no_dropout_changes_nothing() {
        assert!(Dropout::new(0.0, 1, 2, 3).is_off());
        assert!((0..100).all(|place| Dropout::OFF.factor(place) == 1.0));
    }
}
