//! Chance that can be repeated: splitmix64.

use crate::driver::{Asked, Fate};

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// What becomes of a request where things go wrong: a driver has a fair chance to get through.
    pub(crate) fn fate(&mut self, asked: &Asked<'_>) -> Fate {
        let chances = match asked {
            Asked::Apply(_) => 10,
            Asked::WriteJournal | Asked::ReadJournal | Asked::Wait => 25,
            Asked::Observe | Asked::Pause => 60,
        };
        if !self.one_in(chances) {
            return Fate::Served;
        }
        match self.below(10) {
            0 => Fate::Killed,
            1 => Fate::KilledAfter,
            2 => Fate::AnswerLost,
            3 => Fate::Unserved,
            4 => Fate::Conflict,
            5 => Fate::Asleep,
            6 if self.one_in(3) => Fate::Silence(self.below(40)),
            7 if self.one_in(3) => Fate::Interrupted,
            _ => Fate::Meanwhile,
        }
    }
}
