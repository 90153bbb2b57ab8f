//! Which process is killed when: at random, but the same for the same number.
//!
//! Nothing here may change without reason: a failure under kills is told by this number.

use crate::random::Random;
use alloc::format;
use alloc::vec::Vec;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The Restate node.
    Node,
    /// The service that it calls.
    Service,
}

/// A kill, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// What is killed; it is started again at once.
    pub victim: Victim,
    /// Milliseconds after the one before, or after the programs were started.
    pub after_ms: u32,
    /// Whether the time runs from when the victim before was started again, rather than from when
    /// it was back at work: this kill may then hit a recovery.
    pub during_recovery: bool,
}

/// So many kills, at most.
const MOST: u32 = 5;
/// The first kill comes within this, in milliseconds, so that it also meets small programs.
const FIRST_MS: u32 = 2_000;
/// Each later one comes within this.
const LATER_MS: u32 = 4_000;

/// The kills of a number: two to five, the node and the service at least once each.
#[must_use]
pub fn kills(number: u32) -> Vec<Kill> {
    let mut random = Random::from_name(&format!("kills-{number}"));
    let mut victims = alloc::vec![Victim::Node, Victim::Service];
    for _ in 2..random.between(2, MOST) {
        victims.push(if random.below(2) == 0 {
            Victim::Node
        } else {
            Victim::Service
        });
    }
    random.shuffle(&mut victims);
    let mut within = FIRST_MS;
    victims
        .into_iter()
        .map(|victim| {
            let after_ms = random.between(50, within);
            within = LATER_MS;
            Kill {
                victim,
                after_ms,
                during_recovery: random.below(4) == 0,
            }
        })
        .collect()
}
