//! `wipe` and `restore`: nothing is lost, whatever is typed, killed or deleted meanwhile.

use crate::{database::deployed, run::Running};

/// The snapshot that an operation kept, by its document.
fn kept(document: &serde_json::Value) -> String {
    let kept = document["snapshot"].as_str();
    kept.expect("the document names the kept snapshot")
        .to_owned()
}

#[test]
fn what_a_wipe_takes_away_a_restore_brings_back() {
    let house = deployed("round-trip");
    (0..3).for_each(|_| house.increment());
    let (claim, fingerprint) = (house.claim(), house.fingerprint());
    // It sleeps while the database is away, and goes on afterwards.
    house.increment_in(45);

    let digest = house.digest("wipe", &[]);
    let wiped = house
        .data("wipe", &["--approve", &digest, "--output", "json"])
        .exits(0)
        .document();
    assert_eq!(wiped["state"]["state"], "done", "{wiped}");
    assert_ne!(house.claim(), claim);
    assert_ne!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 0, "it is empty");
    house.is_tidy();
    let kept = kept(&wiped);
    let snapshots = house.snapshots();
    let snapshot = snapshots.iter().find(|one| one["name"] == *kept);
    let snapshot = snapshot.expect("it is listed");
    assert_eq!(snapshot["purpose"], "before-wipe");
    assert_eq!(snapshot["consistency"], "fenced");
    assert_eq!(snapshot["ready"], true);
    assert_eq!(snapshot["verification"], "verified");
    assert_eq!(wiped["kept"]["standing"], "verified");
    assert_eq!(snapshot["sourceUid"], claim);
    assert_eq!(snapshot["sourceExists"], false);

    house
        .restore(&kept)
        .exits(0)
        .says(&["done"])
        .prints(&["the way back   cargo xtask restore"]);
    assert_eq!(house.fingerprint(), fingerprint);
    house.until("what slept goes on", || house.counter() == 4);
    house.is_tidy();
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);

    // What is deleted meanwhile is no way back any more.
    let last = house.last_operation();
    let name = last["kept"]["name"]
        .as_str()
        .expect("what was there before");
    house.kubectl(&["delete", "volumesnapshot", name]);
    let status = house.operation("status", &[]).exits(0);
    let status = status.prints(&[&format!("DELETED:      VolumeSnapshot {name}")]);
    assert!(!status.stdout.contains("kept:"), "{status}");
}

#[test]
fn nothing_but_cluster_and_environment_is_consent() {
    let house = deployed("consent");
    let claim = house.claim();
    let phrase = {
        let mut prompt =
            Running::start_at_terminal(&house.command(&house.data_arguments("wipe", &[])));
        prompt.hears("To do this, type ");
        prompt.types("\n");
        let ran = prompt.end().exits(2).says(&["nothing was changed"]);
        let (_, after) = ran
            .stderr
            .split_once("To do this, type ")
            .expect("a phrase");
        after.split_once(": ").expect("a question").0.to_owned()
    };
    let (cluster, environment) = phrase.split_once('/').expect("cluster/environment");
    assert_eq!(environment, house.name);
    let near_misses = [
        "y".to_owned(),
        "yes".to_owned(),
        environment.to_owned(),
        cluster.to_owned(),
        format!("{phrase} "),
        format!(" {phrase}"),
        format!("{phrase}."),
        format!("{phrase}/"),
        format!("/{phrase}"),
        phrase.to_uppercase(),
        phrase.replace('/', " "),
        phrase.replace('/', "\\"),
        phrase.replace('/', "//"),
        format!("dev/{environment}"),
        format!("{cluster}/restate"),
        format!("{phrase}{phrase}"),
        format!("\"{phrase}\""),
        phrase[..phrase.len() - 1].to_owned(),
        phrase.replace('-', "_"),
        format!("{environment}/{cluster}"),
    ];
    for near_miss in near_misses {
        let mut prompt =
            Running::start_at_terminal(&house.command(&house.data_arguments("wipe", &[])));
        prompt.hears("To do this, type ");
        prompt.types(&format!("{near_miss}\n"));
        prompt
            .end()
            .exits(2)
            .says(&["not confirmed; nothing was changed"]);
    }
    // The end of the input, also after the whole phrase.
    for keys in ["\x04", &format!("{phrase}\x04\x04")] {
        let mut prompt =
            Running::start_at_terminal(&house.command(&house.data_arguments("wipe", &[])));
        prompt.hears("To do this, type ");
        prompt.types(keys);
        prompt.end().exits(2).says(&["nothing was changed"]);
    }
    // A pipe: neither a yes nor another digest.
    for answer in [&["--yes"][..], &["--approve", "000000000000"], &[]] {
        house
            .data("wipe", answer)
            .exits(2)
            .says(&["nothing was changed"]);
    }
    let mut in_ci = house.command(&house.data_arguments("wipe", &["--yes"]));
    in_ci.env("CI", "true");
    Running::start(in_ci).end().exits(2).says(&["--approve "]);
    assert_eq!(house.claim(), claim);
    assert!(house.snapshots().is_empty());

    // What somebody else does while the question is open makes it another question.
    let mut prompt = Running::start_at_terminal(&house.command(&house.data_arguments("wipe", &[])));
    prompt.hears("To do this, type ");
    let suspend = r#"{"spec":{"suspend":true}}"#;
    house.kubectl(&["patch", "cronjob/test", "--type=merge", "--patch", suspend]);
    prompt.types(&format!("{phrase}\n"));
    prompt.end().exits(2).says(&[
        "the cluster changed while the plan waited",
        "nothing was changed",
    ]);
    assert_eq!(house.claim(), claim);

    // Tests that a person suspended stay so, and one Job checks.
    let mut prompt = Running::start_at_terminal(&house.command(&house.data_arguments("wipe", &[])));
    prompt.hears("To do this, type ");
    prompt.types(&format!("{phrase}\n"));
    prompt.end().exits(0).says(&["one Job checks at the end"]);
    assert_ne!(house.claim(), claim);
    assert_eq!(house.field("cronjob/test", "/spec/suspend"), true);
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let house = deployed("not");
    let claim = house.claim();
    let refused = |verb: &str, more: &[&str], says: &[&str]| {
        house.data(verb, more).exits(2).says(says);
    };
    refused("restore", &["-s", "nope"], &["has no VolumeSnapshot nope"]);
    refused(
        "snapshot",
        &["--name", "Not_a_name"],
        &["is not a name", "nothing was changed"],
    );
    house.data("snapshot", &["--name", "one", "--yes"]).exits(0);
    refused(
        "snapshot",
        &["--name", "one", "--yes"],
        &["VolumeSnapshot one already exists"],
    );
    house
        .run(&["snapshot", "delete", "two", "-n", &house.name])
        .exits(2)
        .says(&["has no VolumeSnapshot two", "there are: one"]);
    house
        .operation("status", &[])
        .exits(2)
        .says(&["has had no wipe, restore or fenced snapshot"]);

    // A pod that would go on writing.
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"}, "spec": {
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "image": "none", "securityContext": {"allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}}, "volumeMounts": [{"name": "d", "mountPath": "/d"}]}],
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "storage-restate-0"}}]}}"#;
    house.apply(pod, &[]);
    refused("wipe", &[], &["is mounted by stranger"]);
    house.kubectl(&["delete", "pod", "stranger"]);

    // A class that is not what the cluster's file says.
    let file = format!("clusters/{}.yaml", crate::setting::setting().cluster);
    let text = std::fs::read_to_string(house.path(&file)).expect("the cluster's file");
    let classes = "  snapshotClasses: {retain: longrun-delete, delete: longrun-retain}\n";
    let other = text.replace("storage:\n", &format!("storage:\n{classes}"));
    assert_ne!(text, other);
    house.write(&file, &other);
    let says =
        "the deletionPolicy of VolumeSnapshotClass longrun-delete is Delete, expected Retain";
    refused("wipe", &[], &["nothing was changed", says]);
    house.write(&file, &text);
    assert_eq!(house.claim(), claim);
}
