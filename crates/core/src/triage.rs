//! Why a test failed. Facts are gathered elsewhere, once, and kept as [`Evidence`]; here they are judged, the
//! same way whether they were gathered a moment or years ago.

mod attempt;
mod counter_history;
mod evidence;
mod ledger;
mod name;
mod observed;
mod ran;
mod report;
mod resolve;
mod signature;
#[cfg(test)]
mod tests;
mod timeline;
mod verdict;

pub use attempt::{Counter, Heard, Off, Said, hear};
pub use counter_history::{CounterHistory, Reach};
pub use evidence::{
    Attempt, COUNTERS, Case, Container, Ended, Event, Evidence, FORMAT, Fault, Invocation, Job,
    JobState, Pod, Twin, read, write,
};
pub use ledger::{faults, faults_in};
pub use name::{Absence, NoTest, absence, minute};
pub use observed::{watched_events, watched_pods};
pub use ran::restate_of;
pub use report::{Missing, Next, Report, program_of};
pub use resolve::{NotResolved, resolve};
pub(crate) use signature::RECORDED;
pub use signature::{Group, group, normalise, signature};
pub(crate) use timeline::window;
pub use timeline::{Entry, Kind, Window, in_words, timeline};
pub use verdict::{Verdict, judge};
