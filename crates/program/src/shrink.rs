//! The search for a smaller program that still fails. It knows nothing of how a program is run: it
//! names the next one to try, and is told whether that fails.
//!
//! First everything that only takes time goes, then what is deep, then pieces of what is left: halves,
//! quarters, and in the end single commands, each with all that is below it. What comes out is
//! locally minimal: it fails, and without any one of its commands it does not.

use crate::id::ProgramId;
use crate::path::{Kept, Part, Path};
use crate::tree::{Command, Node};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// A failure of chance that took some runs to come is not believed to be gone before so many times more.
const CERTAINTY: u32 = 3;

/// A command of the whole program that can be left out. An await goes with its call.
#[derive(Clone, Debug)]
struct Unit {
    node: Path,
    index: u16,
    /// The first unit that is not below this one: units are in order, a call before what it calls.
    end: usize,
    calls: bool,
    sleeps: bool,
}

/// What is left out next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Every sleep.
    Sleeps,
    /// What is deeper than this: the root's own commands have depth 1.
    Depth(usize),
    /// This many units of those left, from this one on; whether any such piece was left out since
    /// the last time that all of them were tried.
    Piece {
        size: usize,
        at: usize,
        gained: bool,
    },
    Done,
}

/// A search, with what is known so far. The same answers lead to the same programs.
#[derive(Clone, Debug)]
pub struct Shrink {
    smallest: ProgramId,
    units: Vec<Unit>,
    /// Which units the smallest failing program has.
    left: Vec<bool>,
    stage: Stage,
    /// Programs that did not fail: none is asked for twice.
    passed: BTreeSet<Kept>,
}

impl Shrink {
    /// Begins at a program that fails.
    #[must_use]
    pub fn of(failing: &ProgramId) -> Self {
        let whole = ProgramId {
            kept: Kept::All,
            ..failing.clone()
        };
        let mut units = Vec::new();
        collect(&whole.generate().root, &Path::root(), &mut units);
        let start = failing.generate();
        let present = |unit: &Unit| {
            let node = start.node(&unit.node)?;
            node.commands.get(usize::from(unit.index))
        };
        let left = units
            .iter()
            .map(|unit| present(unit).is_some_and(|command| *command != Command::LeftOut))
            .collect();
        let mut search = Self {
            smallest: failing.clone(),
            units,
            left,
            stage: Stage::Sleeps,
            passed: BTreeSet::new(),
        };
        search.settle();
        search
    }

    /// How often a program is run, at most so often, before it counts as one that does not fail, when
    /// the whole one had passed so often before it failed. What fails at once, and not by kills, is no
    /// accident.
    #[must_use]
    pub fn repeats(passed: u32, runs: u32, kills: bool) -> u32 {
        if passed == 0 && !kills {
            return 1;
        }
        let took = passed.saturating_add(1);
        runs.min(took.saturating_mul(CERTAINTY)).max(1)
    }

    /// The smallest program that is known to fail.
    #[must_use]
    pub fn smallest(&self) -> &ProgramId {
        &self.smallest
    }

    /// The program to try next; none when the smallest cannot be made smaller.
    #[must_use]
    pub fn next(&self) -> Option<ProgramId> {
        self.candidate().map(|left| self.id_of(&left))
    }

    /// The programs that would be tried next if none of them failed, at most `count`: they can be
    /// tried at the same time, and the answers given up to the first that fails.
    #[must_use]
    pub fn ahead(&self, count: usize) -> Vec<ProgramId> {
        let mut search = self.clone();
        let mut programs = Vec::new();
        while programs.len() < count
            && let Some(program) = search.next()
        {
            programs.push(program);
            search.answer(false);
        }
        programs
    }

    /// Says whether the program of [`Shrink::next`] fails in the same way.
    pub fn answer(&mut self, fails: bool) {
        let Some(left) = self.candidate() else { return };
        let program = self.id_of(&left);
        if fails {
            self.left = left;
            self.smallest = program;
        } else {
            self.passed.insert(program.kept);
        }
        self.step(fails);
        self.settle();
    }

    /// Goes on to the first candidate that is worth trying.
    fn settle(&mut self) {
        while self.stage != Stage::Done && self.candidate().is_none_or(|left| self.known(&left)) {
            self.step(false);
        }
    }

    /// Whether nothing is learnt from these units: they are all, or none, or have passed already.
    fn known(&self, left: &[bool]) -> bool {
        *left == self.left || !left.contains(&true) || self.passed.contains(&self.id_of(left).kept)
    }

    /// What is left by the present stage; none when it leaves nothing out.
    fn candidate(&self) -> Option<Vec<bool>> {
        let mut left = self.left.clone();
        match self.stage {
            Stage::Done => return None,
            Stage::Sleeps => {
                for (left, unit) in left.iter_mut().zip(&self.units) {
                    *left &= !unit.sleeps;
                }
            }
            Stage::Depth(depth) => {
                for (left, unit) in left.iter_mut().zip(&self.units) {
                    *left &= unit.node.steps().len() < depth;
                }
            }
            Stage::Piece { size, at, .. } => {
                for unit in self.remaining().into_iter().skip(at).take(size) {
                    left[unit..self.units[unit].end].fill(false);
                }
            }
        }
        Some(left)
    }

    /// The units that are left, in order.
    fn remaining(&self) -> Vec<usize> {
        (0..self.left.len())
            .filter(|&unit| self.left[unit])
            .collect()
    }

    /// The stage after the present one has been answered.
    fn step(&mut self, failed: bool) {
        let remaining = self.remaining();
        let deepest = remaining
            .iter()
            .map(|&unit| self.units[unit].node.steps().len() + 1)
            .max();
        let pieces = Stage::Piece {
            size: remaining.len().div_ceil(2).max(1),
            at: 0,
            gained: false,
        };
        self.stage = match self.stage {
            Stage::Sleeps => Stage::Depth(1),
            // The first depth that fails has the shortest way to it.
            Stage::Depth(depth) if !failed && deepest.is_some_and(|deepest| depth < deepest) => {
                Stage::Depth(depth + 1)
            }
            Stage::Depth(_) => pieces,
            Stage::Piece { size, at, gained } => {
                let gained = gained || failed;
                // What follows a piece that was left out is now where it was.
                let at = if failed { at } else { at + size };
                if at < remaining.len() {
                    Stage::Piece { size, at, gained }
                } else if size > 1 {
                    Stage::Piece {
                        size: size.div_ceil(2).min(size - 1),
                        at: 0,
                        gained: false,
                    }
                } else if gained {
                    // What a command was needed for may itself be gone.
                    Stage::Piece {
                        size: 1,
                        at: 0,
                        gained: false,
                    }
                } else {
                    Stage::Done
                }
            }
            Stage::Done => Stage::Done,
        };
    }

    fn id_of(&self, left: &[bool]) -> ProgramId {
        let mut parts = Vec::new();
        let mut unit = 0;
        while let Some(Unit {
            node,
            index,
            end,
            calls,
            ..
        }) = self.units.get(unit)
        {
            let whole = left[unit..*end].iter().all(|&left| left);
            if left[unit] && whole && *calls {
                parts.push(Part::node(node.child(*index)));
                unit = *end;
                continue;
            }
            if left[unit] {
                // Where something below it is left, it is only the way there.
                parts.push(Part::command(node, *index));
            }
            unit += 1;
        }
        let kept = if left.iter().all(|&left| left) {
            Kept::All
        } else {
            Kept::parts(parts)
        };
        ProgramId {
            kept,
            ..self.smallest.clone()
        }
    }
}

/// The units of a node, in order. Recursion is as deep as the program.
fn collect(node: &Node, path: &Path, units: &mut Vec<Unit>) {
    for (index, command) in (0..).zip(&node.commands) {
        if matches!(command, Command::Await(_) | Command::LeftOut) {
            continue;
        }
        let unit = units.len();
        units.push(Unit {
            node: path.clone(),
            index,
            end: unit + 1,
            calls: command.callee().is_some(),
            sleeps: matches!(command, Command::Sleep(_)),
        });
        if let Some(callee) = command.callee() {
            collect(callee, &path.child(index), units);
            units[unit].end = units.len();
        }
    }
}
