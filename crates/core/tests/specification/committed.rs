//! What is committed, held against what would be rendered.

use std::collections::BTreeMap;

use longrun_core::render::{check, strays};

use crate::rendering::{SERVICE_ACCOUNT, environment, render_with};

#[test]
fn what_is_committed_is_compared() {
    let rendered = render_with(SERVICE_ACCOUNT, &environment()).unwrap();
    let folder = "manifests/dev/calm";
    let path = format!("{folder}/restate/serviceaccount.yaml");
    let same = BTreeMap::from([
        (path.clone(), rendered[0].text.clone()),
        ("manifests/dev/calm2/other.yaml".to_owned(), String::new()),
    ]);
    assert_eq!(check(folder, &rendered, &same), []);

    let edited = BTreeMap::from([
        (path.clone(), rendered[0].text.replace("false", "true")),
        (format!("{folder}/old.yaml"), String::new()),
    ]);
    let edited = serde_json::to_string_pretty(&check(folder, &rendered, &edited)).unwrap();
    let missing =
        serde_json::to_string_pretty(&check(folder, &rendered, &BTreeMap::new())).unwrap();
    insta::assert_snapshot!(format!("{edited}\n{missing}"));
}

#[test]
fn what_belongs_to_nothing_is_found() {
    let committed: BTreeMap<String, String> = [
        "manifests/dev/calm/a.yaml",
        "manifests/dev/calmer/a.yaml",
        "manifests/dev/_shared/a.yaml",
        "manifests/devel/calm/a.yaml",
        "manifests/a.yaml",
    ]
    .map(|path| (path.to_owned(), String::new()))
    .into();
    let strays = |below: &str| -> Vec<String> {
        strays(
            below,
            &["manifests/dev/calm", "manifests/dev/_shared"],
            &committed,
        )
        .iter()
        .map(|stray| stray.path().to_owned())
        .collect()
    };
    assert_eq!(strays("manifests/dev"), ["manifests/dev/calmer/a.yaml"]);
    assert_eq!(
        strays("manifests"),
        [
            "manifests/a.yaml",
            "manifests/dev/calmer/a.yaml",
            "manifests/devel/calm/a.yaml"
        ]
    );
}
