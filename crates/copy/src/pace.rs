//! Whether to compress: a processor is faster than some connections, and slower than others.

use std::time::Duration;

/// How often it is tried what compression would do where it does not pay.
const TRIED_EVERY: u32 = 32;

/// How much the latest measurement counts.
const WEIGHT: f64 = 0.2;

/// What writing and compressing take of late.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Seconds to write a byte.
    writing: Option<f64>,
    /// Seconds to compress a byte.
    packing: Option<f64>,
    /// The share that compressing saves.
    saved: Option<f64>,
    /// Frames in a row that were not compressed.
    plain: u32,
}

impl Pace {
    /// Whether the next frame is to be compressed: what is saved would take longer to write than compressing takes.
    pub(crate) fn packs(&mut self) -> bool {
        let pays = match (self.saved, self.writing, self.packing) {
            (Some(saved), Some(writing), Some(packing)) => saved * writing > packing,
            _ => true,
        };
        let packs = pays || self.plain >= TRIED_EVERY;
        self.plain = if packs { 0 } else { self.plain + 1 };
        packs
    }

    /// So many bytes were compressed to so many.
    pub(crate) fn packed(&mut self, from: usize, to: usize, time: Duration) {
        blend(&mut self.packing, time.as_secs_f64() / from.max(1) as f64);
        blend(&mut self.saved, 1.0 - to as f64 / from.max(1) as f64);
    }

    /// So many bytes were written.
    pub(crate) fn written(&mut self, bytes: usize, time: Duration) {
        blend(&mut self.writing, time.as_secs_f64() / bytes.max(1) as f64);
    }
}

fn blend(of_late: &mut Option<f64>, now: f64) {
    *of_late = Some(of_late.map_or(now, |before| before + (now - before) * WEIGHT));
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 1 << 20;
    const FAST: Duration = Duration::from_micros(500);
    const SLOW: Duration = Duration::from_millis(100);
    const PACKING: Duration = Duration::from_millis(3);

    /// How many of a hundred frames are compressed, of which so much is left then.
    fn packs(left: usize, writing: Duration, pace: &mut Pace) -> usize {
        let frames = 0..100;
        let packs = |_: &i32| {
            let packs = pace.packs();
            if packs {
                pace.packed(FRAME, left, PACKING);
            }
            let written = if packs { left } else { FRAME };
            let share = written as f64 / FRAME as f64;
            pace.written(written, writing.mul_f64(share));
            packs
        };
        frames.filter(packs).count()
    }

    #[test]
    fn a_slow_connection_is_worth_it_and_a_fast_one_is_not() {
        assert_eq!(packs(FRAME / 2, SLOW, &mut Pace::default()), 100);
        assert!(packs(FRAME / 2, FAST, &mut Pace::default()) < 6);
    }

    #[test]
    fn what_does_not_shrink_is_left_as_it_is_whatever_the_connection() {
        assert!(packs(FRAME, SLOW, &mut Pace::default()) < 6);
    }

    #[test]
    fn a_connection_that_becomes_slow_is_noticed() {
        let mut pace = Pace::default();
        packs(FRAME / 2, FAST, &mut pace);
        assert!(packs(FRAME / 2, SLOW, &mut pace) > 60);
        assert_eq!(packs(FRAME / 2, SLOW, &mut pace), 100);
    }
}
