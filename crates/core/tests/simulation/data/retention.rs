//! Retention, at any moment beside everything else: it takes nothing that anybody needs.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use longrun_core::{
    approval::{Ask, Demand},
    names::CLAIM,
    object::uid,
    operations::snapshot::{self, Listed, Policy, Purpose},
    plan::{Effect, Step},
};

use super::program::Program;
use crate::{
    driver::{End, Stage as _, drive},
    world::{is_going, reference, text},
};

/// Lets go whatever a policy can let go.
const STRICT: Policy = Policy {
    keep_last: 1,
    older_than: SignedDuration::ZERO,
};

impl Program {
    /// Somebody prunes.
    pub(super) fn prune(&mut self) -> End {
        self.world.tell("--- prune");
        let before = snapshot::list(&self.world.data_facts());
        let needed = self.needed();
        let writes = self.world.writes;
        let end = self.prune_as_planned();
        // They are not those of the command that is at work.
        self.world.writes = writes;
        self.world.tell(&format!("{end:?}"));
        if !self.meddled {
            self.check_what_stays(&before, &needed);
        }
        end
    }

    fn prune_as_planned(&mut self) -> End {
        let facts = self.world.data_facts();
        let planned = snapshot::prune(&Self::target(), &facts, &STRICT, self.now());
        let plan = match planned {
            Ok((_, plan)) if plan.is_empty() => return End::NothingToDo,
            Ok((_, plan)) => plan,
            Err(refusals) => return End::Refused(refusals.to_string()),
        };
        let ask = Ask::new(plan);
        let answer = match ask.demand() {
            Demand::Yes => "y".to_owned(),
            Demand::Phrase(phrase) => phrase,
        };
        match ask.typed(&answer) {
            Ok(approved) => drive(self, approved, false),
            Err(refused) => End::Refused(refused.to_string()),
        }
    }

    /// What an operation that is not finished has taken, or puts into the place of the database.
    fn needed(&self) -> BTreeSet<String> {
        let stored = self.world.stored();
        let unfinished = stored.filter(|stored| stored.journal.state().is_unfinished());
        let steps = unfinished.map(|stored| stored.journal.plan().steps.iter());
        let name = |step: &Step| match &step.act {
            Effect::Snapshot { object, .. } => Some(text(object, "/metadata/name").to_owned()),
            Effect::Create { object } => Some(text(object, "/spec/dataSource/name").to_owned()),
            _ => None,
        };
        steps.into_iter().flatten().filter_map(name).collect()
    }

    fn check_what_stays(&mut self, before: &[Listed], needed: &BTreeSet<String>) {
        let after = snapshot::list(&self.world.data_facts());
        let stays: BTreeSet<&str> = after
            .iter()
            .filter(|one| !one.going)
            .map(|one| one.name.as_str())
            .collect();
        // What guarded a database that is gone is the way back to it.
        let claim = self
            .world
            .objects
            .get(&reference("PersistentVolumeClaim", CLAIM));
        let present = claim.filter(|claim| !is_going(claim)).and_then(uid);
        let guards = |one: &Listed| match one.purpose {
            Some(Purpose::BeforeWipe | Purpose::BeforeRestore) => one.source_uid != present,
            Some(Purpose::Failure) => true,
            _ => false,
        };
        let mut wrong = Vec::new();
        for one in before.iter().filter(|one| !one.going) {
            let is_needed = needed.contains(&one.name) || guards(one);
            if is_needed && !stays.contains(one.name.as_str()) {
                wrong.push(format!("{} is pruned and was needed", one.name));
            }
            let of_claim = |other: &&Listed| other.ready && other.source_uid == one.source_uid;
            let left = after.iter().filter(of_claim).any(|other| !other.going);
            if one.ready && one.source_uid.is_some() && !left {
                wrong.push(format!("nothing is left of the claim of {}", one.name));
            }
        }
        for wrong in wrong {
            self.world.violate(wrong);
        }
    }
}
