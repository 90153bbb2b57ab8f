//! Which pods had a claim, with those that are gone: the API server remembers for a while what happened to objects, and
//! tells it to whoever watches from a version on.

use futures::TryStreamExt as _;
use kube::core::WatchEvent;
use longrun_core::cluster::{Pod, View as _};
use serde_json::Value;

use crate::{
    client::Client,
    failure::Failure,
    owned_objects::mounting,
    resource::{Collection, encode},
    views::read,
};

/// How long a watch may take to arrive at a version that is past already. A bookmark comes two seconds before the end
/// (Kubernetes 1.36: `cacheWatcher.nextBookmarkTime`), and none where it would be at once.
const SECONDS: u64 = 3;

/// The pods of a namespace at a version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pods {
    pub(crate) pods: Vec<Pod>,
    pub(crate) version: Option<String>,
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

    /// Every pod that has named the claim as a volume between two lists of this namespace's pods, also those that were
    /// gone before the second; `None` when the API server does not remember the first.
    pub(crate) async fn visitors(
        &self,
        namespace: &str,
        claim: &str,
        from: &str,
        to: &Pods,
    ) -> Result<Option<Vec<Pod>>, Failure> {
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
                    seen.push(pod);
                    version
                }
                WatchEvent::Bookmark(bookmark) => number(&bookmark.metadata.resource_version),
                WatchEvent::Error(_) => return Ok(None),
            };
            // Versions are numbers that grow (Kubernetes 1.35), and events come in their order.
            if version.is_some_and(|version| version >= to) {
                return Ok(Some(mounting(&read(&seen)?, claim)));
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
        let now = Pods {
            version: Some("9".into()),
            ..Pods::default()
        };
        let client = server.client();
        let pods = client.visitors("restate", "storage", "7", &now).await;
        let pods = pods.map_err(|failure| failure.to_string())?;
        let name = |pod: Pod| pod.metadata.name;
        Ok(pods.map(|pods| pods.into_iter().map(name).collect()))
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
        let now = Pods {
            version: Some("9".into()),
            ..Pods::default()
        };
        let client = server.client();
        let pods = client.visitors("restate", "storage", "7", &now).await;
        assert!(pods.unwrap().is_none());
    }
}
