//! `wipe` and `restore`: nothing is lost, whatever is typed, killed or deleted meanwhile.

use nix::sys::signal::Signal;

use crate::{
    database::deployed,
    house::House,
    run::{Ran, Running},
};

fn begin(house: &House, verb: &str, more: &[&str]) -> Running {
    Running::start(house.command(&house.data_arguments(verb, more)))
}

fn wipe(house: &House) -> Ran {
    let digest = house.digest("wipe", &[]);
    house.data("wipe", &["--approve", &digest])
}

fn restore(house: &House, snapshot: &str) -> Ran {
    let digest = house.digest("restore", &["-s", snapshot]);
    house.data("restore", &["-s", snapshot, "--approve", &digest])
}

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
    assert_eq!(snapshot["sourceUid"], claim);
    assert_eq!(snapshot["sourceExists"], false);

    restore(&house, &kept)
        .exits(0)
        .says(&["done"])
        .prints(&["the way back   cargo xtask restore"]);
    assert_eq!(house.fingerprint(), fingerprint);
    house.until("what slept goes on", || house.counter() == 4);
    house.is_tidy();
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
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
            .says(&["not confirmed, nothing was changed"]);
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

/// How many steps have begun, by the journal in the namespace.
fn begun(house: &House) -> usize {
    let journal = house.field("configmap/longrun-journal", "/data/journal");
    let journal: serde_json::Value =
        serde_json::from_str(journal.as_str().unwrap_or("{}")).expect("a journal");
    let entries = journal["entries"].as_array();
    entries.map_or(0, Vec::len)
}

/// Kills a run as soon as this many steps have begun; `false` when it came to its end before.
fn kill_at(house: &House, run: Running, steps: usize) -> bool {
    while begun(house) < steps {
        if run.has_ended() {
            run.end().exits(0);
            return false;
        }
    }
    run.signal(Signal::SIGKILL);
    // It may have come to its end in between.
    match run.end().code {
        None => true,
        ended => {
            assert_eq!(ended, Some(0));
            false
        }
    }
}

/// The operation is killed at every step, one after the other, and gone on with.
fn killed_at_every_step(house: &House, verb: &str, more: &[&str]) {
    let digest = house.digest(verb, more);
    let last = begun(house);
    let run = begin(house, verb, &[more, &["--approve", &digest]].concat());
    // The journal of the last operation is replaced first.
    house.until("it has begun", || {
        let now = begun(house);
        now != last && now > 0
    });
    let steps = {
        let operation = house.last_operation();
        operation["items"].as_array().expect("steps").len()
    };
    let mut kills = 0;
    let mut run = run;
    for step in begun(house)..=steps {
        if !kill_at(house, run, step) {
            println!("── {verb}: killed {kills} times over {steps} steps");
            return;
        }
        kills += 1;
        let operation = house.last_operation();
        let is_past = operation["state"]["state"] == "pastReturn";
        if !is_past && operation["state"]["state"] == "open" {
            house
                .deploy(&["--yes"])
                .exits(2)
                .says(&["is not finished", "--resume", "--abort"]);
        }
        run = begin(house, "wipe", &["--resume"]);
    }
    run.end().exits(0);
    println!("── {verb}: killed {kills} times over {steps} steps");
}

#[test]
fn killed_at_every_step_nothing_is_lost() {
    let house = deployed("kills");
    (0..3).for_each(|_| house.increment());
    let fingerprint = house.fingerprint();

    killed_at_every_step(&house, "wipe", &[]);
    assert_ne!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 0);
    house.is_tidy();
    let snapshots = house.snapshots();
    let kept = snapshots.iter().find(|one| one["purpose"] == "before-wipe");
    let kept = kept.and_then(|one| one["name"].as_str()).expect("a copy");

    killed_at_every_step(&house, "restore", &["-s", kept]);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 3);
    house.is_tidy();
}

/// Begins a wipe and kills it when a step of this object's kind is at work.
fn killed_when(house: &House, what: &str, mut holds: impl FnMut() -> bool) {
    let digest = house.digest("wipe", &[]);
    let run = begin(house, "wipe", &["--approve", &digest]);
    house.until(what, || holds() || run.has_ended());
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end().code, None);
}

#[test]
fn until_the_deletion_everything_can_be_taken_back_and_afterwards_a_deployment_cures() {
    let house = deployed("abort");
    house.increment();
    let (claim, fingerprint) = (house.claim(), house.fingerprint());

    killed_when(&house, "the node is stopped", || {
        house.field("statefulset/restate", "/spec/replicas") == 0
    });
    house
        .data("wipe", &[])
        .exits(2)
        .says(&["is not finished", "wipe -n", "--abort"]);
    house.data("status", &[]).exits(0).prints(&[
        "NOT FINISHED   a wipe",
        "nothing is lost yet",
        "--status",
    ]);
    house
        .data("wipe", &["--abort"])
        .exits(0)
        .says(&["everything is taken back"]);
    house.until("the node runs", || {
        house.field("statefulset/restate", "/status/readyReplicas") == 1
    });
    assert_eq!(house.claim(), claim);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 1);
    let volume = house.field("pvc/storage-restate-0", "/spec/volumeName");
    let volume = format!("pv/{}", volume.as_str().expect("bound"));
    let policy = house.field(&volume, "/spec/persistentVolumeReclaimPolicy");
    assert_eq!(policy, "Delete");
    house
        .data("wipe", &["--resume"])
        .exits(2)
        .says(&["was taken back", "nothing to resume"]);

    // The kept copy is deleted from under it: then the claim stays.
    killed_when(&house, "the copy is compared", || {
        house
            .kubectl(&["get", "jobs", "--output", "name"])
            .contains("-check")
    });
    for snapshot in house.snapshots() {
        let name = snapshot["name"].as_str().expect("a name");
        if snapshot["purpose"] == "before-wipe" {
            house.kubectl(&["delete", "volumesnapshot", name]);
        }
    }
    house
        .data("wipe", &["--resume"])
        .exits(3)
        .says(&["everything is as it was"]);
    assert_eq!(house.claim(), claim);
    assert_eq!(house.counter(), 1);

    // Beyond the deletion only forward: a deployment is let in, and closes it.
    killed_when(&house, "the claim is gone", || house.claim() != claim);
    house
        .data("wipe", &["--abort"])
        .exits(2)
        .says(&["cannot be taken back"]);
    house.deploy(&["--yes"]).exits(0);
    assert_eq!(house.counter(), 0);
    assert_eq!(house.last_operation()["state"]["state"], "superseded");
    house.is_tidy();
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
}

#[test]
fn one_wipe_at_a_time() {
    let house = deployed("two-wipes");
    let digest = house.digest("wipe", &[]);
    let first = begin(&house, "wipe", &["--approve", &digest]);
    house.until("the first is at work", || {
        let holder = house.field("lease/longrun", "/spec/holderIdentity");
        holder
            .as_str()
            .is_some_and(|holder| holder.contains(" wipe "))
    });
    let second = house.data("wipe", &["--approve", &digest]).exits(2);
    assert!(
        second.stderr.contains("is at work in") || second.stderr.contains("nothing was changed"),
        "{second}"
    );
    first.end().exits(0);
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let house = deployed("not");
    let claim = house.claim();
    let refused = |verb: &str, more: &[&str], says: &[&str]| {
        house.data(verb, more).exits(2).says(says);
    };
    refused(
        "restore",
        &["-s", "nope"],
        &["there is no VolumeSnapshot nope"],
    );
    refused(
        "snapshot",
        &["--name", "Not_a_name"],
        &["is not a name", "nothing was changed"],
    );
    house.data("snapshot", &["--name", "one", "--yes"]).exits(0);
    refused(
        "snapshot",
        &["--name", "one", "--yes"],
        &["there is a VolumeSnapshot one already"],
    );
    house
        .run(&["snapshot", "delete", "two", "-n", &house.name])
        .exits(2)
        .says(&["there is no VolumeSnapshot two", "there are: one"]);
    house
        .data("wipe", &["--status"])
        .exits(2)
        .says(&["no wipe, restore or fenced snapshot has been begun"]);

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
        "the deletionPolicy of VolumeSnapshotClass longrun-delete is Delete, and has to be Retain";
    refused("wipe", &[], &["nothing was changed", says]);
    house.write(&file, &text);
    assert_eq!(house.claim(), claim);
}

/// Makes the copies of this environment's wipes with a class that goes wrong.
fn with_class(house: &House, parameters: &str) {
    let class = format!("{}-retain", house.name);
    house
        .try_kubectl(&["delete", "volumesnapshotclass", &class])
        .ok();
    house.apply(
        &format!(
            r#"{{"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
            "metadata": {{"name": "{class}"}}, "driver": "csi.longrun.dev", "deletionPolicy": "Retain",
            "parameters": {parameters}}}"#
        ),
        &[],
    );
    let file = format!("clusters/{}.yaml", crate::setting::setting().cluster);
    let text = std::fs::read_to_string(house.path(&file)).expect("the cluster's file");
    if !text.contains(&class) {
        let classes = format!("storage:\n  snapshotClasses: {{retain: {class}}}\n");
        house.write(&file, &text.replace("storage:\n", &classes));
    }
}

#[test]
fn a_wipe_waits_for_slow_storage_and_believes_no_empty_copy() {
    let house = deployed("storage");
    house.increment();
    let (claim, fingerprint) = (house.claim(), house.fingerprint());
    let unchanged = || {
        assert_eq!(house.claim(), claim);
        assert_eq!(house.fingerprint(), fingerprint);
        assert_eq!(house.counter(), 1);
        house.is_tidy();
    };

    with_class(&house, r#"{"content": "empty"}"#);
    wipe(&house).exits(3).says(&["everything is as it was"]);
    unchanged();

    for (fault, says) in [
        (r#"{"ready": "never"}"#, "the storage has not finished it"),
        (
            r#"{"fail": "internal"}"#,
            "the snapshot controller retries after",
        ),
    ] {
        with_class(&house, fault);
        let digest = house.digest("wipe", &[]);
        let run = begin(&house, "wipe", &["--approve", &digest]);
        run.hears(says);
        run.signal(Signal::SIGINT);
        run.end().exits(3).says(&["everything is as it was"]);
        unchanged();
        // It would hold the claim's deletion: it has to be deleted by name.
        let snapshots = house.snapshots();
        let hanging = snapshots.iter().find(|one| one["ready"] == false);
        let hanging = hanging
            .and_then(|one| one["name"].as_str())
            .expect("it is listed");
        house
            .data("wipe", &[])
            .exits(2)
            .says(&[hanging, "not ready", "delete it by name"]);
        with_class(&house, "{}");
        let delete = ["snapshot", "delete", hanging, "-n", &house.name];
        let digest = house
            .run(&[&delete[..], &["--dry-run"]].concat())
            .exits(0)
            .stdout;
        let digest = digest.trim().rsplit(' ').next().expect("a digest");
        house
            .run(&[&delete[..], &["--approve", digest]].concat())
            .exits(0);
    }

    with_class(
        &house,
        r#"{"fail": "unavailable", "failTimes": "2", "readyAfter": "5s"}"#,
    );
    wipe(&house).exits(0);
    assert_ne!(house.claim(), claim);
    assert_eq!(house.counter(), 0);
    house.is_tidy();
    let class = format!("{}-retain", house.name);
    house.kubectl(&["delete", "volumesnapshotclass", &class]);
}
