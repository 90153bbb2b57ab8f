//! Jobs that read volumes.

use super::*;
use crate::cluster::Finding;

#[test]
fn a_check_that_failed_says_what_its_program_said() {
    let failed = json!({"status": {"conditions": [{"type": "Failed", "status": "True",
        "reason": "BackoffLimitExceeded"}]}});
    let ended = |code: i64, message: &str| {
        let state = json!({"terminated": {"exitCode": code, "message": message}});
        let mut pod = pod("check", "", BEGAN, &json!({"state": state}));
        pod["status"]["containerStatuses"] = json!([
            // What a mesh injects, in the first place, and is killed with the pod.
            {"name": "istio-proxy", "state": {"terminated": {"exitCode": 143}}},
            {"name": "compare", "state": state}
        ]);
        pod
    };
    let observations = [
        with(&failed, vec![ended(1, "entry 3 differs\n")], vec![]),
        with(&failed, vec![ended(0, "all is well")], vec![]),
        with(&failed, vec![ended(1, "")], vec![]),
    ];
    assert_snapshot!(check(&Wait::Verified, &observations), @r#"
    never: entry 3 differs (BackoffLimitExceeded)
    never: BackoffLimitExceeded
    never: BackoffLimitExceeded
    "#);
    let found = |codes: &[i64]| {
        let pods = codes.iter().map(|code| ended(*code, ""));
        Wait::Verified.finding(&with(&failed, pods.collect(), vec![]))
    };
    assert_eq!(found(&[1, 3]), Some(Finding::Empty), "the last one counts");
    for other in [&[3, 1][..], &[2], &[0], &[]] {
        assert_eq!(found(other), None, "{other:?}");
    }
    let empty = with(&failed, vec![ended(3, "")], vec![]);
    assert_eq!(Wait::Complete.finding(&empty), None, "it reads no snapshot");
}
