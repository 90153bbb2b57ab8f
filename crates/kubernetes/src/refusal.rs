//! What kind of no the API server said to a dry run.

use kube::core::Status;
use longrun_core::operations::deploy::{Conflict, DryRun, Refusal};
use serde_json::Value;

use crate::failure::{Failure, Grant};

/// The outcome of a dry run as a fact for the planner. What may be different in a moment, and what keeps
/// every request from succeeding, is no fact about the object, and remains a failure.
pub(crate) fn dry_run(answer: Result<Value, Failure>) -> Result<DryRun, Failure> {
    let failure = match answer {
        Ok(object) => return Ok(DryRun::Accepted(object)),
        Err(failure) => failure,
    };
    match failure.status() {
        // The namespace, the kind or what a binding refers to is not there yet.
        Some(status) if status.code == 404 => Ok(DryRun::Impossible),
        // A 500 is often about the object: a webhook that judges its kind does not answer.
        Some(status) if status.code == 500 || (status.code != 401 && !failure.is_passing()) => {
            Ok(DryRun::Refused(refusal(status)))
        }
        _ => Err(failure),
    }
}

/// Sorts an answer (Kubernetes 1.36). Quotas, admission and escalation answer 403 like a missing permission;
/// unknown fields answer 400, invalid values 422.
pub(crate) fn refusal(status: &Status) -> Refusal {
    let conflicts = conflicts(status);
    if !conflicts.is_empty() {
        return Refusal::Conflict(conflicts);
    }
    if let Some(grant) = Grant::missing(status) {
        return Refusal::Forbidden {
            verb: grant.verb,
            resource: grant.resource,
            message: status.message.clone(),
        };
    }
    match status.code {
        400 | 422 => Refusal::Invalid(status.message.clone()),
        _ => Refusal::Other(status.message.clone()),
    }
}

/// The fields that other managers own, each with its manager: `conflict with "kubectl" using apps/v1`.
fn conflicts(status: &Status) -> Vec<Conflict> {
    status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| {
            let manager = cause.message.split('"').nth(1);
            Conflict {
                manager: manager.unwrap_or(&cause.message).to_owned(),
                field: cause.field.clone(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(status: &Value) -> Refusal {
        refusal(&serde_json::from_value(status.clone()).unwrap())
    }

    #[test]
    fn a_field_conflict_names_manager_and_field() {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas",
            "reason": "Conflict",
            "details": {"causes": [{
                "reason": "FieldManagerConflict",
                "message": "conflict with \"kubectl\" with subresource \"scale\" using apps/v1",
                "field": ".spec.replicas",
            }]},
            "code": 409,
        });
        assert_eq!(
            check(&status),
            Refusal::Conflict(vec![Conflict {
                manager: "kubectl".to_owned(),
                field: ".spec.replicas".to_owned(),
            }])
        );
    }

    #[test]
    fn a_missing_permission_names_the_verb() {
        let message = "deployments.apps \"verification\" is forbidden: User \"ana\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"restate\"";
        let status = json!({
            "status": "Failure", "message": message, "reason": "Forbidden",
            "details": {"name": "verification", "group": "apps", "kind": "deployments"},
            "code": 403,
        });
        assert_eq!(
            check(&status),
            Refusal::Forbidden {
                verb: "patch".to_owned(),
                resource: "deployments".to_owned(),
                message: message.to_owned(),
            }
        );
        let grant = Grant::missing(&serde_json::from_value(status).unwrap()).unwrap();
        assert_eq!(
            grant.to_string(),
            "grant it with a Role in restate that has the rule {apiGroups: [\"apps\"], resources: [\"deployments\"], verbs: [\"patch\"]}"
        );
    }

    #[test]
    fn a_permission_for_the_whole_cluster_needs_a_cluster_role() {
        let status: Status = serde_json::from_value(json!({
            "status": "Failure", "reason": "Forbidden", "code": 403,
            "message": "namespaces \"kube-system\" is forbidden: User \"ana\" cannot get resource \"namespaces\" in API group \"\" at the cluster scope",
        }))
        .unwrap();
        let grant = Grant::missing(&status).unwrap();
        assert_eq!(grant.namespace, None);
        assert!(grant.to_string().starts_with("grant it with a ClusterRole"));
    }

    #[test]
    fn a_quota_is_no_missing_permission() {
        let message = "pods \"a\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1";
        let status =
            json!({"status": "Failure", "message": message, "reason": "Forbidden", "code": 403});
        assert_eq!(check(&status), Refusal::Other(message.to_owned()));
    }

    #[test]
    fn an_unknown_field_is_invalid_like_a_wrong_value() {
        for (code, reason, message) in [
            (
                400,
                "BadRequest",
                "failed to create typed patch object: .spec.replica: field not declared in schema",
            ),
            (
                422,
                "Invalid",
                "Deployment.apps \"a\" is invalid: spec.selector: field is immutable",
            ),
        ] {
            let status =
                json!({"status": "Failure", "message": message, "reason": reason, "code": code});
            assert_eq!(check(&status), Refusal::Invalid(message.to_owned()));
        }
    }

    #[test]
    fn what_may_pass_is_no_fact_about_the_object() {
        let failure = |code: u16| Failure::Refused {
            asked: "apply Deployment a".to_owned(),
            status: Status::failure("no", "").with_code(code).boxed(),
        };
        for code in [401, 429, 503, 504] {
            assert!(dry_run(Err(failure(code))).is_err(), "{code}");
        }
        assert_eq!(dry_run(Err(failure(404))).unwrap(), DryRun::Impossible);
        assert!(matches!(
            dry_run(Err(failure(500))).unwrap(),
            DryRun::Refused(Refusal::Other(_))
        ));
    }
}
