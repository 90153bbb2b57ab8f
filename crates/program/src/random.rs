//! The random numbers behind a program: SplitMix64, seeded by FNV-1a, with sampling of our own.
//!
//! Random number crates may change the values they draw in a minor release; a seed must give the
//! same program for as long as anybody wants to reproduce it. So everything is written down here,
//! and a change of any line is a new generator [`Version`](crate::Version).
//!
//! - **Seed**: FNV-1a, 64 bits, over the UTF-8 bytes of the Job's name (offset basis
//!   `0xcbf29ce484222325`, prime `0x100000001b3`).
//! - **Next**: `s += 0x9e3779b97f4a7c15`, then with `z = s`: `z = (z ^ z>>30) * 0xbf58476d1ce4e5b9`,
//!   `z = (z ^ z>>27) * 0x94d049bb133111eb`, result `z ^ z>>31`; all modulo 2⁶⁴.
//! - **Below n**: the high 64 bits of the 128-bit product `next * n`. The bias, under n/2⁶⁴, is
//!   accepted so that every draw takes exactly one number.
//! - **Shuffle**: Fisher–Yates from the last place down, swapping `i` with `below(i + 1)`.

/// A SplitMix64 stream.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of a name: the same for the same bytes, for ever.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let state = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { state }
    }

    /// The stream of a number.
    #[must_use]
    pub fn from_number(state: u64) -> Self {
        Self { state }
    }

    /// The next 64 bits.
    pub fn next_bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; 0 when `n` is 0. Takes one draw either way.
    pub fn below(&mut self, n: u32) -> u32 {
        let product = u128::from(self.next_bits()) * u128::from(n);
        // The product is under n * 2^64, so its high half is under n and fits.
        (product >> 64) as u32
    }

    /// A number in `low..=high`, both of which can be drawn. `high - low` must be under 2³² − 1.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// Puts the items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u32::try_from(last + 1).unwrap_or(u32::MAX);
            items.swap(last, self.below(bound) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;
    use alloc::vec::Vec;

    #[test]
    fn splitmix64_gives_the_published_values_for_seed_1234567() {
        // Reference output of the algorithm's published C code.
        let mut random = Random::from_number(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next_bits()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_name_is_hashed_by_fnv_1a() {
        // Published test vectors: "" and "foobar".
        assert_eq!(Random::from_name("").state, 0xcbf2_9ce4_8422_2325);
        assert_eq!(Random::from_name("foobar").state, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_number_of_a_small_range_is_drawn_about_equally_often() {
        let mut random = Random::from_name("fair");
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[random.between(0, 5) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
    }
}
