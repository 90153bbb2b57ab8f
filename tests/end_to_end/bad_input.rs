//! Bad input: each is refused with its place and what would be right, before anything is sent anywhere.

use crate::{house::House, setting::setting};

/// What is said of an environment's file.
fn environment(lines: &str, place: &str, parts: &[&str]) {
    let house = House::offline("input");
    house.environment(lines);
    let file = format!("environments/{}.yaml:{place}: ", house.name);
    refused(&house, &[&[file.as_str()], parts].concat());
}

fn refused(house: &House, parts: &[&str]) {
    house
        .run(&["render", &house.name, "--stdout"])
        .exits(2)
        .says(&["error: "])
        .says(parts);
    // Before a cluster is started or an image is built.
    house
        .deploy(&["--yes"])
        .exits(2)
        .says(parts)
        .takes_at_most(5);
}

#[test]
fn an_unknown_key() {
    environment(
        "verification:\n  replica: 3\n",
        "4:3",
        &["unknown key `replica`", "replicas", "^"],
    );
}

#[test]
fn a_duplicate_key() {
    environment(
        "verification:\n  replicas: 3\n  replicas: 4\n",
        "5:3",
        &["`replicas` appears twice", "keep one of them"],
    );
}

#[test]
fn a_wrong_unit() {
    environment("restate:\n  storage: 2GB\n", "4:12", &["2GB", "Gi"]);
    environment("restate:\n  storage: -2Gi\n", "4:12", &["-2Gi"]);
    environment("test:\n  deadline: 10 parsecs\n", "4:13", &["10 parsecs"]);
}

#[test]
fn no_replicas() {
    environment(
        "verification:\n  replicas: 0\n",
        "4:13",
        &["0 is too few", "a whole number from 1"],
    );
}

#[test]
fn a_schedule_that_is_none() {
    environment(
        "test:\n  schedule: every minute\n",
        "4:13",
        &["`every minute` is not a schedule", "* * * * *"],
    );
    environment(
        "test:\n  schedule: 61 * * * *\n",
        "4:13",
        &["`61` is not a minute", "from 0 to 59"],
    );
}

#[test]
fn an_image_without_a_tag() {
    environment(
        "restate:\n  image: restate\n",
        "4:10",
        &["`restate` is not an image: it has no tag", "restate:1.7.12"],
    );
    environment(
        "restate:\n  image: restate:latest\n",
        "4:10",
        &["whatever was pushed last"],
    );
}

#[test]
fn a_file_that_has_another_name_than_what_is_in_it() {
    let house = House::offline("input");
    let file = format!("environments/{}.yaml", house.name);
    house.write(
        &file,
        &format!("name: other\ncluster: {}\n", setting().cluster),
    );
    refused(
        &house,
        &[
            &format!("{file}:1:7: "),
            "its `name` is `other`",
            "rename the file to other.yaml",
        ],
    );
}

#[test]
fn a_file_with_another_ending() {
    let house = House::offline("input");
    house.write("environments/second.yml", "name: second\ncluster: dev\n");
    refused(
        &house,
        &[
            "environments/second.yml:1:1: this is not the name of an input file",
            "environments/<name>.yaml",
        ],
    );
}

#[test]
fn an_unknown_cluster() {
    let house = House::offline("input");
    house.environment_on("nowhere", "");
    refused(
        &house,
        &[":2:10: unknown cluster `nowhere`", &setting().cluster],
    );

    let house = House::offline("input");
    house
        .deploy(&["--yes", "--cluster", "nowhere"])
        .exits(2)
        .says(&["unknown cluster `nowhere`"]);
    house
        .run(&["deploy", "-n", "nobody", "--yes"])
        .exits(2)
        .says(&["unknown environment `nobody`", &house.name]);
}

#[test]
fn several_mistakes_are_told_at_once() {
    let house = House::offline("input");
    house.environment("verification: {replicas: 0}\n");
    house.write(
        "environments/second.yaml",
        "name: second\ncluster: nowhere\n",
    );
    refused(
        &house,
        &[
            &format!("{}.yaml:3:", house.name),
            "environments/second.yaml:2:10: ",
        ],
    );
}

/// What is said of a template.
fn template(text: &str, place: &str, parts: &[&str]) {
    let house = House::offline("template");
    house.write("templates/note/configmap.yaml.hbs", text);
    let file = format!("templates/note/configmap.yaml.hbs:{place}: ");
    refused(&house, &[&[file.as_str()], parts].concat());
}

const HEAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: note\n";

#[test]
fn a_template_with_a_typo() {
    template(
        &format!("{HEAD}  namespace: {{{{quote environment.nmae}}}}\n"),
        "5:14",
        &["nmae", "name"],
    );
    template(
        &format!("{HEAD}  namespace: {{{{quoet environment.name}}}}\n"),
        "5:14",
        &["quoet"],
    );
}

#[test]
fn a_template_with_an_unbalanced_block() {
    template(
        &format!("{HEAD}{{{{#if environment.description}}}}\ndata: {{}}\n"),
        "5:1",
        &["if"],
    );
    template(
        &format!("{HEAD}data:\n  a: {{{{/if}}}}\n"),
        "6:8",
        &["invalid handlebars syntax"],
    );
}

#[test]
fn a_field_that_kubernetes_does_not_know() {
    let house = House::offline("field");
    let labels = "  labels:\n    app.kubernetes.io/managed-by: longrun\n";
    let text =
        format!("{HEAD}  namespace: {{{{quote environment.name}}}}\n{labels}dtaa:\n  a: b\n");
    house.write("templates/note/configmap.yaml.hbs", &text);
    refused(
        &house,
        &[
            "templates/note/configmap.yaml.hbs",
            "ConfigMap note",
            "dtaa",
        ],
    );
}

#[test]
fn a_value_full_of_yaml_stays_a_value() {
    let house = House::offline("quoted");
    house.copy_templates("namespace");
    house.copy_parts();
    house.environment("description: \"one: two\\n#{three}: 'four' \\\"five\\\"\\n---\\n\"\n");
    house
        .run(&["render", &house.name, "--stdout"])
        .exits(0)
        .prints(&[r#"longrun/description: "one: two\n#{three}: 'four' \"five\"\n---\n""#]);
}

#[test]
fn a_flag_that_does_not_exist() {
    let house = House::offline("flag");
    house
        .run(&["deploy", "-n", &house.name, "--force"])
        .exits(2)
        .says(&["--force"]);
    house.run(&["deploy"]).exits(2).says(&["--environment"]);
}
