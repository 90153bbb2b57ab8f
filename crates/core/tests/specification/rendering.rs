//! What templates may get wrong, and what values cannot do to them.

use longrun_core::{
    inputs::{Cluster, Environment, Images, parse_cluster, parse_environment},
    render::{Extra, RenderError, Rendered, Templates, render, render_shared},
};
use proptest::prelude::*;

pub(crate) fn environment() -> Environment {
    parse_environment("calm.yaml", "name: calm\ncluster: dev\n").unwrap()
}

fn cluster() -> Cluster {
    let text = "name: dev\naccess: embedded\nregistry: localhost/longrun\nstorage: {driver: csi.longrun.dev}\n";
    parse_cluster("dev.yaml", text).unwrap()
}

/// A right template, into which tests put something wrong.
pub(crate) const SERVICE_ACCOUNT: &str = "\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: restate
  namespace: {{quote environment.name}}
  labels:
    app.kubernetes.io/name: restate
    app.kubernetes.io/component: restate
    app.kubernetes.io/managed-by: longrun
    longrun/environment: {{quote environment.name}}
    longrun/rendered: \"true\"
automountServiceAccountToken: false
";

const PATH: &str = "templates/restate/serviceaccount.yaml.hbs";

pub(crate) fn render_with(
    template: &str,
    environment: &Environment,
) -> Result<Vec<Rendered>, RenderError> {
    render(
        &Templates::new([
            (PATH, template),
            ("templates/_part.hbs", "{{quote of.size}}"),
        ])?,
        environment,
        &cluster(),
        &Images::default(),
    )
}

fn answer(template: &str) -> String {
    let Err(error) = render_with(template, &environment()) else {
        return "accepted".to_owned();
    };
    let hint = error
        .hint
        .as_ref()
        .map(|hint| format!("\n  {hint}"))
        .unwrap_or_default();
    format!("{error}{hint}")
}

#[test]
fn a_right_template_is_accepted() {
    assert_eq!(answer(SERVICE_ACCOUNT), "accepted");
}

#[test]
fn bad_templates() {
    let name = "{{quote environment.name}}";
    let cases = [
        (
            "a typo in a value",
            SERVICE_ACCOUNT.replacen(name, "{{quote environment.nmae}}", 1),
        ),
        (
            "a typo in a plain value",
            SERVICE_ACCOUNT.replacen(name, "{{enviroment.name}}", 1),
        ),
        (
            "a typo in a condition",
            SERVICE_ACCOUNT.replacen("kind", "{{#if cluster.metric}}{{/if}}kind", 1),
        ),
        (
            "a typo in a comparison",
            SERVICE_ACCOUNT.replacen("kind", "{{#if (eq cluster.dsn \"node\")}}{{/if}}kind", 1),
        ),
        (
            "a typo in a list",
            SERVICE_ACCOUNT.replacen(
                "kind",
                "{{#each cluster.storage.parameter}}{{/each}}kind",
                1,
            ),
        ),
        (
            "a typo in what a partial is given",
            SERVICE_ACCOUNT.replacen(name, "{{> part of=environment.tets}}", 1),
        ),
        (
            "three braces",
            SERVICE_ACCOUNT.replacen(name, "{{{environment.name}}}", 1),
        ),
        (
            "an ampersand",
            SERVICE_ACCOUNT.replacen(name, "{{~& environment.name}}", 1),
        ),
        (
            "a typo in a helper",
            SERVICE_ACCOUNT.replacen("quote", "qoute", 1),
        ),
        (
            "a partial that is not there",
            SERVICE_ACCOUNT.replacen(name, "{{> label}}", 1),
        ),
        (
            "a block that is not closed",
            format!("{SERVICE_ACCOUNT}{{{{#if environment.description}}}}\n"),
        ),
        (
            "a block that is closed by another",
            format!("{SERVICE_ACCOUNT}{{{{#if environment.name}}}}\n{{{{/each}}}}\n"),
        ),
        (
            "a block that is not open",
            format!("{SERVICE_ACCOUNT}{{{{/if}}}}\n"),
        ),
        (
            "braces that are not closed",
            SERVICE_ACCOUNT.replacen("name}}", "name}", 1),
        ),
        (
            "a group where a value is wanted",
            SERVICE_ACCOUNT.replacen("environment.name", "environment.test", 1),
        ),
        (
            "nothing to quote",
            SERVICE_ACCOUNT.replacen(name, "{{quote}}", 1),
        ),
        (
            "an indentation that is none",
            SERVICE_ACCOUNT.replacen("  name", "    name", 1),
        ),
        (
            "a key that appears twice",
            format!("{SERVICE_ACCOUNT}kind: Service\n"),
        ),
        (
            "a field with a typo",
            SERVICE_ACCOUNT.replacen("automount", "autoMount", 1),
        ),
        (
            "a nested field with a typo",
            SERVICE_ACCOUNT.replacen("labels:", "lables:", 1),
        ),
        (
            "a field of another type",
            SERVICE_ACCOUNT.replacen("Token: false", "Token: \"false\"", 1),
        ),
        (
            "a number where a text is wanted",
            SERVICE_ACCOUNT.replacen("name: restate", "name: 1", 1),
        ),
        (
            "a kind with a typo",
            SERVICE_ACCOUNT.replacen("kind: ServiceAccount", "kind: ServiceAcount", 1),
        ),
        (
            "a version that is none",
            SERVICE_ACCOUNT.replacen("v1", "v2", 1),
        ),
        ("no object", "- a\n".to_owned()),
        (
            "another namespace",
            SERVICE_ACCOUNT.replacen(name, "default", 1),
        ),
        (
            "no environment",
            SERVICE_ACCOUNT.replacen("longrun/environment", "longrun/enviroment", 1),
        ),
        (
            "no component",
            SERVICE_ACCOUNT.replacen("    app.kubernetes.io/component: restate\n", "", 1),
        ),
        (
            "no mark",
            SERVICE_ACCOUNT.replacen("    longrun/rendered: \"true\"\n", "", 1),
        ),
        (
            "an object twice",
            format!("{SERVICE_ACCOUNT}---\n{SERVICE_ACCOUNT}"),
        ),
    ];
    let text: String = cases
        .iter()
        .map(|(title, template)| format!("{title}\n→ {}\n\n", answer(template)))
        .collect();
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_included_has_a_name_of_its_own() {
    let parts = [("templates/a/_part.hbs", ""), ("templates/b/_part.hbs", "")];
    let error = Templates::new(parts).unwrap_err();
    assert_eq!(
        error.to_string(),
        "templates/b/_part.hbs:1:1: `{{> part}}` is templates/a/_part.hbs already"
    );
}

/// The mark of what is rendered must not reach pods and Jobs: prune believes it.
#[test]
fn the_mark_stays_on_the_outside() {
    let job = "\
apiVersion: batch/v1
kind: Job
metadata:
  name: discover
  namespace: calm
  labels: {app.kubernetes.io/name: a, app.kubernetes.io/component: a, app.kubernetes.io/managed-by: longrun, longrun/environment: calm, longrun/rendered: \"true\"}
spec:
  template:
    metadata:
      labels: {longrun/rendered: \"true\"}
    spec:
      containers: []
";
    assert_eq!(
        answer(job),
        format!(
            "{PATH}: Job discover: .spec: `longrun/rendered` must be on top-level metadata only"
        )
    );
}

#[test]
fn what_is_shared_belongs_to_no_environment() {
    let shared = |text: &str| {
        let templates = Templates::new([("templates/_shared/class.yaml.hbs", text)]).unwrap();
        render_shared(&templates, &cluster(), &[]).map_err(|error| error.to_string())
    };
    let class = "\
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata:
  name: keep
  labels: {app.kubernetes.io/name: a, app.kubernetes.io/component: a, app.kubernetes.io/managed-by: longrun, longrun/rendered: \"true\"}
driver: {{quote cluster.storage.driver}}
deletionPolicy: Retain
";
    let rendered = shared(class).unwrap();
    assert_eq!(rendered[0].path, "class.yaml");
    for (right, wrong, why) in [
        (
            "deletionPolicy",
            "deletePolicy",
            "unknown field `deletePolicy`",
        ),
        ("Retain", "Keep", "unknown variant `Keep`"),
        (
            "{app",
            "{longrun/environment: calm, app",
            "belongs to no environment",
        ),
    ] {
        let error = shared(&class.replace(right, wrong)).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn extra_manifests_are_checked_and_labelled() {
    let crd = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.example.com
  creationTimestamp: null
spec:
  group: example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, minimum: 0, x-kubernetes-preserve-unknown-fields: true}
";
    let templates = Templates::new::<&str, &str>([]).unwrap();
    let extra = |text: &str| {
        [Extra {
            path: "crds/things.yaml".to_owned(),
            text: text.to_owned(),
        }]
    };
    let rendered = render_shared(&templates, &cluster(), &extra(crd)).unwrap();
    assert_eq!(rendered[0].text, crd);
    let labels = &rendered[0].objects[0]["metadata"]["labels"];
    assert_eq!(labels["longrun/rendered"], "true");
    assert_eq!(labels["app.kubernetes.io/component"], "crds");
    let error = render_shared(
        &templates,
        &cluster(),
        &extra(&crd.replace("served", "serves")),
    )
    .unwrap_err();
    assert!(
        error.to_string().starts_with("crds/things.yaml: "),
        "{error}"
    );
}

/// A value on its way through `quote`, and through plain braces with something that only YAML could mind.
fn hostile(value: &str) -> Rendered {
    let template = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: values
  namespace: {{environment.name}}
  labels: {app.kubernetes.io/name: a, app.kubernetes.io/component: a, app.kubernetes.io/managed-by: longrun, longrun/environment: {{environment.name}}, longrun/rendered: \"true\"}
data:
  quoted: {{quote environment.description}}
  joined: {{quote \"a \" environment.description \" z\"}} # : {
  plain: {{environment.description}}
  after: \"1\"
";
    let mut environment = environment();
    environment.description = value.to_owned();
    render_with(template, &environment)
        .unwrap_or_else(|error| panic!("{value:?}: {error}"))
        .remove(0)
}

#[test]
fn a_hostile_value_stays_in_its_place() {
    let value = "a: b\n  #{}: [\"'\n---\nkind: Secret\n{{quote cluster.name}}\t";
    let rendered = hostile(value);
    assert_eq!(rendered.objects.len(), 1);
    assert_eq!(
        rendered.objects[0]["data"],
        serde_json::json!({"quoted": value, "joined": format!("a {value} z"), "plain": value, "after": "1"})
    );
    insta::assert_snapshot!(rendered.text);
}

proptest! {
    #[test]
    fn any_value_stays_in_its_place(value in any::<String>()) {
        // Plain braces write a text of digits as a number; the types refuse that where it is wrong.
        prop_assume!(!value.bytes().all(|byte| byte.is_ascii_digit()));
        let data = &hostile(&value).objects[0]["data"];
        prop_assert_eq!(&data["quoted"], &value);
        prop_assert_eq!(&data["plain"], &value);
        prop_assert_eq!(&data["joined"], &format!("a {value} z"));
    }
}
