//! Which pods had a claim, with those that are gone: the API server remembers for a while what happened to objects, and
//! tells it to whoever watches from a version on. A comparison may take longer than that while.

use std::time::Duration;

use futures::TryStreamExt as _;
use kube::core::WatchEvent;
use longrun_core::cluster::{Pod, View as _};
use serde_json::Value;

use crate::{
    client::Client,
    clock::Moment,
    failure::Failure,
    owned_objects::mounting,
    resource::{Collection, encode},
    views::read,
};

/// How long a watch may take to arrive at a version that is past already. A bookmark comes two seconds before the end
/// (Kubernetes 1.36: `cacheWatcher.nextBookmarkTime`), and none where it would be at once.
const SECONDS: u64 = 3;

/// How often the history is read while it is needed. The API server remembers at least 75 s, and further back only
/// where little happens (Kubernetes 1.36: `eventFreshDuration`).
const EVERY: Duration = Duration::from_secs(20);

/// The pods of a namespace at a version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pods {
    pub(crate) pods: Vec<Pod>,
    pub(crate) version: Option<String>,
}

/// What became of the pods of a namespace since it was first asked for. Lost with the process: then the API server's own
/// memory is all there is.
#[derive(Debug, Default)]
pub(crate) struct PodHistory(Option<Followed>);

#[derive(Debug)]
struct Followed {
    from: u64,
    to: String,
    read: Moment,
    changes: Vec<Change>,
}

/// A pod as it was made, changed or last seen.
#[derive(Clone, Debug)]
struct Change {
    version: Option<u64>,
    pod: Pod,
}

impl PodHistory {
    /// Remembers what happened since the last call, unless that was just now. A failure is made good by the next call,
    /// as long as the API server remembers.
    pub(crate) async fn follow(&mut self, client: &Client, namespace: &str) {
        let followed = self.0.as_ref();
        if followed.is_some_and(|followed| followed.read.at_least_ago() < EVERY) {
            return;
        }
        if let Ok(pods) = client.pods(namespace).await {
            self.arrive(client, namespace, &pods).await;
        }
    }

    async fn arrive(&mut self, client: &Client, namespace: &str, now: &Pods) {
        let Some(to) = &now.version else { return };
        let changes = match &self.0 {
            Some(followed) => client.pod_changes(namespace, &followed.to, now).await,
            None => Ok(None),
        };
        match (changes, &mut self.0) {
            (Ok(Some(changes)), Some(followed)) => {
                followed.changes.extend(changes);
                followed.to.clone_from(to);
                followed.read = Moment::now();
            }
            (Ok(_), _) => {
                self.0 = number(to).map(|from| Followed {
                    from,
                    to: to.clone(),
                    read: Moment::now(),
                    changes: Vec::new(),
                });
            }
            (Err(_), _) => {}
        }
    }

    /// Every pod that has named the claim as a volume between two lists of this namespace's pods, also those that were
    /// gone before the second; `None` when nobody remembers the first.
    pub(crate) async fn visitors(
        &self,
        client: &Client,
        namespace: &str,
        claim: &str,
        since: &str,
        now: &Pods,
    ) -> Result<Option<Vec<Pod>>, Failure> {
        let first = number(since);
        let followed = self
            .0
            .as_ref()
            .filter(|followed| first >= Some(followed.from) && first <= number(&followed.to));
        let from = followed.map_or(since, |followed| &followed.to);
        let Some(later) = client.pod_changes(namespace, from, now).await? else {
            return Ok(None);
        };
        let remembered = followed.into_iter().flat_map(|followed| &followed.changes);
        let pods: Vec<Pod> = remembered
            .filter(|change| change.version.is_none() || change.version > first)
            .chain(&later)
            .map(|change| change.pod.clone())
            .collect();
        Ok(Some(mounting(&pods, claim)))
    }
}

impl Client {
    pub(crate) async fn pods(&self, namespace: &str) -> Result<Pods, Failure> {
        let list = self.list_version(&collection(namespace), "").await?;
        let (pods, version) = list.unwrap_or_default();
        Ok(Pods {
            pods: read(&pods)?,
            version,
        })
    }

    /// What became of the pods between two lists; `None` when the API server does not remember the first.
    async fn pod_changes(
        &self,
        namespace: &str,
        from: &str,
        to: &Pods,
    ) -> Result<Option<Vec<Change>>, Failure> {
        let Some(to) = to.version.as_deref().and_then(number) else {
            return Ok(None);
        };
        let query = format!(
            "allowWatchBookmarks=true&timeoutSeconds={SECONDS}&resourceVersion={}",
            encode(from)
        );
        // Too old (410): as an answer, or as the first event.
        let mut events = match self.watch(&collection(namespace), &query).await {
            Err(failure) if failure.code() == 410 => return Ok(None),
            events => events?,
        };
        let mut seen = Vec::new();
        while let Some(event) = events.try_next().await? {
            let version = match event {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) | WatchEvent::Deleted(pod) => {
                    let version = pod.pointer("/metadata/resourceVersion");
                    let version = version.and_then(Value::as_str).and_then(number);
                    let pod = Pod::read(&pod)?;
                    seen.push(Change { version, pod });
                    version
                }
                WatchEvent::Bookmark(bookmark) => number(&bookmark.metadata.resource_version),
                WatchEvent::Error(_) => return Ok(None),
            };
            // Versions are numbers that grow (Kubernetes 1.35), and events come in their order.
            if version.is_some_and(|version| version >= to) {
                return Ok(Some(seen));
            }
        }
        // It ended before it had said all.
        let asked = format!("read what became of the pods of {namespace}");
        Err(Failure::late(asked, self.server(), SECONDS))
    }
}

fn collection(namespace: &str) -> Collection {
    Collection::in_namespace(Pod::API_VERSION, Pod::KIND, namespace)
}

fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::{Fate, Server};

    /// The names of the pods that had the claim between the versions 7 and 9, by what the API server says to that.
    async fn had(events: &[Value]) -> Result<Option<Vec<String>>, String> {
        let server = Server::new();
        server.remembers(events);
        let pods = visitors(&PodHistory::default(), &server, "7", &at("9")).await;
        let pods = pods.map_err(|failure| failure.to_string())?;
        let name = |pod: Pod| pod.metadata.name;
        Ok(pods.map(|pods| pods.into_iter().map(name).collect()))
    }

    fn at(version: &str) -> Pods {
        Pods {
            version: Some(version.into()),
            ..Pods::default()
        }
    }

    async fn visitors(
        history: &PodHistory,
        server: &Server,
        since: &str,
        now: &Pods,
    ) -> Result<Option<Vec<Pod>>, Failure> {
        let client = server.client();
        history
            .visitors(&client, "restate", "storage", since, now)
            .await
    }

    fn event(kind: &str, name: &str, claim: &str, version: &str) -> Value {
        json!({"type": kind, "object": {
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z",
                "resourceVersion": version},
            "spec": {"containers": [], "volumes": [{"persistentVolumeClaim": {"claimName": claim}}]}}})
    }

    fn bookmark(version: &str) -> Value {
        json!({"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"resourceVersion": version}}})
    }

    #[tokio::test]
    async fn a_pod_that_is_gone_again_is_known_from_the_history() {
        for kind in ["ADDED", "MODIFIED", "DELETED"] {
            let event = |claim| event(kind, "debug", claim, "8");
            let visited = had(&[event("storage"), bookmark("9")]).await.unwrap();
            assert_eq!(visited.unwrap(), ["debug"], "{kind}");
            let other = had(&[event("other"), bookmark("9")]).await.unwrap();
            assert_eq!(other.unwrap(), [""; 0], "{kind}");
        }
    }

    #[tokio::test]
    async fn the_history_is_known_when_it_has_arrived_at_the_present() {
        let debug = event("ADDED", "debug", "storage", "8");
        let later = event("ADDED", "test-1", "", "10");
        assert_eq!(
            had(&[debug.clone(), later]).await.unwrap().unwrap(),
            ["debug"]
        );
        for short in [vec![], vec![debug.clone()], vec![debug, bookmark("8")]] {
            let cut = had(&short).await.unwrap_err();
            assert!(cut.contains("what became of the pods of restate"), "{cut}");
        }
    }

    #[tokio::test]
    async fn what_the_api_server_does_not_remember_is_not_nothing() {
        let expired = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "too old resource version: 7 (99)", "reason": "Expired", "code": 410});
        let error = json!({"type": "ERROR", "object": expired});
        assert_eq!(had(&[error, bookmark("9")]).await, Ok(None));
        assert!(had(&[json!({"unreadable": true})]).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_that_the_version_is_too_old_is_no_failure() {
        let server = Server::new();
        server.goes_wrong(|_, _, _| Fate::Refused(410));
        let pods = visitors(&PodHistory::default(), &server, "7", &at("9")).await;
        assert!(pods.unwrap().is_none());
    }

    /// What is known at version 7, on a server where a pod came and went afterwards.
    async fn followed() -> (Server, PodHistory) {
        let server = Server::new();
        let events = [
            event("ADDED", "debug", "storage", "8"),
            bookmark("9"),
            bookmark("12"),
        ];
        server.remembers(&events);
        let mut history = PodHistory::default();
        history.arrive(&server.client(), "restate", &at("7")).await;
        (server, history)
    }

    #[tokio::test]
    async fn what_was_read_while_a_comparison_ran_need_not_be_remembered_by_the_api_server() {
        let (server, mut history) = followed().await;
        history.arrive(&server.client(), "restate", &at("9")).await;
        // What it says from 9 on; of 7 it knows nothing any more.
        server.remembers(&[bookmark("12")]);
        let had = async |since| {
            let pods = visitors(&history, &server, since, &at("12")).await.unwrap();
            pods.unwrap()
                .into_iter()
                .map(|pod| pod.metadata.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(had("7").await, ["debug"]);
        assert_eq!(had("8").await, [""; 0], "it came before");
    }

    #[tokio::test]
    async fn a_gap_in_what_was_read_is_not_nothing() {
        let (server, mut history) = followed().await;
        server.goes_wrong(|_, _, _| Fate::Refused(410));
        history.arrive(&server.client(), "restate", &at("9")).await;
        let pods = visitors(&history, &server, "7", &at("12")).await;
        assert!(pods.unwrap().is_none());
        let known_from = history.0.map(|followed| followed.from);
        assert_eq!(known_from, Some(9), "nothing is known of what was before");
    }

    #[tokio::test]
    async fn a_failure_is_made_good_while_the_api_server_remembers() {
        let (server, mut history) = followed().await;
        server.goes_wrong(|_, _, _| Fate::Refused(500));
        history.arrive(&server.client(), "restate", &at("9")).await;
        server.goes_wrong(|_, _, _| Fate::Served);
        let pods = visitors(&history, &server, "7", &at("9")).await.unwrap();
        assert_eq!(pods.unwrap()[0].metadata.name, "debug");
    }
}
