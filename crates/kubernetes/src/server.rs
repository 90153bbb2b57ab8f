//! An API server small enough to be read, for the tests: objects by their path, and what goes wrong with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use http::{Method, Request, Response, Uri};
use kube::{Config, client::Body};
use longrun_core::object::{ObjectRef, Uid};
use serde_json::{Value, json};

use crate::{client::Client, clock::ServerClock, resource::path, transport::Transport};

/// What becomes of a request.
pub(crate) enum Fate {
    /// It is served.
    Served,
    /// It is served, and somebody else has just written this object.
    Overtaken(Value),
    /// It is answered with this code.
    Refused(u16),
    /// It is never answered.
    Silence,
}

/// Decides about a request: its method, its path, how many came before it.
type Rule = Box<dyn Fn(&Method, &str, usize) -> Fate + Send>;

#[derive(Clone)]
pub(crate) struct Server(Arc<Mutex<State>>);

struct State {
    objects: BTreeMap<String, Value>,
    /// Method and path of every write that was done.
    writes: Vec<String>,
    requests: usize,
    /// The events that a watch is told, one a line.
    history: String,
    rule: Rule,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            objects: BTreeMap::new(),
            writes: Vec::new(),
            requests: 0,
            history: "{}".to_owned(),
            rule: Box::new(|_, _, _| Fate::Served),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request| server.clone().serve(request));
        let kube = kube::Client::new(service, "default");
        let transport = Transport {
            kube,
            clock: ServerClock::default(),
            config: Arc::new(Config::new(Uri::from_static("https://here"))),
        };
        Client::recognised(transport, "https://here".to_owned(), Uid("k".to_owned()))
    }

    pub(crate) fn goes_wrong(&self, rule: impl Fn(&Method, &str, usize) -> Fate + Send + 'static) {
        self.state().rule = Box::new(rule);
    }

    pub(crate) fn put(&self, mut object: Value) {
        let place = path(&ObjectRef::of(&object).unwrap());
        let mut state = self.state();
        state.requests += 1;
        let version = state.requests;
        if object.pointer("/metadata/uid").is_none() {
            object["metadata"]["uid"] = json!("1");
        }
        if object.pointer("/metadata/creationTimestamp").is_none() {
            object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        // What a live object of its kind always has, and short examples leave out.
        let always = match object["kind"].as_str() {
            Some("Job" | "Deployment" | "StatefulSet") => {
                Some(("template", json!({"spec": {"containers": []}})))
            }
            Some("CronJob") => Some(("schedule", json!("* * * * *"))),
            Some("Pod") => Some(("containers", json!([]))),
            _ => None,
        };
        if let Some((field, value)) = always
            && object["spec"].get(field).is_none()
        {
            object["spec"][field] = value;
        }
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        state.objects.insert(place, object);
    }

    /// A watch gets these events.
    pub(crate) fn remembers(&self, events: &[Value]) {
        let lines = events.iter().map(|event| format!("{event}\n"));
        self.state().history = lines.collect();
    }

    pub(crate) fn writes(&self) -> Vec<String> {
        self.state().writes.clone()
    }

    async fn serve(self, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
        let (parts, body) = request.into_parts();
        let place = parts.uri.path().to_owned();
        let fate = {
            let mut state = self.state();
            state.requests += 1;
            (state.rule)(&parts.method, &place, state.requests)
        };
        if let Fate::Overtaken(object) = &fate {
            self.put(object.clone());
        }
        let (code, answer) = match fate {
            Fate::Served | Fate::Overtaken(_) => {
                let body = body.collect_bytes().await.unwrap_or_default();
                let watch = parts
                    .uri
                    .query()
                    .is_some_and(|query| query.contains("watch"));
                match watch {
                    true => (200, self.state().history.clone()),
                    false => {
                        let (code, answer) = self.answer(&parts.method, &place, &body);
                        (code, answer.to_string())
                    }
                }
            }
            Fate::Refused(code) => (code, no(code).to_string()),
            Fate::Silence => std::future::pending().await,
        };
        let body = Body::from(answer.into_bytes());
        Ok(Response::builder().status(code).body(body).unwrap())
    }

    /// The objects whose place is right below this one.
    fn items(&self, place: &str) -> Vec<Value> {
        let state = self.state();
        let below = |path: &str| {
            let name = path
                .strip_prefix(place)
                .and_then(|rest| rest.strip_prefix('/'));
            name.is_some_and(|name| !name.contains('/'))
        };
        let objects = state.objects.iter();
        objects
            .filter(|(path, _)| below(path))
            .map(|(_, object)| object.clone())
            .collect()
    }

    fn answer(&self, method: &Method, place: &str, body: &[u8]) -> (u16, Value) {
        let sent = || serde_json::from_slice::<Value>(body).unwrap();
        if *method == Method::GET {
            let found = self.state().objects.get(place).cloned();
            let lists = [
                "pods",
                "jobs",
                "cronjobs",
                "events",
                "replicasets",
                "volumesnapshots",
            ];
            return match found {
                Some(object) => (200, object),
                None if lists.iter().any(|list| place.ends_with(list)) => {
                    (200, json!({"items": self.items(place)}))
                }
                None => (404, no(404)),
            };
        }
        let live = self.state().objects.get(place).cloned();
        let is_patch = *method == Method::PATCH;
        if is_patch && live.as_ref().is_some_and(|live| is_other(live, &sent())) {
            return (409, no(409));
        }
        self.state().writes.push(format!("{method} {place}"));
        if *method == Method::DELETE {
            self.state().objects.remove(place);
            return (200, json!({}));
        }
        let mut object = sent();
        if is_patch && let Some(mut live) = live {
            if let Some(spec) = live.get_mut("spec").and_then(Value::as_object_mut) {
                // The operation is its only owner here: what it no longer sends goes.
                spec.remove("suspend");
            }
            object = merged(&live, &object);
        }
        self.put(object.clone());
        (200, object)
    }
}

/// Whether what is sent is meant for another version than the live one.
fn is_other(live: &Value, sent: &Value) -> bool {
    let version = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
    version(sent).is_some_and(|sent| version(live) != Some(sent))
}

/// What is not said stays as it is; lists are replaced.
fn merged(live: &Value, sent: &Value) -> Value {
    match (live, sent) {
        (Value::Object(live), Value::Object(sent)) => {
            let mut whole = live.clone();
            for (field, value) in sent {
                let value = merged(live.get(field).unwrap_or(&Value::Null), value);
                whole.insert(field.clone(), value);
            }
            Value::Object(whole)
        }
        _ => sent.clone(),
    }
}

fn no(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("the answer is {code}"), "reason": "Test", "code": code})
}
