//! Every bad input, one by one: what the user reads, and where the finger points.

use longrun_core::inputs::{InputError, Inputs, parse_cluster, parse_environment, parse_images};
use proptest::prelude::*;

const ENVIRONMENT: &str = "\
name: calm
cluster: dev
";

const CLUSTER: &str = "\
name: dev
access: embedded
registry: localhost/longrun
storage:
  driver: csi.longrun.dev
";

fn answer<T>(result: Result<T, InputError>) -> String {
    let Err(error) = result else {
        return "accepted".to_owned();
    };
    let hint = error
        .hint
        .as_ref()
        .map(|hint| format!("\n  {hint}"))
        .unwrap_or_default();
    format!("{error}{hint}")
}

fn environment(text: &str) -> String {
    answer(parse_environment("environments/calm.yaml", text))
}

fn cluster(text: &str) -> String {
    answer(parse_cluster("clusters/dev.yaml", text))
}

fn dialogue<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    answer: impl Fn(&str) -> String,
) -> String {
    texts
        .into_iter()
        .map(|text| format!("{}\n→ {}\n\n", text.trim_end(), answer(text)))
        .collect()
}

#[test]
fn a_file_that_says_nothing_special_is_accepted() {
    assert_eq!(environment(ENVIRONMENT), "accepted");
    assert_eq!(cluster(CLUSTER), "accepted");
}

#[test]
fn supported_versions_and_tags_that_are_none_are_accepted() {
    for tag in ["1.6.1", "1.7.12", "1.8.0-rc.1", "main"] {
        let text = format!("{ENVIRONMENT}restate:\n  image: restate:{tag}\n");
        assert_eq!(environment(&text), "accepted");
    }
}

/// Lines that are added to a right environment, and what is said of them.
#[test]
fn bad_environments() {
    let lines = [
        // Unknown keys.
        "verification:\n  replica: 3\n",
        "verificaton: {}\n",
        "suspend: true\n",
        // Wrong units.
        "restate:\n  storage: 2GB\n",
        "restate:\n  storage: 2\n",
        "restate:\n  storage: 1.5Gi\n",
        "verification:\n  cpu: 100u\n",
        "verification:\n  cpu: 0.1\n",
        "test:\n  deadline: 10\n",
        "test:\n  deadline: 10 minutes\n",
        // Negative, none and too much.
        "restate:\n  storage: -2Gi\n",
        "restate:\n  storage: 0Gi\n",
        "restate:\n  storage: 99999999999Ti\n",
        "verification:\n  cpu: -1\n",
        "test:\n  deadline: -10m\n",
        "verification:\n  replicas: 0\n",
        "verification:\n  replicas: -1\n",
        "verification:\n  replicas: 5000000000\n",
        "test:\n  size: 100001\n",
        "verification:\n  replicas: 1.5\n",
        "verification:\n  replicas: many\n",
        // Duplicate keys.
        "cluster: local\n",
        "verification: {replicas: 3, replicas: 4}\n",
        // Schedules.
        "test:\n  schedule: every minute\n",
        "test:\n  schedule: 60 * * * *\n",
        "test:\n  schedule: \"@hourly\"\n",
        // Images.
        "restate:\n  image: restate\n",
        "restate:\n  image: restate:latest\n",
        "restate:\n  image: registry.example.com:5000/restate:1.7.12\n",
        "restate:\n  image: restate:1.7.12@sha256:00\n",
        // Versions that this is not made for.
        "restate:\n  image: restate:1.6.0\n",
        "restate:\n  image: restate:1.8.0\n",
        "restate:\n  memory: 1Gi\n  image: restate:v2.0.0\n",
        "restate:\n  image: restate:1.7.12-82a934cde840\n",
        // What contradicts itself.
        "restate:\n  memory: 4Gi\n",
        "restate:\n  memory: 2Gi\n  memoryLimit: 1Gi\n",
        "restate:\n  rocksdbMemory: 1920Mi\n  queryMemory: 129Mi\n",
        "restate:\n  queryMemory: 2Gi\n",
        // Not Restate's.
        "restate:\n  settings:\n    RUST_LOG: debug\n",
        "restate:\n  settings:\n    RESTATE_BASE_DIR: /data\n",
        "restate:\n  settings:\n    RESTATE_SHUTDOWN_TIMEOUT: 2m\n",
        // Faults that do not exist, are there twice, or would overlap.
        "chaos:\n  faults:\n    - kill-restate\n    - kil-services\n",
        "chaos:\n  faults: [kill-restate, kill-restate]\n",
        "chaos:\n  faults: [kill-restate, kill-services, cut-network]\n  spacing: 21m\n",
        "chaos:\n  faults: [stop-services]\n  spacing: 5m\n",
        "chaos:\n  faults: [stop-services]\n  hold: 10m\n",
        "chaos:\n  faults: [kill-restate]\n  spacing: 450s\n",
        "chaos: [kill-restate]\n",
        // Another shape.
        "restate: 1.7.12\n",
        "test: [1]\n",
        "description: [\n",
        "test:\n\tsize: 3\n",
        "verification:\n",
        "verification:\n  image:\n",
        "description: {a: b}\n",
        "description: \"open\n",
        "restate:\n  settings:\n    RESTATE_A:\n",
        "---\nname: second\n",
        "test: &anchor\n  size: 3\n<<: *anchor\n",
        "test: *nowhere\n",
    ];
    insta::assert_snapshot!(dialogue(lines, |lines| environment(&format!(
        "{ENVIRONMENT}{lines}"
    ))));
}

#[test]
fn bad_files() {
    let foreign = ["default", "kube-system"].map(|name| {
        let file = format!("environments/{name}.yaml");
        answer(parse_environment(&file, &ENVIRONMENT.replace("calm", name))) + "\n\n"
    });
    let environments = dialogue(
        [
            "",
            "cluster: dev\n",
            "name: calm\n",
            "name: Calm\ncluster: dev\n",
            "cluster: dev\nname: restate\n",
            "calm",
        ],
        environment,
    );
    let clusters: Vec<String> = [
        ("embedded", "kind"),
        ("embedded", "eks"),
        ("embedded", "{eks: {name: dev, regin: eu-central-1}}"),
        ("name: dev", "name: prod"),
        ("name: dev", "name: dev\nkubeSystemUid: dev"),
        ("localhost/longrun", "https://registry.example.com"),
        ("csi.longrun.dev", "csi/longrun"),
        ("csi.longrun.dev", "csi.longrun.dev\n  expandable: maybe"),
        (
            "csi.longrun.dev",
            "csi.longrun.dev\n  parameters: {type: [gp3]}",
        ),
        ("csi.longrun.dev", "csi.longrun.dev\n  largestClaim: 4G"),
        ("csi.longrun.dev", "csi.longrun.dev\ndns: coredns"),
    ]
    .map(|(right, wrong)| CLUSTER.replace(right, wrong))
    .into();
    let clusters = dialogue(clusters.iter().map(String::as_str), cluster);
    let images = dialogue(
        [
            "restate: a.example/restate:1\n",
            "restate:1: restate:1\n",
            "restate:1: a.example/restate\n",
        ],
        |text| answer(parse_images("clusters/dev.images.yaml", text)),
    );
    insta::assert_snapshot!(format!(
        "{environments}{}{clusters}{images}",
        foreign.concat()
    ));
}

#[test]
fn all_files_are_judged_together() {
    let errors = Inputs::parse([
        ("environments/calm.yaml", "name: calm\ncluster: devv\n"),
        ("environments/other.yaml", "name: calm\ncluster: dev\n"),
        (
            "environments/broken.yaml",
            "name: broken\ncluster: hidden\n",
        ),
        ("environments/notes.txt", ""),
        ("clusters/dev.yaml", CLUSTER),
        ("clusters/hidden.yaml", "name: hidden\n"),
    ])
    .unwrap_err();
    let text: Vec<String> = errors
        .into_iter()
        .map(|error| answer::<()>(Err(error)))
        .collect();
    insta::assert_snapshot!(text.join("\n\n"));
}

#[test]
fn a_name_on_the_command_line_is_found_or_the_others_are_named() {
    let inputs = Inputs::parse([
        ("clusters/dev.yaml", CLUSTER),
        ("environments/calm.yaml", ENVIRONMENT),
    ])
    .unwrap();
    assert_eq!(inputs.environment("calm").unwrap().cluster.as_str(), "dev");
    let unknown = inputs.environment("clam").unwrap_err();
    assert_eq!(unknown.to_string(), "unknown environment `clam`");
    assert_eq!(unknown.hint, "did you mean `calm`? allowed: calm");
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let files = [
        ("clusters/dev.yaml", CLUSTER),
        ("environments/calm.yaml", ENVIRONMENT),
    ];
    assert_eq!(Inputs::parse(files), Inputs::parse(files.into_iter().rev()));
}

proptest! {
    /// Whatever is in a file, the answer is a value or a place in that file.
    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        if let Err(error) = parse_environment("environments/calm.yaml", &text) {
            prop_assert!(error.line >= 1 && error.column >= 1);
            prop_assert!(error.line <= text.lines().count().max(1) + 1, "{error} in {text:?}");
        }
    }

    #[test]
    fn sizes_are_read_as_they_are_written(count in 1u64..=8191, unit in prop::sample::select(&["Ki", "Mi", "Gi", "Ti"])) {
        let text = format!("{ENVIRONMENT}restate:\n  storage: {count}{unit}\n");
        let environment = parse_environment("calm.yaml", &text).unwrap();
        prop_assert_eq!(environment.restate.storage.to_string(), format!("{count}{unit}"));
        let power = match unit { "Ki" => 1, "Mi" => 2, "Gi" => 3, _ => 4 };
        prop_assert_eq!(environment.restate.storage.bytes(), count * 1024u64.pow(power));
    }

    /// What is read and written again is the same, so that a program can write what a person wrote.
    #[test]
    fn environments_survive_being_written(replicas in 1u32..=100_000, millis in 1u32..=100_000, description in any::<String>()) {
        let text = format!("{ENVIRONMENT}verification:\n  replicas: {replicas}\n  cpu: {millis}m\n");
        let mut environment = parse_environment("calm.yaml", &text).unwrap();
        environment.description = description;
        let again = parse_environment("calm.yaml", &serde_json::to_string(&environment).unwrap()).unwrap();
        prop_assert_eq!(again, environment);
    }
}
