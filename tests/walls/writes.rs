//! What changes a cluster is a plan's step, or is in this list: ARCHITECTURE.md has it with the reasons.

use std::collections::BTreeSet;

use super::{root, tracked};

/// Requests of the client that change something.
const WRITES: [&str; 7] = [
    "apply",
    "create",
    "replace",
    "write_over",
    "delete",
    "end",
    "merge",
];

/// The files of `crates/kubernetes/src` that carry out a plan, keep its journal, or ask what an apply would do.
const PLANS: [&str; 4] = [
    "drive/effect.rs",
    "drive/inject.rs",
    "drive/journal.rs",
    "observe.rs",
];

/// The files there that write anything else, and what.
const OTHERS: [(&str, &str); 6] = [
    ("lease.rs", "Lease"),
    ("heartbeat.rs", "heartbeat of an attachment"),
    ("faults/record.rs", "ledger of faults, pause"),
    ("faults/event.rs", "Events of faults"),
    ("faults/trigger.rs", "Job of a triggered fault"),
    ("records.rs", "pause after a failure"),
];

/// A file that approves a plan without asking anybody.
const UNASKED: [(&str, &str); 3] = [
    ("crates/kubernetes/src/faults/run.rs", "faults by schedule"),
    ("crates/kubernetes/src/records.rs", "snapshots of failures"),
    ("xtask/src/attachment.rs", "attachments"),
];

/// The files of the product of which this is so; their text comes without white space.
fn files_with(is_it: impl Fn(&str, &str) -> bool) -> BTreeSet<String> {
    let is_product = |file: &String| {
        let tests = ["/tests", "/server.rs"];
        file.ends_with(".rs")
            && [
                "crates/kubernetes/src/",
                "crates/recorder/src/",
                "xtask/src/",
            ]
            .iter()
            .any(|folder| file.starts_with(folder))
            && !tests.iter().any(|part| file.contains(part))
    };
    let files = tracked().into_iter().filter(is_product);
    files
        .filter(|file| {
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            let product = text.split("#[cfg(test)]\nmod tests {").next();
            let code: String = product.unwrap_or_default().split_whitespace().collect();
            is_it(file, &code)
        })
        .collect()
}

#[test]
fn every_write_is_a_step_or_in_the_list() {
    let writes = |file: &str, code: &str| {
        let asks = |write: &str| code.contains(&format!("client.{write}("));
        !file.ends_with("kubernetes/src/client.rs") && WRITES.iter().any(|write| asks(write))
    };
    let listed = PLANS.into_iter().chain(OTHERS.map(|(file, _)| file));
    let listed = listed.map(|file| format!("crates/kubernetes/src/{file}"));
    assert_eq!(files_with(writes), listed.collect());
}

#[test]
fn every_request_that_changes_something_is_known() {
    let file = root().join("crates/kubernetes/src/client.rs");
    let text = std::fs::read_to_string(file).expect("the client");
    let mut name = "";
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once(" async fn ") {
            name = rest.split(['(', '<']).next().unwrap_or_default();
        }
        if ["patch", "post", "put", "delete"]
            .iter()
            .any(|verb| line.contains(&format!("Request::{verb}")))
        {
            found.insert(name);
        }
    }
    // Asks what a user may do.
    found.remove("may");
    // Creates or replaces.
    found.insert("write_over");
    assert_eq!(found, BTreeSet::from(WRITES));
}

#[test]
fn who_approves_without_asking_is_in_the_list() {
    let unasked = |_: &str, code: &str| {
        code.contains(".piped(true,")
            || code.contains(".standing(POLICY")
            || code.contains(".standing(policy")
    };
    let listed = UNASKED.map(|(file, _)| file.to_owned());
    assert_eq!(files_with(unasked), BTreeSet::from(listed));
}

#[test]
fn the_page_has_the_list() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page");
    let all = OTHERS.iter().chain(&UNASKED);
    for (_, what) in all {
        assert!(
            page.contains(&format!("| {what} |")),
            "the page has no {what}"
        );
    }
}
