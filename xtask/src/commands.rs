//! One file a command: its arguments, whose comments are the manual, and one function that reads in the
//! order of the way through.

pub(crate) mod attach;
pub(crate) mod chaos;
pub(crate) mod cluster;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod deploy;
pub(crate) mod diff;
pub(crate) mod images;
pub(crate) mod local;
pub(crate) mod operation;
pub(crate) mod render;
pub(crate) mod reproduce;
pub(crate) mod restore;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod triage;
pub(crate) mod volume_replacement;
pub(crate) mod wipe;
