//! Real clusters, on this machine: what `up` and `down` promise.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use longrun_embedded::Error;

use crate::place::{self, Place, eventually, running, silent};
use crate::trace::Trace;

#[test]
fn two_clusters_live_side_by_side_and_leave_nothing() {
    let place = Place::new("life");
    let before = Trace::of_machine();
    let (first, second) = (place.cluster("one"), place.cluster("two"));
    // What this machine uses its ports for is not in the way.
    let _taken = TcpListener::bind("0.0.0.0:6443");

    let up = first.up(&silent).unwrap();
    assert!(up.started);
    assert_eq!(place::mode(&up.kubeconfig), 0o600);

    let start = Instant::now();
    let again = first.up(&silent).unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert!(!again.started);
    assert_eq!(again.kube_system_uid, up.kube_system_uid);

    let other = second.up(&silent).unwrap();
    assert_ne!(other.kube_system_uid, up.kube_system_uid);
    assert_ne!(running(&first).address, running(&second).address);

    place.kubectl(
        &up,
        &["create", "configmap", "kept", "--from-literal=what=data"],
    );
    place
        .try_kubectl(&other, &["get", "configmap", "kept"])
        .unwrap_err();
    place.apply(&up, place::DISK);
    place.apply(&up, &place::pod_with_volume("database", ""));
    place.await_pod(&up, "database");

    assert!(first.down(false, &silent).unwrap());
    assert!(!first.down(false, &silent).unwrap());
    assert!(first.status().unwrap().running.is_none());
    assert!(!second.up(&silent).unwrap().started);

    let back = first.up(&silent).unwrap();
    assert_eq!(back.kube_system_uid, up.kube_system_uid);
    place.kubectl(&back, &["get", "configmap", "kept"]);
    place.await_pod(&back, "database");

    first.down(true, &silent).unwrap();
    second.down(true, &silent).unwrap();
    assert!(!first.status().unwrap().state.exists());
    assert!(!up.kubeconfig.exists());
    before.assert_same(&Trace::of_machine(), &place);
}

#[test]
fn a_network_that_another_cluster_has_taken_meanwhile_stays_its_own() {
    let place = Place::new("taken");
    let (first, second) = (place.cluster("one"), place.cluster("two"));
    first.up(&silent).unwrap();
    let before = running(&first).address;
    first.down(false, &silent).unwrap();
    let taken = second.up(&silent).unwrap();
    assert_eq!(running(&second).address, before);

    let up = first.up(&silent).unwrap();
    place.kubectl(&taken, &["get", "nodes"]);
    place.kubectl(&up, &["get", "nodes"]);
    assert_ne!(running(&first).address, before);
    first.down(true, &silent).unwrap();
    place.kubectl(&taken, &["get", "nodes"]);
}

#[test]
fn only_the_clusters_own_certificates_open_it() {
    let place = Place::new("doors");
    let (cluster, stranger) = (place.cluster("one"), place.cluster("two"));
    let up = cluster.up(&silent).unwrap();
    stranger.up(&silent).unwrap();
    stranger.down(false, &silent).unwrap();

    let address = running(&cluster).address;
    let keys = place.state("two").join("pki");
    let key = |file: &str| keys.join(file).display().to_string();
    // No component looks at a name and a password, but kubectl wants something.
    let nobody = ["--username=a", "--password=b"].map(String::from);
    let somebody = [
        format!("--client-certificate={}", key("admin.crt")),
        format!("--client-key={}", key("admin.key")),
    ];
    for (port, path) in [(6443, "/version"), (6443, "/api"), (10250, "/pods")] {
        for who in [&nobody[..], &somebody] {
            let answer = place.knock(&format!("https://{address}:{port}"), path, who);
            let error = answer.unwrap_err();
            assert!(
                error.contains("You must be logged in"),
                "{port}{path}: {error}"
            );
        }
    }
    // Nor is the cluster taken for the stranger.
    let authority = format!("--certificate-authority={}", key("ca.crt"));
    let error = place
        .try_kubectl(&up, &[&authority, "get", "--raw", "/version"])
        .unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn what_crashes_is_started_again_and_shown() {
    let place = Place::new("crash");
    let before = Trace::of_machine();
    let cluster = place.cluster("one");
    let up = cluster.up(&silent).unwrap();
    let component = |name: &str| {
        let all = running(&cluster).components;
        all.into_iter()
            .find(|component| component.name == name)
            .unwrap()
    };

    for name in ["kube-scheduler", "csi-driver"] {
        let pid = component(name).pid.unwrap();
        place::kill(pid);
        eventually("restarted", || {
            let now = component(name);
            now.restarts == 1 && now.healthy && now.pid.is_some_and(|new| new != pid)
        });
        assert_eq!(component(name).last_exit.as_deref(), Some("SIGKILL"));
    }
    // They cannot go on without the driver that they were connected to.
    eventually("followed", || component("csi-provisioner").restarts == 1);
    assert!(!cluster.up(&silent).unwrap().started);

    // The whole cluster at once, as the kernel does when memory is short.
    place::kill(place::outermost(&place.state("one")));
    eventually("gone", || cluster.status().unwrap().running.is_none());
    place.try_kubectl(&up, &["get", "nodes"]).unwrap_err();
    assert!(cluster.up(&silent).unwrap().started);

    // What is left of it is removed though it does not run.
    place::kill(place::outermost(&place.state("one")));
    eventually("gone", || cluster.status().unwrap().running.is_none());
    assert!(!cluster.down(true, &silent).unwrap());
    before.assert_same(&Trace::of_machine(), &place);
}

#[test]
fn an_interrupted_start_goes_on() {
    let place = Place::new("interrupted");
    let before = Trace::of_machine();
    let cluster = place.cluster("one");
    for line in ["starting the cluster", "waiting for"] {
        let mut up = Command::new(env!("CARGO_BIN_EXE_longrun-embedded"))
            .args(["up", &place.name("one")])
            .envs(place.variables())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        place::await_line(up.stderr.take().unwrap(), line);
        up.kill().unwrap();
        up.wait().unwrap();
    }
    cluster.up(&silent).unwrap();
    cluster.down(true, &silent).unwrap();
    before.assert_same(&Trace::of_machine(), &place);
}

#[test]
fn a_component_that_keeps_failing_is_named_and_nothing_stays() {
    let place = Place::new("failing");
    let before = Trace::of_machine();
    place.replace_program("coredns", "#!/bin/sh\necho no zone today\nexit 3\n");

    let error = place.cluster("one").up(&silent).unwrap_err();
    let Error::Component {
        component,
        outcome,
        tail,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (component.as_str(), outcome.as_str()),
        ("coredns", "exit status 3")
    );
    assert!(tail.contains("no zone today"), "{tail}");

    before.assert_same(&Trace::of_machine(), &place);
    place.cluster("one").down(true, &silent).unwrap();
}
