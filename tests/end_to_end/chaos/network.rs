//! The fault that works by NetworkPolicies, which the embedded cluster enforces.

use serde_json::Value;

use super::with_faults;
use crate::{database::deployed, house::House};

impl House {
    /// Whether the node's pod can open a connection to a service's.
    fn node_reaches_service(&self) -> bool {
        let select = "app.kubernetes.io/component=verification";
        let service = self.kubectl(&[
            "get",
            "pods",
            "-l",
            select,
            "--output",
            "jsonpath={.items[0].status.podIP}",
        ]);
        self.reaches("restate-0", &format!("{service}/9080"))
    }

    /// Whether a connection can be opened from this pod to this address and port.
    fn reaches(&self, pod: &str, place: &str) -> bool {
        let open = format!("timeout 3 bash -c 'exec 3<> /dev/tcp/{place}'");
        self.try_kubectl(&["exec", pod, "--", "bash", "-c", &open])
            .is_ok()
    }

    /// Open invocations, as the observer counts them.
    fn open_invocations(&self) -> Option<u64> {
        let name = &self.name;
        let place = format!("/api/v1/namespaces/{name}/pods/restate-0:9091/proxy/invocations");
        let summary = self.try_kubectl(&["get", "--raw", &place]).ok()?;
        let summary: Value = serde_json::from_str(&summary).ok()?;
        summary["open"].as_u64()
    }
}

#[test]
fn a_cut_between_node_and_services_holds_up_what_is_open_and_loses_nothing() {
    let house = with_faults("cut", "cut-network");
    let suspend = r#"{"spec":{"suspend":true}}"#;
    house.kubectl(&["patch", "cronjob/test", "--type=merge", "--patch", suspend]);
    house.until("no test runs", || {
        let active = house.field("cronjob/test", "/status/active");
        active.is_null() && house.open_invocations() == Some(0)
    });
    // The connection that the node keeps is cut, too.
    house.increment();
    assert!(house.node_reaches_service());

    let run = house.begin_chaos(&["trigger", "cut-network", "--yes"]);
    house.is_injected();
    house.until("the network is cut", || !house.node_reaches_service());
    house.increment_in(0);
    house.until("an invocation waits for its service", || {
        house.open_invocations() == Some(1)
    });
    run.end().exits(0);
    assert_eq!(house.last_fault()["outcome"], "recovered");
    assert!(house.node_reaches_service());
    house.until("nothing is open", || house.open_invocations() == Some(0));
    assert_eq!(house.counter(), 2);

    // Where it would cut nothing, it is not tried.
    let file = format!("clusters/{}.yaml", crate::setting::setting().cluster);
    let text = std::fs::read_to_string(house.path(&file)).expect("the cluster's file");
    house.write(&file, &format!("{text}enforcesPolicies: false\n"));
    house
        .chaos(&["trigger", "cut-network", "--yes"])
        .exits(2)
        .says(&["network policies are not enforced"]);
}

/// Which doors there are is tested on the rendered policies, all of them; here, that they are doors in a wall.
#[test]
fn who_has_no_door_does_not_come_in() {
    let house = deployed("doors");
    let pod = |component: &str| {
        let is_one =
            |pod: &Value| pod["metadata"]["labels"]["app.kubernetes.io/component"] == component;
        let pod = house.list("pods").into_iter().find(is_one).expect("a pod");
        let field = |pointer: &str| {
            pod.pointer(pointer)
                .and_then(Value::as_str)
                .expect("a text")
                .to_owned()
        };
        (field("/metadata/name"), field("/status/podIP"))
    };
    let ((recorder, _), (service, address), (node, node_address)) =
        (pod("recorder"), pod("verification"), pod("restate"));
    for (from, place, reached) in [
        (&recorder, format!("{node_address}/9070"), true),
        (&recorder, format!("{node_address}/8080"), false),
        (&recorder, format!("{node_address}/5122"), false),
        (&recorder, format!("{address}/9080"), false),
        (&service, "127.0.0.1/9080".to_owned(), true),
        (&service, format!("{node_address}/9070"), false),
        (&node, format!("{address}/9080"), true),
    ] {
        assert_eq!(house.reaches(from, &place), reached, "{from} to {place}");
    }
}
