//! `cargo xtask render`: files for review, the same bytes each time, and the check that they are those.

use crate::{
    house::{House, project},
    setting::root,
};

/// The project's inputs and manifests, in a directory of their own.
fn copy() -> House {
    let house = House::offline("render");
    house.remove(&format!("environments/{}.yaml", house.name));
    for folder in ["environments", "clusters", "manifests"] {
        let listed = crate::run::output(
            std::process::Command::new("git")
                .args(["ls-files", folder])
                .current_dir(root()),
        );
        for path in listed.lines() {
            house.write(path, &project(path));
        }
    }
    house
}

#[test]
fn what_is_committed_is_what_is_rendered() {
    let house = copy();
    house
        .run(&["render", "--check"])
        .exits(0)
        .prints(&["files are as rendered"]);
}

#[test]
fn an_edit_by_hand_is_shown_and_undone() {
    let house = copy();
    let path = "manifests/dev/restate/verification/deployment.yaml";
    house.write(path, &project(path).replace("replicas: 3", "replicas: 5"));
    house.remove("manifests/dev/restate/test/cronjob.yaml");
    house.write("manifests/dev/restate/test/another.yaml", "kind: List\n");
    house.write("manifests/dev/gone/test/cronjob.yaml", "kind: List\n");

    house.run(&["render", "--check"]).exits(1).prints(&[
        path,
        "-  replicas: 5",
        "+  replicas: 3",
        "missing  manifests/dev/restate/test/cronjob.yaml",
        "surplus  manifests/dev/restate/test/another.yaml",
        "surplus  manifests/dev/gone/test/cronjob.yaml",
        "4 differ",
    ]);
    assert!(
        std::fs::read_to_string(house.path(path))
            .expect("the file")
            .contains("replicas: 5"),
        "a check writes nothing"
    );

    // What was not asked for is left alone.
    house
        .run(&["render", "restate", "--check"])
        .exits(1)
        .prints(&["3 differ"]);

    house.run(&["render"]).exits(0);
    assert_eq!(
        std::fs::read_to_string(house.path(path)).expect("the file"),
        project(path)
    );
    house.run(&["render", "--check"]).exits(0);
}

#[test]
fn rendering_needs_neither_network_nor_a_certain_place() {
    let house = copy();
    let whole = |command: &mut std::process::Command| crate::run::output(command);
    let here = whole(&mut house.command(&["render", "--stdout", "--cluster", "local"]));
    let command = house.command(&["render", "--stdout", "--cluster", "local"]);
    let mut alone = std::process::Command::new("unshare");
    alone
        .args(["--net", "--map-root-user"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(root());
    assert_eq!(here, whole(&mut alone));
    assert!(here.contains("kind: StatefulSet"));
}

/// What the embedded cluster gets is rendered at deploy: files would be nobody's to review.
#[test]
fn the_embedded_cluster_has_no_files() {
    let house = copy();
    house
        .run(&[
            "render",
            "restate",
            "--cluster",
            &crate::setting::setting().cluster,
        ])
        .exits(2)
        .says(&["are not committed", "--stdout"]);
    house.environment("");
    house.run(&["render", "--check"]).exits(0);
    house
        .run(&["render", &house.name])
        .exits(2)
        .says(&["are not committed", "--stdout"]);
}
