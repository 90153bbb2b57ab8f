//! End-to-end tests: the real binary, a real cluster, a namespace of its own for each test.
//! A module a command, or a promise that several commands keep. `house` is what they stand in.

#![expect(
    clippy::expect_used,
    reason = "an expectation that does not hold is a failed test"
)]

mod access;
mod adopt;
mod attach;
mod bad_input;
mod chaos;
mod claims;
mod command_line;
mod consent;
mod copy;
mod database;
mod deploy;
mod house;
mod images;
mod interruption;
mod kills;
mod lease;
mod local;
mod ownership;
mod permission;
mod prune;
mod recorder;
mod registry;
mod render;
mod replacement;
mod report;
mod reproduce;
mod restore;
mod retention;
mod run;
mod service;
mod setting;
mod status;
mod storage;
mod templates;
mod triage;
mod unfinished;
mod upgrade;
mod visitors;
mod waits;
mod wipe;
