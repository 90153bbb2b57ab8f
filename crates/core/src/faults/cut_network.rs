//! Node and services cannot reach each other. A policy only adds permissions, and so the cut takes the rules out
//! of the one that opens the door between them.

use crate::names::SERVICE_POLICY;
use super::{Fault, FaultAction, Hits, Rule, rule};

const CHANGES_DOOR: Rule = rule(
    &["networking.k8s.io"],
    &["networkpolicies"],
    &["get", "patch"],
    &[SERVICE_POLICY],
);

pub(super) const FAULT: Fault = Fault {
    name: "cut-network",
    does: "Closes the network between the node and the services, and opens it again after `hold`. Skipped where the cluster does not enforce NetworkPolicies.",
    hits: Hits::Node,
    inject: |context| context.door(FaultAction::Shut),
    undo: Some(|context| context.door(FaultAction::Open)),
    recovery: 180,
    rules: &[CHANGES_DOOR],
    needs_policies: true,
};
