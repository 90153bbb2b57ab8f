//! The one place where a service could go wrong on purpose.

use longrun_program::Target;
use std::fmt::Debug;

/// How a service carries out an increment. The released program only has [`Faithful`]; what loses
/// or doubles increments, or deadlocks, is in `faulty-service`, which is in no image.
pub trait Conduct: Debug + Send + Sync + 'static {
    /// By how much the counter of this target grows when it is to grow by one.
    fn growth(&self, target: Target) -> u64;

    /// Whose lock a node of this target also takes for a moment, while it holds its own.
    fn detour(&self, target: Target) -> Option<Target>;
}

/// Does what it is told.
#[derive(Clone, Copy, Debug)]
pub struct Faithful;

impl Conduct for Faithful {
    fn growth(&self, _target: Target) -> u64 {
        1
    }

    fn detour(&self, _target: Target) -> Option<Target> {
        None
    }
}
