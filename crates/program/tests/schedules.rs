//! Every program ends under every schedule, and then has done what the simulation says.
//!
//! A model of the locks of virtual objects runs the programs without Restate. An adversary picks
//! which invocation moves next, so that locks are taken in the worst orders it can find.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use longrun_program::random::Random;
use longrun_program::{Command, Lock, Node, Program, ProgramId, Size, Target};
use std::collections::{BTreeMap, VecDeque};

/// Who moves next among those that can.
#[derive(Clone, Copy, Debug)]
enum Adversary {
    /// The longest waiting.
    Oldest,
    /// The newest: callers hold their locks as long as possible.
    Newest,
    /// Anyone.
    Random,
}

enum Work<'a> {
    Node(&'a Node),
    /// The separate increment of a shared node.
    Increment(Target),
}

struct Invocation<'a> {
    work: Work<'a>,
    next: usize,
    waits_for: Option<usize>,
    /// Invocations of this node's async calls, by command index.
    awaitables: BTreeMap<u16, usize>,
    done: bool,
}

#[derive(Default)]
struct Model<'a> {
    invocations: Vec<Invocation<'a>>,
    /// Holder first, then the queue in order of arrival, as Restate's inbox.
    queues: BTreeMap<Target, VecDeque<usize>>,
    runnable: Vec<usize>,
    counters: BTreeMap<Target, u64>,
    waiters: BTreeMap<usize, usize>,
}

impl<'a> Model<'a> {
    fn invoke(&mut self, work: Work<'a>) -> usize {
        let index = self.invocations.len();
        let lock = match work {
            Work::Node(node) => (node.lock == Lock::Exclusive).then_some(node.target),
            Work::Increment(target) => Some(target),
        };
        self.invocations.push(Invocation {
            work,
            next: 0,
            waits_for: None,
            awaitables: BTreeMap::new(),
            done: false,
        });
        let queue = lock.map(|target| self.queues.entry(target).or_default());
        let free = queue.is_none_or(|queue| {
            queue.push_back(index);
            queue.len() == 1
        });
        if free {
            self.runnable.push(index);
        }
        index
    }

    /// Moves an invocation by one command; true while it can go on.
    fn step(&mut self, index: usize) -> bool {
        let invocation = &mut self.invocations[index];
        let node = match invocation.work {
            Work::Increment(target) => {
                *self.counters.entry(target).or_default() += 1;
                self.end(index, Some(target));
                return false;
            }
            Work::Node(node) => node,
        };
        let at = invocation.next;
        invocation.next += 1;
        let Some(command) = node.commands.get(at) else {
            self.end(index, (node.lock == Lock::Exclusive).then_some(node.target));
            return false;
        };
        let waits_for = match command {
            Command::Increment if node.lock == Lock::Shared => {
                Some(self.invoke(Work::Increment(node.target)))
            }
            Command::Increment => {
                *self.counters.entry(node.target).or_default() += 1;
                None
            }
            Command::Call(callee) => Some(self.invoke(Work::Node(callee))),
            Command::CallAsync(callee) => {
                let callee = self.invoke(Work::Node(callee));
                self.invocations[index].awaitables.insert(at as u16, callee);
                None
            }
            Command::Await(call) => Some(self.invocations[index].awaitables[call]),
            Command::Send(callee) | Command::SendDelayed { node: callee, .. } => {
                self.invoke(Work::Node(callee));
                None
            }
            Command::Sleep(_) | Command::LeftOut => None,
        };
        match waits_for {
            Some(callee) if !self.invocations[callee].done => {
                self.invocations[index].waits_for = Some(callee);
                self.waiters.insert(callee, index);
                false
            }
            _ => true,
        }
    }

    fn end(&mut self, index: usize, lock: Option<Target>) {
        self.invocations[index].done = true;
        if let Some(target) = lock {
            let queue = self.queues.get_mut(&target).unwrap();
            assert_eq!(queue.pop_front(), Some(index), "only the holder ends");
            self.runnable.extend(queue.front());
        }
        if let Some(waiter) = self.waiters.remove(&index) {
            self.invocations[waiter].waits_for = None;
            self.runnable.push(waiter);
        }
    }
}

/// The counters at the end, or the number of invocations that can never end.
fn run(
    root: &Node,
    adversary: Adversary,
    random: &mut Random,
) -> Result<BTreeMap<Target, u64>, usize> {
    let mut model = Model::default();
    model.invoke(Work::Node(root));
    while !model.runnable.is_empty() {
        let count = model.runnable.len();
        let chosen = match adversary {
            Adversary::Oldest => 0,
            Adversary::Newest => count - 1,
            Adversary::Random => random.below(count as u32) as usize,
        };
        let index = model.runnable.remove(chosen);
        if model.step(index) {
            model.runnable.push(index);
        }
    }
    match model
        .invocations
        .iter()
        .filter(|invocation| !invocation.done)
        .count()
    {
        0 => Ok(model.counters),
        stuck => Err(stuck),
    }
}

fn program(minute: u32) -> Program {
    let seed = format!("test-{minute}").parse().unwrap();
    ProgramId::new(seed, Size::DEFAULT).generate()
}

#[test]
fn no_schedule_deadlocks_and_every_increment_of_the_simulation_happens() {
    for minute in 0..10_000 {
        let program = program(minute);
        let adversary =
            [Adversary::Oldest, Adversary::Newest, Adversary::Random][minute as usize % 3];
        let ran = run(
            &program.root,
            adversary,
            &mut Random::from_number(minute.into()),
        );
        assert_eq!(
            ran.as_ref(),
            Ok(&program.expected()),
            "{} under {adversary:?}",
            program.id
        );
    }
}

#[test]
fn a_program_ends_the_same_under_a_hundred_random_schedules() {
    for minute in 0..20 {
        let program = program(minute);
        for schedule in 0..100 {
            let ran = run(
                &program.root,
                Adversary::Random,
                &mut Random::from_number(schedule),
            );
            assert_eq!(
                ran.as_ref(),
                Ok(&program.expected()),
                "{}, schedule {schedule}",
                program.id
            );
        }
    }
}

/// The canary: if this passed the model, the tests above would prove nothing.
#[test]
fn two_lock_holders_that_call_each_other_do_deadlock_in_the_model() {
    let node = |target, commands| Node {
        target: Target(target),
        lock: Lock::Exclusive,
        commands,
    };
    let leaf = |target| node(target, vec![Command::Increment]);
    let root = node(
        0,
        vec![
            Command::Send(node(1, vec![Command::Increment, Command::Call(leaf(2))])),
            Command::Send(node(2, vec![Command::Increment, Command::Call(leaf(1))])),
        ],
    );
    let ran = run(&root, Adversary::Oldest, &mut Random::from_number(0));
    assert_eq!(ran, Err(4));
}
