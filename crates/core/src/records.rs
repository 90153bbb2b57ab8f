//! What an environment remembers of its tests: a line for every result, evidence for every failure, the faults.
//! Decided here is what is written down, what is let go when there is no room, and what a failure sets off. What
//! nobody has written down is unknown, and never good.

mod axis;
mod budget;
mod entry;
mod faults;
mod job_tracker;
mod lines;
mod merge;
mod pause;
mod strip;
#[cfg(test)]
mod tests;

pub use axis::axis;
pub use budget::{Kept, leaving};
pub use entry::{Entry, GONE, Outcome};
pub use faults::{Faults, copied};
pub use job_tracker::{JobTracker, SetOff, Task};
pub use lines::{Lines, file, is_over, line, read};
pub use merge::{merge, merge_case, merge_faults, missing};
pub use pause::{Wanted, pause};
pub use strip::{Cell, MINUTES, start, strip};
