//! What the recorder gathers, again and again: the Jobs, and one of them with all that is around it. What compares
//! it with others is left to those who read it, since comparing means reading every other log.

use std::collections::BTreeMap;

use longrun_core::{
    cluster,
    known::Known,
    plan::Target,
    triage::{Evidence, FORMAT, Job, Twin, minute, watched_events, watched_pods},
};

use super::{asked, case};
use crate::{client::Client, failure::Failure};

/// The test Jobs that are there.
///
/// # Errors
/// When the API server does not say.
pub async fn test_jobs(client: &Client, environment: &str) -> Result<Vec<Job>, Failure> {
    let jobs = client.views::<cluster::Job>(environment, "").await?;
    let tests = jobs.iter().map(Job::from);
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
    let jobs = client.views::<cluster::Job>(environment, "").await?;
    let Some(found) = jobs.iter().find(|found| found.metadata.uid == job.uid) else {
        return Ok(None);
    };
    let (pods, events, faults) = tokio::join!(
        client.views(environment, ""),
        client.views(environment, ""),
        super::ledger(client, environment),
    );
    let pods = asked(pods);
    let found = case(client, found, &pods).await;
    let elsewhere = || Known::Unknown("the recorder does not compare".to_owned());
    Ok(Some(Evidence {
        format: FORMAT,
        at: client.now(),
        target: target.clone(),
        case: found,
        others: elsewhere(),
        twins: Vec::new(),
        pods: match &pods {
            Known::Value(pods) => Known::Value(watched_pods(pods)),
            Known::Unknown(why) => Known::Unknown(why.clone()),
        },
        events: asked(events.map(|events| watched_events(&events, &job.name))),
        faults,
        invocations: Known::Unknown("the node was not asked".to_owned()),
        counters: Known::Unknown("the node was not asked".to_owned()),
        links: BTreeMap::new(),
    }))
}
