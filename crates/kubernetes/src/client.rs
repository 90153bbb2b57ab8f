//! A client of one cluster that has been recognised, and the few requests that are ever made.

use std::time::Duration;

use futures::{StreamExt as _, stream::BoxStream};
use http::{Request, header::CONTENT_TYPE, request::Builder};
use jiff::Timestamp;
use kube::core::WatchEvent;
use longrun_core::{
    object::{ObjectRef, Uid},
    plan::Propagation,
};
use serde_json::{Value, json};

use crate::{
    failure::{Failure, asked},
    resource::{Collection, encode, path},
    transport::Transport,
};

/// How long an answer may take. Admission webhooks have up to 30 s (Kubernetes 1.36:
/// `webhooks[].timeoutSeconds`).
const READ_PATIENCE: Duration = Duration::from_secs(10);
const WRITE_PATIENCE: Duration = Duration::from_secs(35);

/// How many requests are under way at a time.
pub(crate) const IN_FLIGHT: usize = 16;

/// How often a request is sent again that the API server put off (429) without looking at it.
const PUT_OFF: u32 = 5;

/// A client of a cluster that has proven to be the expected one. Only [`crate::connect`] makes it.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    server: String,
    kube_system: Uid,
}

/// How an object is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Apply<'a> {
    pub(crate) manager: &'a str,
    pub(crate) force: bool,
    pub(crate) dry_run: bool,
}

impl Client {
    pub(crate) fn recognised(transport: Transport, server: String, kube_system: Uid) -> Self {
        Self {
            transport,
            server,
            kube_system,
        }
    }

    /// The UID of the namespace `kube-system`, which is the identity of the cluster.
    #[must_use]
    pub fn kube_system(&self) -> &Uid {
        &self.kube_system
    }

    /// The present time by the API server's clock: the one to compare with times in objects.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.transport.clock.now()
    }

    /// The API server's address, for the reader.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// One object; `None` when it, its namespace or its kind does not exist.
    pub(crate) async fn get(&self, object: &ObjectRef) -> Result<Option<Value>, Failure> {
        let answer = self
            .read(&asked("read", object), &path(object), READ_PATIENCE)
            .await;
        match answer {
            Ok(text) => Ok(Some(parse("read", object, &text)?)),
            Err(failure) if failure.code() == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// All objects of a collection that the query selects; none where the kind is not served.
    pub(crate) async fn list(
        &self,
        collection: &Collection,
        query: &str,
    ) -> Result<Vec<Value>, Failure> {
        self.list_served(collection, query)
            .await
            .map(Option::unwrap_or_default)
    }

    /// The same, and `None` where the kind is not served.
    pub(crate) async fn list_served(
        &self,
        collection: &Collection,
        query: &str,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let list = self.list_version(collection, query).await?;
        Ok(list.map(|(items, _)| items))
    }

    /// The same, with the version of the list.
    pub(crate) async fn list_version(
        &self,
        collection: &Collection,
        query: &str,
    ) -> Result<Option<(Vec<Value>, Option<String>)>, Failure> {
        let asked = match &collection.namespace {
            Some(namespace) => format!("list {} objects in {namespace}", collection.kind),
            None => format!("list {} objects", collection.kind),
        };
        let uri = format!("{}?{query}", collection.path());
        let text = match self.read(&asked, &uri, READ_PATIENCE).await {
            Ok(text) => text,
            Err(failure) if failure.code() == 404 => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let unreadable = |cause: &str| Failure::Unreadable {
            asked: asked.clone(),
            cause: cause.to_owned(),
        };
        let mut list: Value =
            serde_json::from_str(&text).map_err(|error| unreadable(&error.to_string()))?;
        let version = list.pointer("/metadata/resourceVersion");
        let version = version.and_then(Value::as_str).map(str::to_owned);
        let Some(Value::Array(mut items)) = list.get_mut("items").map(Value::take) else {
            return Err(unreadable("it has no items"));
        };
        // The items of a list do not say what they are.
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.insert("apiVersion".into(), collection.api_version.clone().into());
            item.insert("kind".into(), collection.kind.clone().into());
        }
        Ok(Some((items, version)))
    }

    /// Server-side apply.
    pub(crate) async fn apply(&self, object: &Value, how: Apply<'_>) -> Result<Value, Failure> {
        let reference = ObjectRef::of(object).ok_or_else(|| Failure::Unreadable {
            asked: "apply an object".to_owned(),
            cause: "it has no apiVersion, kind or name".to_owned(),
        })?;
        let uri = format!(
            "{}?fieldManager={}&fieldValidation=Strict&force={}{}",
            path(&reference),
            how.manager,
            how.force,
            if how.dry_run { "&dryRun=All" } else { "" },
        );
        let request = Request::patch(uri).header(CONTENT_TYPE, "application/apply-patch+yaml");
        let text = self
            .send(
                &asked("apply", &reference),
                request,
                object.to_string(),
                WRITE_PATIENCE,
            )
            .await?;
        parse("apply", &reference, &text)
    }

    /// Creates an object; refused with 409 when it exists.
    pub(crate) async fn create(&self, object: &Value, manager: &str) -> Result<Value, Failure> {
        self.write("create", Request::post, object, manager).await
    }

    /// Replaces an object; refused with 409 when it is not of the given resource version any more.
    pub(crate) async fn replace(&self, object: &Value, manager: &str) -> Result<Value, Failure> {
        self.write("update", Request::put, object, manager).await
    }

    /// Writes an object over exactly what was read: creates it where nothing was, and otherwise replaces that
    /// incarnation at that version. Refused with 409, or 404, when somebody was there in between.
    pub(crate) async fn write_over(
        &self,
        read: Option<&Value>,
        mut object: Value,
        manager: &str,
    ) -> Result<Value, Failure> {
        let Some(read) = read else {
            return self.create(&object, manager).await;
        };
        for field in ["uid", "resourceVersion"] {
            object["metadata"][field] = read["metadata"][field].clone();
        }
        self.replace(&object, manager).await
    }

    async fn write(
        &self,
        verb: &str,
        method: fn(String) -> Builder,
        object: &Value,
        manager: &str,
    ) -> Result<Value, Failure> {
        let reference = ObjectRef::of(object).ok_or_else(|| Failure::Unreadable {
            asked: format!("{verb} an object"),
            cause: "it has no apiVersion, kind or name".to_owned(),
        })?;
        let place = if verb == "create" {
            Collection::of(&reference).path()
        } else {
            path(&reference)
        };
        let request = method(format!("{place}?fieldManager={manager}"))
            .header(CONTENT_TYPE, "application/json");
        let text = self
            .send(
                &asked(verb, &reference),
                request,
                object.to_string(),
                READ_PATIENCE,
            )
            .await?;
        parse(verb, &reference, &text)
    }

    /// Deletes one incarnation of an object, at this version where one is given; refused with 409 when it is another.
    pub(crate) async fn delete(
        &self,
        object: &ObjectRef,
        uid: &Uid,
        version: Option<&str>,
        propagation: Propagation,
    ) -> Result<(), Failure> {
        let policy = match propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": version},
            "propagationPolicy": policy,
        });
        let request = Request::delete(path(object)).header(CONTENT_TYPE, "application/json");
        self.send(
            &asked("delete", object),
            request,
            options.to_string(),
            WRITE_PATIENCE,
        )
        .await
        .map(|_| ())
    }

    /// Deletes one incarnation of a pod, which has so many seconds to stop, or those that it asks for.
    pub(crate) async fn end(
        &self,
        pod: &ObjectRef,
        uid: &Uid,
        grace: Option<u32>,
    ) -> Result<(), Failure> {
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
        });
        if let Some(seconds) = grace {
            options["gracePeriodSeconds"] = seconds.into();
        }
        let request = Request::delete(path(pod)).header(CONTENT_TYPE, "application/json");
        let asked = asked("delete", pod);
        self.send(&asked, request, options.to_string(), WRITE_PATIENCE)
            .await
            .map(|_| ())
    }

    /// Changes some fields of an object (JSON Merge Patch, RFC 7386). Unlike an apply it gives up nothing that the
    /// same manager wrote before.
    pub(crate) async fn merge(
        &self,
        object: &ObjectRef,
        patch: &Value,
        manager: &str,
    ) -> Result<Value, Failure> {
        let uri = format!("{}?fieldManager={manager}", path(object));
        let request = Request::patch(uri).header(CONTENT_TYPE, "application/merge-patch+json");
        let asked = asked("patch", object);
        let text = self
            .send(&asked, request, patch.to_string(), WRITE_PATIENCE)
            .await?;
        parse("patch", object, &text)
    }

    /// What the API server says to a `SelfSubjectAccessReview`.
    pub(crate) async fn may(&self, review: &Value) -> Result<bool, Failure> {
        let asked = "ask what this user may do";
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        let text = self
            .send(asked, request, review.to_string(), READ_PATIENCE)
            .await?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| Failure::Unreadable {
            asked: asked.to_owned(),
            cause: error.to_string(),
        })?;
        Ok(answer.pointer("/status/allowed") == Some(&Value::Bool(true)))
    }

    /// The text at a path: a log, or what a pod serves.
    pub(crate) async fn read(
        &self,
        asked: &str,
        uri: &str,
        patience: Duration,
    ) -> Result<String, Failure> {
        self.send(asked, Request::get(uri), String::new(), patience)
            .await
    }

    /// The answer of something behind the API server to a request that changes nothing there.
    pub(crate) async fn ask(
        &self,
        asked: &str,
        request: Builder,
        body: String,
        patience: Duration,
    ) -> Result<String, Failure> {
        self.send(asked, request, body, patience).await
    }

    /// One item for each change of what the query selects, until the connection ends. What exists already
    /// counts as a change, so that none is missed between a look and the watch.
    pub(crate) async fn changes(
        &self,
        collection: &Collection,
        query: &str,
    ) -> Result<BoxStream<'static, ()>, Failure> {
        let events = self.watch(collection, query).await?;
        Ok(events
            .take_while(|event| futures::future::ready(event.is_ok()))
            .map(|_| ())
            .boxed())
    }

    /// The events of a watch, until the connection ends.
    pub(crate) async fn watch(
        &self,
        collection: &Collection,
        query: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent<Value>, Failure>>, Failure> {
        let asked = format!("watch {} objects", collection.kind);
        let uri = format!("{}?watch=true&{query}", collection.path());
        let request = self.request(&asked, Request::get(uri), String::new())?;
        let events = self.transport.kube.request_events::<Value>(request);
        let server = self.server.clone();
        let events = tokio::time::timeout(READ_PATIENCE, events)
            .await
            .map_err(|_| Failure::late(asked.clone(), &server, READ_PATIENCE.as_secs()))?
            .map_err(|error| Failure::of(asked.clone(), &server, error))?;
        Ok(events
            .map(move |event| event.map_err(|error| Failure::of(asked.clone(), &server, error)))
            .boxed())
    }

    /// A client whose requests can become streams.
    pub(crate) fn upgradable(&self, asked: &str) -> Result<kube::Client, Failure> {
        self.transport
            .upgradable()
            .map_err(|error| Failure::of(asked, &self.server, error))
    }

    fn request(
        &self,
        asked: &str,
        request: Builder,
        body: String,
    ) -> Result<Request<Vec<u8>>, Failure> {
        request
            .body(body.into_bytes())
            .map_err(|error| Failure::Unreadable {
                asked: asked.to_owned(),
                cause: format!("no request can be made of it: {error}"),
            })
    }

    async fn send(
        &self,
        asked: &str,
        request: Builder,
        body: String,
        patience: Duration,
    ) -> Result<String, Failure> {
        let request = self.request(asked, request, body)?;
        let mut put_off = 0;
        loop {
            let answer = self.transport.kube.request_text(request.clone());
            let failure = match tokio::time::timeout(patience, answer).await {
                Ok(Ok(text)) => return Ok(text),
                Ok(Err(error)) => Failure::of(asked, &self.server, error),
                Err(_) => Failure::late(asked, &self.server, patience.as_secs()),
            };
            if failure.code() != 429 || put_off == PUT_OFF {
                return Err(failure);
            }
            put_off += 1;
            let seconds = failure
                .status()
                .and_then(|status| status.details.as_ref())
                .map_or(1, |details| details.retry_after_seconds.clamp(1, 10));
            tokio::time::sleep(Duration::from_secs(seconds.into())).await;
        }
    }
}

/// The query that selects one object by name.
pub(crate) fn named(name: &str) -> String {
    format!("fieldSelector=metadata.name%3D{}", encode(name))
}

fn parse(verb: &str, object: &ObjectRef, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Unreadable {
        asked: asked(verb, object),
        cause: error.to_string(),
    })
}
