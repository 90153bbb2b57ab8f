//! Generator version 1: a budget of invocations is drawn down as the tree grows.
//!
//! Kinds come from shuffled decks rather than from independent draws, so that every kind is in
//! every program that is not tiny. Nothing here may change: a change is a new version.

use crate::id::{Seed, Size};
use crate::random::Random;
use crate::tree::{Command, Lock, Node, Target};
use alloc::vec::Vec;

/// No sleep of a program is longer, in milliseconds. Sleeps of lock holders add up, so they are
/// short.
pub const MAX_SLEEP_MS: u32 = 400;
/// No background call of a program starts later than this after it was sent, in milliseconds.
pub const MAX_DELAY_MS: u32 = 4_000;

/// How a node reaches one that it calls.
#[derive(Clone, Copy)]
enum Edge {
    Call,
    Awaited,
    Unawaited,
    Send,
    SendDelayed,
}

const EDGES: &[Edge] = &[
    Edge::Call,
    Edge::Call,
    Edge::Awaited,
    Edge::Awaited,
    Edge::Unawaited,
    Edge::Send,
    Edge::Send,
    Edge::SendDelayed,
];
const LOCKS: &[Lock] = &[
    Lock::Exclusive,
    Lock::Exclusive,
    Lock::Exclusive,
    Lock::Shared,
];
/// Whether a node sleeps.
const SLEEPS: &[bool] = &[true, false, false, false, false];
/// A node calls at most this many others, unless only one is left to be called.
const MAX_WIDTH: u32 = 6;

pub(crate) fn v1(seed: &Seed, size: Size) -> Node {
    let mut random = Random::from_name(seed.as_str());
    let asked = size.invocations();
    // Within 3/4 and 5/4 of what was asked, rounded inwards; a promise is a factor of two.
    let budget = random.between(asked - asked / 4, asked + asked / 4);
    let mut generator = Generator {
        random,
        stride: (asked / 16).max(1),
        edges: Deck::new(EDGES),
        locks: Deck::new(LOCKS),
        sleeps: Deck::new(SLEEPS),
    };
    generator.node(Target(0), budget)
}

struct Generator {
    random: Random,
    /// A blocking call goes this many targets further at most.
    stride: u32,
    edges: Deck<Edge>,
    locks: Deck<Lock>,
    sleeps: Deck<bool>,
}

impl Generator {
    /// A node that takes exactly `budget` invocations, at least 1, with all that it calls. The
    /// depth grows with the logarithm of the budget, so recursion is safe.
    fn node(&mut self, target: Target, budget: u32) -> Node {
        // A shared node needs a second invocation for its first increment.
        let lock = if budget > 1 {
            self.locks.draw(&mut self.random)
        } else {
            Lock::Exclusive
        };
        let (increments, spent) = match lock {
            Lock::Exclusive => (1 + self.random.below(2), 1),
            Lock::Shared => {
                let increments = 1 + self.random.below((budget - 1).min(2));
                (increments, 1 + increments)
            }
        };
        // Every node increments, so that no invocation can be lost unnoticed.
        let mut steps: Vec<(Command, bool)> = (0..increments)
            .map(|_| (Command::Increment, false))
            .collect();
        if self.sleeps.draw(&mut self.random) {
            steps.push((Command::Sleep(self.random.between(20, MAX_SLEEP_MS)), false));
        }
        for share in self.split(budget - spent) {
            steps.push(self.call(target, share));
        }
        self.random.shuffle(&mut steps);
        Node {
            target,
            lock,
            commands: self.place_awaits(steps),
        }
    }

    /// A call of a node with this budget, and whether it is awaited later.
    fn call(&mut self, caller: Target, budget: u32) -> (Command, bool) {
        let edge = self.edges.draw(&mut self.random);
        // Who may be waited for has a larger target: locks are then only ever waited for in
        // rising order, and no schedule can deadlock. Who is not waited for may be anywhere.
        let target = match edge {
            Edge::Call | Edge::Awaited | Edge::Unawaited => {
                caller.0 + 1 + self.random.below(self.stride)
            }
            Edge::Send | Edge::SendDelayed => self.random.below(caller.0 + self.stride + 1),
        };
        let node = self.node(Target(target), budget);
        match edge {
            Edge::Call => (Command::Call(node), false),
            Edge::Awaited => (Command::CallAsync(node), true),
            Edge::Unawaited => (Command::CallAsync(node), false),
            Edge::Send => (Command::Send(node), false),
            Edge::SendDelayed => {
                let delay_ms = self.random.between(100, MAX_DELAY_MS);
                (Command::SendDelayed { delay_ms, node }, false)
            }
        }
    }

    /// Divides a budget among callees, each at least 1, the largest at most eight times the rest.
    fn split(&mut self, budget: u32) -> Vec<u32> {
        let width = match budget {
            0 => 0,
            1 => 1,
            _ => self.random.between(2, budget.min(MAX_WIDTH)),
        };
        let weights: Vec<u32> = (0..width).map(|_| self.random.between(1, 8)).collect();
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let spare = budget - width;
        let mut shares: Vec<u32> = weights
            .iter()
            // Under `spare`, so it fits.
            .map(|&weight| 1 + (u64::from(spare) * u64::from(weight) / total) as u32)
            .collect();
        let given: u32 = shares.iter().sum();
        if let Some(last) = shares.last_mut() {
            *last += budget - given;
        }
        shares
    }

    /// Puts each await somewhere after its call.
    fn place_awaits(&mut self, steps: Vec<(Command, bool)>) -> Vec<Command> {
        // Awaits are drawn as gaps between the steps first: gap g is before step g.
        let count = steps.len() as u32;
        let mut gaps: Vec<Vec<usize>> = alloc::vec![Vec::new(); steps.len() + 1];
        for (index, (_, awaited)) in (0_u32..).zip(&steps) {
            if *awaited {
                let gap = self.random.between(index + 1, count);
                gaps[gap as usize].push(index as usize);
            }
        }
        let mut places = alloc::vec![0_u16; steps.len()];
        let mut commands = Vec::with_capacity(steps.len() * 2);
        for (index, (command, _)) in steps.into_iter().enumerate() {
            for &call in &gaps[index] {
                commands.push(Command::Await(places[call]));
            }
            // A node has at most 2 increments, a sleep and 6 calls with awaits.
            places[index] = commands.len() as u16;
            commands.push(command);
        }
        for &call in &gaps[count as usize] {
            commands.push(Command::Await(places[call]));
        }
        commands
    }
}

/// Cards that are dealt in random order, all of them before any comes again.
struct Deck<T: 'static> {
    cards: &'static [T],
    hand: Vec<T>,
}

impl<T: Copy> Deck<T> {
    fn new(cards: &'static [T]) -> Self {
        Self {
            cards,
            hand: Vec::new(),
        }
    }

    fn draw(&mut self, random: &mut Random) -> T {
        if self.hand.is_empty() {
            self.hand.extend_from_slice(self.cards);
            random.shuffle(&mut self.hand);
        }
        self.hand.pop().unwrap_or(self.cards[0])
    }
}
