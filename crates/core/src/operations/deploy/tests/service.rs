//! A changed service: no test meets two versions, and a person's suspension is left alone.

use super::*;
use crate::names::OPERATIONS_MANAGER;

#[test]
fn a_changed_service_meets_no_running_test() {
    assert_snapshot!(check(&Cluster::with_new_service().facts), @r#"
    suspend CronJob test
    wait for CronJob test until drained
    update Deployment verification
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Deployment verification until rolledOut
    delete Job discover until gone
    create Job discover
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Job discover until complete
    update CronJob test
        spec.jobTemplate.spec.template.spec.containers[service].image: "service:1" → "service:2"
    resume CronJob test
    wait for CronJob test until firstSuccess
    ! the pods of Deployment verification restart
    ! Job discover is replaced
    "#);
}

#[test]
fn the_tests_are_updated_as_the_plan_itself_suspended_them() {
    let mut cluster = Cluster::with_new_service();
    let plan = planned(&cluster.facts);
    let update = |step: &&crate::plan::Step| matches!(&step.act, Effect::Update { object, .. } if object["kind"] == "CronJob");
    let guard = &plan.steps.iter().find(update).unwrap().guard;
    let live = cluster.live("CronJob");
    live["spec"]["suspend"] = json!(true);
    let expected = Guard::Unchanged {
        uid: uid(live).unwrap(),
        intent: crate::object::Digest::of(&intent(live)),
    };
    assert_eq!(*guard, expected);
}

#[test]
fn tests_that_an_interrupted_deployment_left_suspended_are_resumed() {
    let mut cluster = Cluster::up_to_date();
    cluster.suspend(OPERATIONS_MANAGER);
    assert_snapshot!(check(&cluster.facts), @r#"
    delete Job discover until gone
    create Job discover
    wait for Job discover until complete
    resume CronJob test
    wait for CronJob test until firstSuccess
    ! Job discover is replaced
    "#);
}

#[test]
fn an_interrupted_roll_goes_on_without_suspending_again() {
    let mut cluster = Cluster::with_new_service();
    cluster.suspend(OPERATIONS_MANAGER);
    let plan = check(&cluster.facts);
    assert!(!plan.contains("suspend CronJob"), "{plan}");
    assert!(
        plan.contains("wait for CronJob test until drained"),
        "{plan}"
    );
    assert!(plan.contains("resume CronJob test"), "{plan}");
}

#[test]
fn tests_that_a_person_suspended_stay_so() {
    let mut cluster = Cluster::with_new_service();
    cluster.suspend("kubectl-patch");
    assert_snapshot!(check(&cluster.facts), @r#"
    wait for CronJob test until drained
    update Deployment verification
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Deployment verification until rolledOut
    delete Job discover until gone
    create Job discover
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Job discover until complete
    update CronJob test
        spec.jobTemplate.spec.template.spec.containers[service].image: "service:1" → "service:2"
    ! the pods of Deployment verification restart
    ! Job discover is replaced
    # the tests stay suspended, as kubectl-patch left them; to resume them: kubectl -n restate patch cronjob test --type merge -p '{"spec":{"suspend":false}}'
    "#);
}

#[test]
fn a_persons_suspension_counts_beside_ours() {
    let mut cluster = Cluster::up_to_date();
    cluster.suspend(OPERATIONS_MANAGER);
    let fields = &mut cluster.live("CronJob")["metadata"]["managedFields"];
    fields.as_array_mut().unwrap().push(
        json!({"manager": "argo", "operation": "Apply", "fieldsV1": {"f:spec": {"f:suspend": {}}}}),
    );
    assert!(!planned(&cluster.facts).changes());
}

#[test]
fn a_service_that_rolls_is_registered_again_whatever_its_job_says() {
    let mut cluster = Cluster::up_to_date();
    let pod = &mut cluster.of("Deployment").desired["spec"]["template"]["spec"];
    pod["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
    cluster.dry_run();
    assert_snapshot!(check(&cluster.facts), @r#"
    suspend CronJob test
    wait for CronJob test until drained
    update Deployment verification
        spec.template.spec.containers[service].env: (none) → [{"name":"A","value":"1"}]
    wait for Deployment verification until rolledOut
    delete Job discover until gone
    create Job discover
    wait for Job discover until complete
    resume CronJob test
    wait for CronJob test until firstSuccess
    ! the pods of Deployment verification restart
    ! Job discover is replaced
    "#);
}

#[test]
fn what_is_open_may_be_given_up_when_it_was_said_so() {
    let facts = Cluster::with_new_service().facts;
    let mut options = options();
    options.drain = false;
    let plan = plan(target(), &facts, &options).unwrap();
    let drains = |step: &crate::plan::Step| step.until == crate::wait::Wait::Drained;
    assert!(!plan.steps.iter().any(drains));
    assert_eq!(plan.steps[0].act.to_string(), "suspend CronJob test");
    let loss = format!("{:?}", plan.loses);
    assert!(loss.contains("meet two versions of the service"), "{loss}");
    assert_ne!(plan.digest(), planned(&facts).digest());
}
