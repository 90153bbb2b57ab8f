//! Node and services cannot reach each other. A policy only adds permissions, and so the cut takes the rules out
//! of the one that opens the door between them.

use super::{Blow, DOOR, Fault, Hits, Rule, rule};

const CHANGES_DOOR: Rule = rule(
    &["networking.k8s.io"],
    &["networkpolicies"],
    &["get", "patch"],
    &[DOOR],
);

pub(super) const FAULT: Fault = Fault {
    name: "cut-network",
    does: "Closes the network between the node and the services, and opens it again after `hold`; skipped where the cluster does not enforce NetworkPolicies.",
    hits: Hits::Node,
    inject: |ground| ground.door(Blow::Shut),
    undo: Some(|ground| ground.door(Blow::Open)),
    recovery: 180,
    rules: &[CHANGES_DOOR],
    needs_policies: true,
};
