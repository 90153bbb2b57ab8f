//! What it costs to know a program: each invocation of the interpreter generates it anew, so a
//! program of the usual size must cost far less than the invocation itself (milliseconds).

#![expect(clippy::expect_used, reason = "the ids are constants")]

use divan::black_box;
use longrun_program::{ProgramId, Size};

fn main() {
    divan::main();
}

fn id(size: u32) -> ProgramId {
    let seed = "test-28112572".parse().expect("a Job's name");
    ProgramId::new(seed, Size::new(size).expect("a size in range"))
}

#[divan::bench(args = [30, 300, 3_000, 30_000])]
fn generate(bencher: divan::Bencher<'_, '_>, size: u32) {
    let id = id(size);
    bencher.bench(|| black_box(&id).generate());
}

#[divan::bench(args = [30, 300, 3_000, 30_000])]
fn simulate(bencher: divan::Bencher<'_, '_>, size: u32) {
    let program = id(size).generate();
    bencher.bench(|| black_box(&program).expected());
}
