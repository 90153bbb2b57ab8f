//! With which database a node is stopped and started.

use super::*;
use crate::{
    gate::Incarnation,
    operations::{
        restore,
        snapshot::{Wish, take},
        wipe::{self, Copy},
    },
    plan::Guard,
};

#[test]
fn a_node_is_stopped_and_started_with_the_database_that_it_is_to_have() {
    let of = |plan: &Plan, act: &str| match step_of(plan, act).guard {
        Guard::Node { database, .. } => (database.incarnation, database.volume),
        guard => panic!("{guard:?}"),
    };
    let (stop, start) = ("stop StatefulSet restate", "start StatefulSet restate");
    let planned = || Incarnation::Is(Uid("claim-1".into()));
    let kept = || Some("pvc-1".to_string());
    let wiped = wipe::plan(&target(), &facts(), &options(), Copy::Verified).unwrap();
    assert_eq!(of(&wiped, stop), (planned(), kept()));
    // An empty one is what a wipe is for.
    assert!(matches!(step_of(&wiped, start).guard, Guard::Is { .. }));
    let restored = restore::plan(&target(), &facts(), &options(), "kept").unwrap();
    assert_eq!(of(&restored, stop), (planned(), kept()));
    assert_eq!(of(&restored, start), (Incarnation::Made, None));
    let fenced = Wish {
        fence: true,
        ..Wish::default()
    };
    let taken = take(&target(), &facts(), &options(), &fenced).unwrap();
    for act in [stop, start] {
        assert_eq!(of(&taken, act), (planned(), None), "{act}");
    }
    let mut bare = facts();
    bare.claim = None;
    bare.volume = None;
    bare.mounts.clear();
    let restored = restore::plan(&target(), &bare, &options(), "kept").unwrap();
    assert_eq!(of(&restored, stop), (Incarnation::Absent, None));
}
