//! What `deploy`, `diff` and `status` have in common: from a name on the command line to a checked client
//! and a plan.

use std::collections::BTreeSet;

use jiff::Timestamp;
use longrun_core::{
    inputs::{Images, Storage},
    names::{DISCOVER, NODE},
    operations::{
        data,
        deploy::{self, Facts, Options, Problems},
    },
    plan::{Plan, Target},
    render::{self, Difference, Extra, Rendered, Templates},
};
use longrun_embedded::Cluster as Embedded;
use longrun_kubernetes::{Client, Holder, observe};
use serde_json::Value;

use crate::{
    access,
    commands::deploy::Choices,
    failure::Failure,
    images::{Image, ImageBuilder},
    project::{Chosen, Project, render_failure},
    terminal::{Answers, Terminal},
    which::Which,
};

/// An environment that can be planned for: rendered, and its cluster recognised.
pub(crate) struct Deployment {
    pub(crate) client: Client,
    pub(crate) target: Target,
    objects: Vec<Value>,
    options: Options,
    storage: Storage,
    busybox: String,
}

impl Deployment {
    /// Gets everything ready that a plan needs. On the embedded cluster that includes starting it and
    /// building and importing images.
    pub(crate) async fn open(
        which: &Which,
        answers: &Answers,
        choices: &Choices,
        project: &Project,
        terminal: &Terminal,
    ) -> Result<Self, Failure> {
        let inputs = project.inputs()?;
        let templates = project.templates()?;
        let mut chosen = project.choose(&inputs, &which.environment, which.cluster.as_deref())?;
        // A mistake in a template is told before anything is started or built.
        render_all(&templates, &chosen, &[])?;
        let mut extras = Vec::new();
        if chosen.cluster.access.is_embedded() {
            (chosen.images, extras) = prepare_embedded(&chosen, project, answers, terminal).await?;
        }
        let objects = reviewed(project, &templates, &chosen, &extras)?;
        let client = access::client(&chosen).await?;
        Ok(Self::of(&chosen, objects, client, choices))
    }

    /// As [`Self::open`], where the cluster runs and what has to be built is built: nothing is changed.
    pub(crate) async fn of_what_is_built(
        chosen: &Chosen<'_>,
        client: &Client,
        project: &Project,
    ) -> Result<Self, Failure> {
        let mut chosen = chosen.clone();
        let mut extras = Vec::new();
        if chosen.cluster.access.is_embedded() {
            let cluster = access::embedded(chosen.cluster.name.as_str())?;
            extras = definitions(&cluster)?;
            let builder = ImageBuilder::new(project.root(), access::places()?.cache);
            let names = chosen.environment.images();
            let built = builder.references(names, &chosen.cluster.registry, None);
            chosen.images = named(built.await?);
        }
        let objects = reviewed(project, &project.templates()?, &chosen, &extras)?;
        let choices = Choices::default();
        Ok(Self::of(&chosen, objects, client.clone(), &choices))
    }

    fn of(chosen: &Chosen<'_>, objects: Vec<Value>, client: Client, choices: &Choices) -> Self {
        let target = chosen.target(&client);
        let options = Options {
            take_over: choices.take_over.iter().cloned().collect(),
            drain: !choices.no_drain,
            retain_class: chosen.cluster.storage.snapshot_classes.retain.to_string(),
            now: now(),
        };
        Self {
            client,
            target,
            objects,
            options,
            storage: chosen.cluster.storage.clone(),
            busybox: chosen
                .images
                .reference(&chosen.environment.attach.image, &chosen.cluster.registry),
        }
    }

    /// What the cluster says of what is rendered.
    pub(crate) async fn facts(&self) -> Result<Facts, Failure> {
        let take_over: &BTreeSet<String> = &self.options.take_over;
        observe(
            &self.client,
            &self.target.environment,
            self.objects.clone(),
            take_over,
        )
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))
    }

    /// What operations on the environment's database need to know of what is rendered.
    pub(crate) fn data_options(&self) -> Result<data::Options, Failure> {
        let discover = self.rendered("Job", DISCOVER)?;
        let image = discover.pointer("/spec/template/spec/containers/0/image");
        let image = image.and_then(Value::as_str).unwrap_or_default();
        Ok(data::Options {
            now: self.options.now,
            driver: self.storage.driver.to_string(),
            delete_class: self.storage.snapshot_classes.delete.to_string(),
            retain_class: self.storage.snapshot_classes.retain.to_string(),
            set: self.rendered("StatefulSet", NODE)?.clone(),
            verification_image: image.to_owned(),
            busybox_image: self.busybox.clone(),
            discover: discover.clone(),
        })
    }

    fn rendered(&self, kind: &str, name: &str) -> Result<&Value, Failure> {
        let mut objects = self.objects.iter();
        objects
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
            .ok_or_else(|| {
                Failure::refused(format!(
                    "the templates render no {kind} {name}, which operations on the database need. Nothing was changed"
                ))
            })
    }

    /// The plan as of now.
    pub(crate) async fn plan(&self) -> Result<Plan, Failure> {
        Ok(self.plan_of(&self.facts().await?)?)
    }

    /// The plan for a cluster that says this.
    pub(crate) fn plan_of(&self, facts: &Facts) -> Result<Plan, Problems> {
        deploy::plan(self.target.clone(), facts, &self.options)
    }
}

/// The embedded cluster with the environment's images in it, and the definitions its controllers need.
async fn prepare_embedded(
    chosen: &Chosen<'_>,
    project: &Project,
    answers: &Answers,
    terminal: &Terminal,
) -> Result<(Images, Vec<Extra>), Failure> {
    let cluster = access::prepare_machine(chosen.cluster.name.as_str(), answers.yes, terminal)?;
    access::up(&cluster, terminal)?;

    let work = terminal.work("images");
    let report = |news: &str| work.output(news);
    let builder = ImageBuilder::new(project.root(), access::places()?.cache);
    let built = builder
        .references(
            chosen.environment.images(),
            &chosen.cluster.registry,
            Some(&report),
        )
        .await?;
    let there = cluster.images()?;
    let mut imported = 0;
    for image in &built {
        if !there.contains(image.reference.as_str()) {
            let archive = builder.archive(image, &report).await?;
            report(&format!("importing {}", image.name));
            cluster.import_image(&archive)?;
            imported += 1;
        }
    }
    if imported > 0 {
        work.done("the images are built and in the cluster");
    } else {
        drop(work);
    }
    Ok((named(built), definitions(&cluster)?))
}

fn named(built: Vec<Image>) -> Images {
    built
        .into_iter()
        .map(|image| (image.name, image.reference))
        .collect()
}

/// What the controllers of an embedded cluster need.
fn definitions(cluster: &Embedded) -> Result<Vec<Extra>, Failure> {
    let definitions = cluster.snapshot_crds()?;
    let named = definitions.into_iter().enumerate();
    Ok(named
        .map(|(index, text)| Extra {
            path: format!("crds/{index}.yaml"),
            text,
        })
        .collect())
}

/// Everything that is rendered, if it is what was reviewed. On an embedded cluster nobody reviews.
fn reviewed(
    project: &Project,
    templates: &Templates,
    chosen: &Chosen<'_>,
    extras: &[Extra],
) -> Result<Vec<Value>, Failure> {
    let rendered = render_all(templates, chosen, extras)?;
    if !chosen.cluster.access.is_embedded() {
        refuse_unreviewed(project, chosen, &rendered)?;
    }
    let files = rendered.into_iter().flat_map(|(_, files)| files);
    Ok(files.flat_map(|file| file.objects).collect())
}

/// Everything that is rendered for an environment: folder → files, the cluster's own first.
pub(crate) fn render_all(
    templates: &Templates,
    chosen: &Chosen<'_>,
    extras: &[Extra],
) -> Result<Vec<(String, Vec<Rendered>)>, Failure> {
    let shared =
        render::render_shared(templates, chosen.cluster, extras).map_err(render_failure)?;
    let own = render::render(
        templates,
        chosen.environment,
        chosen.cluster,
        &chosen.images,
    )
    .map_err(render_failure)?;
    Ok(vec![
        (render::shared_folder(chosen.cluster), shared),
        (render::folder(chosen.cluster, chosen.environment), own),
    ])
}

/// Reviewed is what is applied.
fn refuse_unreviewed(
    project: &Project,
    chosen: &Chosen<'_>,
    rendered: &[(String, Vec<Rendered>)],
) -> Result<(), Failure> {
    let committed = project.manifests()?;
    let differences: Vec<Difference> = rendered
        .iter()
        .flat_map(|(folder, files)| render::check(folder, files, &committed))
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = differences
        .iter()
        .map(|difference| format!("  {}", difference.path()))
        .collect();
    let command = format!(
        "cargo xtask render {} --cluster {}",
        chosen.environment.name, chosen.cluster.name
    );
    Err(Failure::refused(format!(
        "the committed manifests differ from what would be applied; nothing was changed:\n{}",
        list.join("\n")
    ))
    .hint(format!("see how: {command} --check"))
    .hint(format!(
        "write them, have them reviewed and commit them: {command}"
    )))
}

/// Who works here, as others see it who find the Lease taken.
pub(crate) fn holder(operation: &str) -> Holder {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() {
        "unknown host"
    } else {
        host.trim()
    };
    Holder {
        who: format!("{user}@{host}"),
        operation: operation.to_owned(),
        run: std::process::id().to_string(),
    }
}

/// The edge where the clock is read.
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}
