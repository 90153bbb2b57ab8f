//! What the recorder gathers, again and again: the Jobs, and one of them with all that is around it. What compares
//! it with others is left to those who read it, since comparing means reading every other log.

use std::collections::BTreeMap;

use longrun_core::{
    known::Known,
    plan::Target,
    triage::{Evidence, FORMAT, Job, Twin, minute},
};

use super::{asked, case, read};
use crate::{client::Client, failure::Failure, resource::Collection};

/// The test Jobs that are there.
///
/// # Errors
/// When the API server does not say.
pub async fn test_jobs(client: &Client, environment: &str) -> Result<Vec<Job>, Failure> {
    let jobs = Collection::in_namespace("batch/v1", "Job", environment);
    let jobs = client.list(&jobs, "").await?;
    let tests = jobs.iter().filter_map(read::job);
    Ok(tests.filter(|job| minute(&job.name).is_ok()).collect())
}

/// The Job of the same name in another environment.
pub async fn twin(client: &Client, environment: &str, job: &str) -> Twin {
    super::twin_of(client, environment, job).await
}

/// All that is known of one test Job but what the node knows, and without what it can be compared with. Nothing
/// when this incarnation of it is not there (any more).
///
/// # Errors
/// When the API server does not say whether the Job is there.
pub async fn evidence_alone(
    client: &Client,
    target: &Target,
    job: &Job,
) -> Result<Option<Evidence>, Failure> {
    let environment = target.environment.as_str();
    let jobs = Collection::in_namespace("batch/v1", "Job", environment);
    let jobs = client.list(&jobs, "").await?;
    let is_it =
        |object: &&serde_json::Value| read::job(object).is_some_and(|found| found.uid == job.uid);
    let Some(found) = jobs.iter().find(is_it) else {
        return Ok(None);
    };
    let list = |kind: &str| Collection::in_namespace("v1", kind, environment);
    let (pods, events) = (list("Pod"), list("Event"));
    let (pods, events, faults) = tokio::join!(
        client.list(&pods, ""),
        client.list(&events, ""),
        super::ledger(client, environment),
    );
    let pods = asked(pods);
    let Some(found) = case(client, found, &pods).await else {
        return Ok(None);
    };
    let elsewhere = || Known::Unknown("the recorder does not compare".to_owned());
    Ok(Some(Evidence {
        format: FORMAT,
        at: client.now(),
        target: target.clone(),
        case: found,
        others: elsewhere(),
        twins: Vec::new(),
        pods: match &pods {
            Known::Value(pods) => Known::Value(read::pods(pods)),
            Known::Unknown(why) => Known::Unknown(why.clone()),
        },
        events: asked(events.map(|events| read::events(&events, &job.name))),
        faults,
        invocations: Known::Unknown("the node was not asked".to_owned()),
        counters: Known::Unknown("the node was not asked".to_owned()),
        links: BTreeMap::new(),
    }))
}
