//! Chance that can be repeated.

/// A source of decisions that gives the same ones for the same seed, however many threads ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The source of a run.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source of its own for a part of the run.
    #[must_use]
    pub fn part(self, number: u64) -> Self {
        Self(mix(self.0 ^ mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// The `number`-th value, evenly spread from 0 to below 1.
    pub fn fraction(self, number: u64) -> f64 {
        // The upper 53 bits are what a float can hold.
        (mix(self.0.wrapping_add(mix(number))) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The `number`-th value below `end`.
    pub fn below(self, number: u64, end: u64) -> u64 {
        if end == 0 { 0 } else { mix(self.0.wrapping_add(mix(number))) % end }
    }
}

/// The last step of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn values_repeat_and_are_spread_evenly() {
        let seed = Seed::new(7);
        let hits = (0..10_000).filter(|number| seed.fraction(*number) < 0.1).count();
        assert!((900..1100).contains(&hits), "{hits}");
        assert_eq!(seed.fraction(3), Seed::new(7).fraction(3));
        assert_ne!(seed.fraction(3), Seed::new(8).fraction(3));
        assert_ne!(seed.part(0).below(1, 1000), seed.part(1).below(1, 1000));
    }
}
