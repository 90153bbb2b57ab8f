//! What a test's Job says that it ran. A Job keeps that for as long as Kubernetes keeps the Job, whatever
//! the environment's file has become since.

use longrun_core::object::ObjectRef;
use serde_json::Value;

use crate::{client::Client, failure::Failure, status::text};

/// How the template has the name of the Job put into the id of the program.
const NAME: &str = "$(TEST_JOB)";

/// The id of the program that a test's Job ran; `None` when there is no such Job, or it names no program.
///
/// # Errors
/// When the API server does not say.
pub async fn stamped(
    client: &Client,
    environment: &str,
    job: &str,
) -> Result<Option<String>, Failure> {
    let found = client
        .get(&ObjectRef::namespaced("batch/v1", "Job", environment, job))
        .await?;
    Ok(found.as_ref().and_then(stamp))
}

/// The id of the program that a test's Job ran, if it names one.
pub(crate) fn stamp(job: &Value) -> Option<String> {
    let name = text(job, "/metadata/name")?;
    let program = text(job, "/spec/template/spec/containers/0/args/0")?;
    program.contains(NAME).then(|| program.replace(NAME, name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(arguments: &Value) -> Value {
        json!({
            "metadata": {"name": "test-28114121"},
            "spec": {"template": {"spec": {"containers": [{"args": arguments}]}}},
        })
    }

    #[test]
    fn a_tests_job_names_its_program() {
        let of_test = job(&json!([
            "v1-s300-all-$(TEST_JOB)",
            "--ingress=http://restate:8080"
        ]));
        let program = Some("v1-s300-all-test-28114121".to_owned());
        assert_eq!(stamp(&of_test), program);
    }

    #[test]
    fn another_job_names_none() {
        for arguments in [json!([]), json!(null), json!(["discover", "--wait=2m"])] {
            assert_eq!(stamp(&job(&arguments)), None);
        }
    }
}
