//! One operation at a time in an environment.

use crate::{
    house::House,
    templates::{Container, config_map, deployment},
};

#[test]
fn the_second_of_two_deployments_is_told_who_is_at_work() {
    let house = House::small("two");
    // It never becomes ready, so that the first one waits until it is told to stop.
    let unready = Container {
        settles: 200,
        ..Container::default()
    };
    house.write(
        "templates/slow/deployment.yaml.hbs",
        &deployment("slow", &unready),
    );
    let first = house.begin(&["--yes"]);
    house.until("the first is at work", || {
        house.try_kubectl(&["get", "deployment/slow"]).is_ok()
    });

    house.write(
        "templates/note/configmap.yaml.hbs",
        &config_map("note", "one"),
    );
    house
        .deploy(&["--yes"])
        .exits(2)
        .says(&["is running deploy in", "nothing was changed"])
        .takes_at_most(40);
    assert_eq!(house.get("configmap/note"), None);
    house
        .run(&["status", "-n", &house.name])
        .exits(0)
        .prints(&["operation      deploy by"]);

    first.signal(nix::sys::signal::Signal::SIGINT);
    first.end().exits(3);
}
