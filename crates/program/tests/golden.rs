//! Programs of ten seeds of generator version 1, for ever. A test here that fails is not to be accepted:
//! the change that caused it needs a new generator version.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use longrun_program::{Command, Lock, Node, ProgramId};
use std::fmt::Write;

const GOLDEN: [&str; 14] = [
    "v1-s1-all-test-28112572",
    "v1-s2-all-test-28112572",
    "v1-s10-all-test-28112572",
    "v1-s30-all-test-28113175",
    "v1-s30-all-test-28113361",
    "v1-s30-all-test-28113753",
    "v1-s30-all-test-28113838",
    "v1-s30-all-test-28113972",
    "v1-s60-all-test-28113670",
    "v1-s100-all-a",
    "v1-s300-all-test-28114121",
    "v1-s300-k2_3.1-test-28114121",
    "v1-s300-k0.0.4c2_0.0.5.1_0.1c0_0.1c4_c2-test-28114121",
    "v1-s1000-all-local.test-0",
];

#[test]
fn programs_of_version_1_are_what_they_always_were() {
    for text in GOLDEN {
        let id: ProgramId = text.parse().unwrap();
        let program = id.generate();
        let mut outline = format!("{} invocations\n", program.invocations());
        describe(&program.root, 0, &mut outline);
        insta::assert_snapshot!(text, outline);
    }
}

fn describe(node: &Node, depth: usize, out: &mut String) {
    let lock = if node.lock == Lock::Exclusive {
        ""
    } else {
        " shared"
    };
    writeln!(out, "{}{lock}", node.target).unwrap();
    for (index, command) in node.commands.iter().enumerate() {
        write!(out, "{:1$}{index}: ", "", depth * 2 + 2).unwrap();
        match command {
            Command::Increment => writeln!(out, "increment").unwrap(),
            Command::Await(call) => writeln!(out, "await {call}").unwrap(),
            Command::Sleep(ms) => writeln!(out, "sleep {ms} ms").unwrap(),
            Command::LeftOut => writeln!(out, "left out").unwrap(),
            Command::Call(_) => write!(out, "call ").unwrap(),
            Command::CallAsync(_) => write!(out, "call, wait later ").unwrap(),
            Command::Send(_) => write!(out, "send ").unwrap(),
            Command::SendDelayed { delay_ms, .. } => write!(out, "send in {delay_ms} ms ").unwrap(),
        }
        if let Some(callee) = command.callee() {
            describe(callee, depth + 1, out);
        }
    }
}
