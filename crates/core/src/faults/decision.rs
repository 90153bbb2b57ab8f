//! Whether a fault may be injected now, and the plan of it: strike, hold, take back, and wait until its target is
//! healthy again.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Fault, FaultAction, FaultContext, Hits, Pause, Settings,
    ledger::{Ledger, OpenFault},
};
use crate::{
    cluster::{Namespace, Pod},
    journal::{Stored, admit},
    names::CHAOS_LABEL,
    object::{ObjectRef, uid},
    plan::{Effect, Guard, Loss, Plan, Step, Target},
    wait::{Before, Observation, Wait, WaitStatus},
};

/// What is known of an environment before a fault is injected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Its namespace.
    pub namespace: Option<Namespace>,
    /// The StatefulSet of the node, with its pods.
    pub node: Observation,
    /// The Deployment of the services, with its pods.
    pub services: Observation,
    /// The ConfigMap of a pause, if there is one.
    pub pause: Option<Value>,
    /// The ConfigMap of the ledger, if there is one.
    pub ledger: Option<Value>,
    /// The ConfigMap of the last operation on data, if there is one.
    pub journal: Option<Value>,
}

/// Why a fault is not injected now. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGo {
    /// The namespace does not ask for it.
    NotOptedIn {
        /// Which one.
        environment: String,
    },
    /// The cluster does not enforce what the fault works by.
    NotEnforced {
        /// Which fault.
        fault: &'static str,
        /// Where.
        cluster: String,
    },
    /// Somebody wants quiet.
    Paused(Pause),
    /// Whether somebody wants quiet cannot be read.
    Unreadable(String),
    /// An operation on data is not finished.
    Unfinished(String),
    /// A fault before it has not ended.
    Open(OpenFault),
    /// What is not well cannot recover from anything.
    Unhealthy {
        /// What.
        what: String,
        /// Why.
        cause: String,
    },
}

impl core::error::Error for NoGo {}

impl fmt::Display for NoGo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOptedIn { environment } => write!(
                f,
                "namespace {environment} lacks the label {CHAOS_LABEL}=true: list faults in environments/{environment}.yaml under `chaos`, and deploy it"
            ),
            Self::NotEnforced { fault, cluster } => write!(
                f,
                "{fault} has no effect on {cluster}: its network policies are not enforced (`enforcesPolicies` in clusters/{cluster}.yaml)"
            ),
            Self::Paused(pause) => write!(
                f,
                "paused until {} by {}: {}",
                pause.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
                pause.by,
                pause.reason
            ),
            Self::Unreadable(cause) | Self::Unfinished(cause) => f.write_str(cause),
            Self::Open(fault) => write!(f, "{fault}"),
            Self::Unhealthy { what, cause } => {
                write!(f, "{what} is not healthy before the fault: {cause}")
            }
        }
    }
}

/// The plan of a fault, if it may be injected now.
///
/// # Errors
/// Why not.
pub fn decide(
    fault: &'static Fault,
    settings: &Settings,
    facts: &Facts,
    now: Timestamp,
) -> Result<Plan, NoGo> {
    let environment = &settings.target.environment;
    wanted(
        environment,
        facts.namespace.as_ref(),
        facts.pause.as_ref(),
        now,
    )?;
    if fault.needs_policies && !settings.enforces_policies {
        return Err(NoGo::NotEnforced {
            fault: fault.name,
            cluster: settings.target.cluster.clone(),
        });
    }
    unfinished(facts)?;
    let ledger = Ledger::read(facts.ledger.as_ref());
    if let Some(open) = ledger.in_the_way(environment) {
        return Err(NoGo::Open(open));
    }
    for (what, observation) in [("the node", &facts.node), ("the service", &facts.services)] {
        healthy(what, observation, now)?;
    }
    Ok(plan(fault, settings, facts, now))
}

/// Whether anybody wants faults now: the namespace asks for them, and nobody wants quiet.
pub(super) fn wanted(
    environment: &str,
    namespace: Option<&Namespace>,
    pause: Option<&Value>,
    now: Timestamp,
) -> Result<(), NoGo> {
    let label = namespace.and_then(|namespace| namespace.metadata.label(CHAOS_LABEL));
    if label != Some("true") {
        let environment = environment.to_string();
        return Err(NoGo::NotOptedIn { environment });
    }
    let pause = Pause::read(pause).map_err(|error| NoGo::Unreadable(error.to_string()))?;
    match pause.filter(|pause| pause.lasts(now)) {
        Some(pause) => Err(NoGo::Paused(pause)),
        None => Ok(()),
    }
}

fn unfinished(facts: &Facts) -> Result<(), NoGo> {
    let Some(live) = &facts.journal else {
        return Ok(());
    };
    let stored = Stored::read(live).map_err(|error| NoGo::Unreadable(error.to_string()))?;
    admit("fault", Some(&stored), None)
        .map(drop)
        .map_err(|unfinished| NoGo::Unfinished(unfinished.to_string()))
}

fn healthy(what: &str, observation: &Observation, now: Timestamp) -> Result<(), NoGo> {
    let wait = Wait::Renewed {
        before: Vec::new(),
        within: 0,
    };
    let cause = match wait.assess(observation, now) {
        WaitStatus::Met => return Ok(()),
        WaitStatus::Pending { cause }
        | WaitStatus::Unhealthy { cause }
        | WaitStatus::Failed { cause } => cause,
    };
    let what = what.to_string();
    Err(NoGo::Unhealthy { what, cause })
}

fn plan(fault: &'static Fault, settings: &Settings, facts: &Facts, now: Timestamp) -> Plan {
    let context = FaultContext {
        settings,
        node: &facts.node.pods,
        services: &facts.services.pods,
        now,
    };
    let act = (fault.inject)(&context);
    let hit = match fault.hits {
        Hits::Node => &facts.node.pods,
        Hits::Services => &facts.services.pods,
    };
    let before = renewed(&act, hit);
    let mut strike = Step::new(act.clone(), guard(&act, facts), Wait::None).why(fault.does);
    let target = fault.target(&settings.target);
    let mut steps = Vec::new();
    if let Some(undo) = fault.undo {
        let undo = undo(&context);
        strike = strike.undo(undo.clone());
        let seconds = u32::try_from(settings.hold.as_secs()).unwrap_or(u32::MAX);
        steps.push(strike);
        steps.push(Step::watch(target, Wait::Held { seconds }));
        steps.push(Step::new(undo, Guard::None, Wait::None));
    } else {
        steps.push(strike);
    }
    steps.push(recovers(fault, &settings.target, before));
    of(
        fault,
        &settings.target,
        steps,
        "faults disturb this environment on purpose",
    )
}

/// What takes a fault back whose runner ended in between, by name alone: nothing of what it saw is needed.
/// Where nothing is left to take back, it only waits for the target.
#[must_use]
pub fn heal(fault: &'static Fault, settings: &Settings, now: Timestamp) -> Plan {
    let context = FaultContext {
        settings,
        node: &[],
        services: &[],
        now,
    };
    let undo = fault.undo.map(|undo| undo(&context));
    let mut steps: Vec<Step> = undo
        .map(|undo| Step::new(undo, Guard::None, Wait::None))
        .into_iter()
        .collect();
    steps.push(recovers(fault, &settings.target, Vec::new()));
    of(fault, &settings.target, steps, "a fault is taken back")
}

fn of(fault: &Fault, target: &Target, steps: Vec<Step>, what: &str) -> Plan {
    Plan {
        operation: format!("fault {}", fault.name),
        target: target.clone(),
        steps,
        loses: vec![Loss::Disruption {
            what: what.to_string(),
        }],
        notes: Vec::new(),
        generated: Vec::new(),
    }
}

fn recovers(fault: &Fault, target: &Target, before: Vec<Before>) -> Step {
    let within = u32::try_from(fault.recovery().as_secs()).unwrap_or(u32::MAX);
    Step::watch(fault.target(target), Wait::Renewed { before, within })
}

/// A signal is for one incarnation of the pod. Everything else says for itself which one it means.
fn guard(act: &Effect, facts: &Facts) -> Guard {
    let pod = act.object().filter(|object| object.kind == "Pod");
    match pod.and_then(|pod| find(&facts.node.pods, &pod)) {
        Some(live) => Guard::Is {
            uid: live.metadata.uid.clone(),
        },
        None => Guard::None,
    }
}

fn find<'a>(pods: &'a [Pod], pod: &ObjectRef) -> Option<&'a Pod> {
    pods.iter().find(|live| live.metadata.name == pod.name)
}

/// The pods that are others afterwards, or have containers that are: until they are seen to be, what is seen is
/// from before the fault.
fn renewed(act: &Effect, hit: &[Pod]) -> Vec<Before> {
    let Effect::Inject { action, .. } = act else {
        return Vec::new();
    };
    let is_hit = |pod: &Pod| match action {
        FaultAction::Signal { signal, .. } => *signal == super::Signal::Kill,
        FaultAction::End { pods, .. } => pods.iter().any(|marked| marked.uid == pod.metadata.uid),
        FaultAction::Scale { .. } | FaultAction::Restart { .. } => true,
        FaultAction::Shut | FaultAction::Open => false,
    };
    hit.iter()
        .filter(|pod| is_hit(pod))
        .map(Before::from)
        .collect()
}

impl Facts {
    /// What a plan of a fault is aimed at, for the ledger: `Pod restate-0 (UID)`.
    #[must_use]
    pub fn targets(&self, plan: &Plan) -> Vec<String> {
        let Some(Effect::Inject { object, action }) = plan.steps.first().map(|step| &step.act)
        else {
            return Vec::new();
        };
        if let FaultAction::End { pods, .. } = action {
            let pods = pods.iter();
            return pods
                .map(|pod| format!("Pod {} ({})", pod.name, pod.uid))
                .collect();
        }
        let live = match object.kind.as_str() {
            "Pod" => find(&self.node.pods, object).map(|pod| pod.metadata.uid.clone()),
            "Deployment" => self.services.object.as_ref().and_then(uid),
            _ => None,
        };
        vec![match live {
            Some(uid) => format!("{object} ({uid})"),
            None => object.to_string(),
        }]
    }
}
