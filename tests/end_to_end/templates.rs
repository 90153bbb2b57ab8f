//! Templates that tests add to a small environment: the smallest objects that show what is meant.

/// The head of an object: kind, name, namespace and labels.
fn head(api_version: &str, kind: &str, name: &str) -> String {
    format!(
        "apiVersion: {api_version}
kind: {kind}
metadata:
  name: {name}
  namespace: {{{{quote environment.name}}}}
  labels:
    {{{{> labels component=\"{name}\"}}}}
    longrun/rendered: \"true\"
"
    )
}

/// A ConfigMap with one text.
pub(crate) fn config_map(name: &str, text: &str) -> String {
    format!(
        "{}data:\n  text: \"{text}\"\n",
        head("v1", "ConfigMap", name)
    )
}

/// What a container of a test does.
pub(crate) struct Container<'a> {
    pub(crate) image: &'a str,
    pub(crate) shell: &'a str,
    pub(crate) memory: &'a str,
    /// How many seconds it must have run to count as available: it has no probe.
    pub(crate) settles: u32,
}

impl Default for Container<'_> {
    fn default() -> Self {
        Self {
            image: "{{quote image.verification}}",
            shell: "exec sleep infinity",
            memory: "8Mi",
            settles: 0,
        }
    }
}

impl Container<'_> {
    /// The template of a pod of a workload, within `spec`.
    fn pod(&self, name: &str, restart: &str, volume: &str) -> String {
        let Self {
            image,
            shell,
            memory,
            ..
        } = self;
        format!(
            "  template:
    metadata:
      labels:
        {{{{> labels component=\"{name}\"}}}}
    spec:
      {{{{> pod account=\"default\"}}}}
      restartPolicy: {restart}
      terminationGracePeriodSeconds: 1
      containers:
        - name: only
          image: {image}
          command: [/bin/sh, -c, {shell:?}]
          imagePullPolicy: IfNotPresent
          resources:
            requests:
              memory: {memory}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop: [ALL]
{volume}"
        )
    }
}

/// A Deployment of one pod.
pub(crate) fn deployment(name: &str, container: &Container<'_>) -> String {
    format!(
        "{}spec:
  replicas: 1
  minReadySeconds: {}
  selector:
    matchLabels:
      app.kubernetes.io/component: {name}
{}",
        head("apps/v1", "Deployment", name),
        container.settles,
        container.pod(name, "Always", "")
    )
}

/// A Job.
pub(crate) fn job(name: &str, shell: &str) -> String {
    let container = Container {
        shell,
        ..Container::default()
    };
    format!(
        "{}spec:\n  backoffLimit: 0\n{}",
        head("batch/v1", "Job", name),
        container.pod(name, "Never", "")
    )
}

/// A CronJob that is never due.
pub(crate) fn cron_job(name: &str) -> String {
    let job = format!(
        "spec:\n  backoffLimit: 0\n{}",
        Container::default().pod(name, "Never", "")
    );
    let indented: String = job.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "{}spec:
  schedule: \"0 0 1 1 *\"
  jobTemplate:
{indented}",
        head("batch/v1", "CronJob", name)
    )
}

/// A StatefulSet of one pod with a claim of this size.
pub(crate) fn stateful_set(name: &str, size: &str, service: &str) -> String {
    let mounted = "          volumeMounts:
            - name: data
              mountPath: /data
";
    format!(
        "{}spec:
  serviceName: {service}
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      app.kubernetes.io/component: {name}
{}  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {{{{quote cluster.storage.class}}}}
        resources:
          requests:
            storage: {size}
",
        head("apps/v1", "StatefulSet", name),
        Container::default().pod(name, "Always", mounted)
    )
}
