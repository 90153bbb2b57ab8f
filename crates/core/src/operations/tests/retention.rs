//! What retention may never take, whatever the policy and however the snapshots came to be.

use alloc::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::operations::snapshot::{
    Choice, Fate, Listed, Policy, Purpose, Verification, choose, prune,
};

fn listed() -> impl Strategy<Value = Listed> {
    let purpose = prop_oneof![
        3 => Just(Some(Purpose::Manual)),
        1 => Just(Some(Purpose::Upgrade)),
        1 => Just(Some(Purpose::Temporary)),
        1 => Just(Some(Purpose::BeforeWipe)),
        1 => Just(Some(Purpose::BeforeRestore)),
        1 => Just(Some(Purpose::Failure)),
        1 => Just(None),
    ];
    let seldom = || prop::bool::weighted(0.15);
    (
        purpose,
        0..40_i64,
        prop::bool::weighted(0.8),
        seldom(),
        seldom(),
        seldom(),
        0..3_u8,
        seldom(),
    )
        .prop_map(
            |(purpose, days, ready, going, kept, used, source, empty)| Listed {
                name: String::new(),
                uid: Uid(String::new()),
                created: Some(now() - SignedDuration::from_hours(24 * days)),
                ready,
                going,
                error: None,
                size: None,
                purpose,
                consistency: None,
                kept,
                source: None,
                source_uid: (source > 0).then(|| Uid(format!("claim-{source}"))),
                // An incarnation that is there is there for all of them.
                source_exists: source == 1,
                handle: None,
                policy: None,
                used_by: used.then(|| "something".into()),
                verification: if empty {
                    Verification::Empty
                } else {
                    Verification::Unread
                },
            },
        )
}

fn many() -> impl Strategy<Value = Vec<Listed>> {
    vec(listed(), 0..12).prop_map(|mut many| {
        for (index, listed) in many.iter_mut().enumerate() {
            listed.name = format!("s{index}");
        }
        many
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    (0..5_usize, 0..30_i64).prop_map(|(keep_last, days)| Policy {
        keep_last,
        older_than: SignedDuration::from_hours(24 * days),
    })
}

/// Those that stay.
fn stay<'a>(choice: &Choice, listed: &'a [Listed]) -> Vec<&'a Listed> {
    let stays = |listed: &&Listed| !choice.goes(&listed.name);
    listed.iter().filter(stays).collect()
}

proptest! {
    #[test]
    fn what_is_precious_stays(listed in many(), policy in policy()) {
        let choice = choose(&policy, &listed, now());
        for listed in listed.iter().filter(|listed| choice.goes(&listed.name)) {
            prop_assert!(listed.ready && !listed.going && !listed.kept);
            prop_assert!(listed.used_by.is_none());
            let is_empty = listed.verification == Verification::Empty;
            let is_failure = listed.purpose == Some(Purpose::Failure);
            prop_assert!(listed.purpose.is_some() && (is_empty || !is_failure));
            let guarded = [Purpose::BeforeWipe, Purpose::BeforeRestore];
            let guards = listed.purpose.is_some_and(|purpose| guarded.contains(&purpose));
            prop_assert!(!guards || is_empty || listed.source_exists, "what it guarded is gone");
            prop_assert!(now().duration_since(listed.created.unwrap()) > policy.older_than);
        }
    }

    #[test]
    fn the_last_ready_one_of_a_claim_stays(listed in many(), policy in policy()) {
        let choice = choose(&policy, &listed, now());
        let ready = |all: &[&Listed], source: &Option<Uid>| all
            .iter()
            .filter(|listed| listed.ready && !listed.going && listed.source_uid == *source)
            .filter(|listed| listed.verification != Verification::Empty)
            .count();
        let before: Vec<&Listed> = listed.iter().collect();
        let after = stay(&choice, &listed);
        for source in listed.iter().map(|listed| &listed.source_uid) {
            let wanted = ready(&before, source).min(policy.keep_last.max(1));
            prop_assert!(ready(&after, source) >= wanted);
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(listed in many(), policy in policy()) {
        let fates = |listed: &[Listed]| -> BTreeMap<String, Fate> {
            choose(&policy, listed, now()).0.into_iter().collect()
        };
        let mut reversed = listed.clone();
        reversed.reverse();
        prop_assert_eq!(fates(&listed), fates(&reversed));
    }

    #[test]
    fn doing_it_twice_is_doing_it_once(listed in many(), policy in policy()) {
        let choice = choose(&policy, &listed, now());
        let left: Vec<Listed> = stay(&choice, &listed).into_iter().cloned().collect();
        let again = choose(&policy, &left, now());
        prop_assert!(again.0.iter().all(|(_, fate)| *fate != Fate::Goes));
    }
}

#[test]
fn what_an_aborted_wipe_left_goes_as_long_as_its_database_lives_on() {
    let mut many = facts();
    for day in 1..=3 {
        let created = format!("2025-12-0{day}T10:00:00Z");
        let (snapshot, content) = taken(&format!("aborted-{day}"), &created, "before-wipe");
        many.snapshots.as_mut().unwrap().push(snapshot);
        many.contents.push(content);
    }
    let policy = Policy {
        keep_last: 1,
        older_than: SignedDuration::from_hours(24),
    };
    let fates = |facts: &Facts| {
        let (choice, _) = prune(&target(), facts, &policy, now()).unwrap();
        let fates = choice.0.iter();
        fates
            .map(|(name, fate)| format!("{name}: {fate:?}"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_snapshot!(fates(&many), @r#"
    kept: Newest
    aborted-3: Goes
    aborted-2: Goes
    aborted-1: Goes
    "#);
    // The claim is on its way out: they are the way back.
    many.claims[0]["metadata"]["deletionTimestamp"] = json!("2026-01-05T09:00:00Z");
    assert_snapshot!(fates(&many), @r#"
    kept: Newest
    aborted-3: Guards { purpose: BeforeWipe }
    aborted-2: Guards { purpose: BeforeWipe }
    aborted-1: Guards { purpose: BeforeWipe }
    "#);
}

#[test]
fn a_plan_of_a_policy_frees_what_is_stored() {
    let mut many = facts();
    let dates = ["2025-12-01", "2025-12-02", "2025-12-03"];
    for (index, date) in dates.iter().enumerate() {
        let (snapshot, content) = taken(
            &format!("old-{index}"),
            &format!("{date}T10:00:00Z"),
            "manual",
        );
        many.snapshots.as_mut().unwrap().push(snapshot);
        many.contents.push(content);
    }
    // Of the usual class.
    let oldest = many
        .contents
        .iter_mut()
        .find(|content| content["metadata"]["name"] == "content-old-0");
    oldest.unwrap()["spec"]["deletionPolicy"] = json!("Delete");
    let policy = Policy {
        keep_last: 2,
        older_than: SignedDuration::from_hours(24 * 14),
    };
    let (choice, plan) = prune(&target(), &many, &policy, now()).unwrap();
    let fates: Vec<String> = choice
        .0
        .iter()
        .map(|(name, fate)| format!("{name}: {fate:?}"))
        .collect();
    assert_snapshot!(fates.join("\n"), @r#"
    kept: Newest
    old-2: Newest
    old-1: Goes
    old-0: Goes
    "#);
    assert_snapshot!(story(Ok(plan.clone())), @r#"
    delete VolumeSnapshot old-0 until Gone; may fail
    no longer keep the data of VolumeSnapshotContent content-old-1; undo: keep the data of VolumeSnapshotContent content-old-1
    delete VolumeSnapshot old-1 until Gone
    ! Snapshot { name: "old-1" }
    ! Snapshot { name: "old-0" }
    "#);
    let demand = crate::approval::Ask::new(plan).demand();
    assert_snapshot!(format!("{demand:?}"), @r#"
    Phrase("delete 2 snapshots")
    "#);
}
