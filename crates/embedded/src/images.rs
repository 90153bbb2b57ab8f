//! Images in the cluster's container runtime, and the one that it needs itself.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::command::{command, output};
use crate::inside::{CONTAINERD, PROGRAMS};
use crate::processes::Process;

/// The image of the process that holds a pod's namespaces.
pub(crate) const PAUSE: &str = "longrun.dev/pause:1";

/// Keeps the kubelet from ever removing the image.
pub(crate) const PINNED: &str = "io.cri-containerd.pinned=pinned";

/// `ctr` inside the namespaces that `supervisor` is in.
fn ctr(supervisor: Process) -> std::process::Command {
    let mut ctr = command("nsenter");
    ctr.arg(format!("--target={}", supervisor.pid))
        .args(["--mount", "--pid", "--net"])
        .arg(format!("{PROGRAMS}/ctr"))
        .args(["--address", CONTAINERD, "--namespace", "k8s.io", "images"]);
    ctr
}

/// Imports all images of an archive as docker and buildah write them.
pub(crate) fn import(supervisor: Process, archive: &Path) -> Result<(), Error> {
    // As the path may be hidden inside the namespaces, the file goes in open.
    let file = File::open(archive).map_err(Error::file("open", archive))?;
    let mut import = ctr(supervisor);
    import
        .args(["import", "--local", "--label", PINNED, "-"])
        .stdin(file);
    output(&mut import).map(drop)
}

/// The references of all images.
pub(crate) fn references(supervisor: Process) -> Result<BTreeSet<String>, Error> {
    let mut list = ctr(supervisor);
    list.args(["list", "--quiet"]);
    Ok(output(&mut list)?.lines().map(String::from).collect())
}

/// An archive, in docker's format, with an image of just the program `pause`.
pub(crate) fn pause_archive(programs: &Path) -> Result<Vec<u8>, Error> {
    let path = programs.join("pause");
    let program = fs::read(&path).map_err(Error::file("read", &path))?;
    let failed = |error| Error::file("archive", &path)(error);
    let layer = archive(&[("pause", 0o755, &program)]).map_err(failed)?;
    let configuration = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Entrypoint": ["/pause"], "User": "65535:65535" },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&Sha256::digest(&layer)))] },
    })
    .to_string();
    let manifest =
        json!([{ "Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"] }])
            .to_string();
    archive(&[
        ("manifest.json", 0o644, manifest.as_bytes()),
        ("config.json", 0o644, configuration.as_bytes()),
        ("layer.tar", 0o644, &layer),
    ])
    .map_err(failed)
}

fn archive(files: &[(&str, u32, &[u8])]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content)?;
    }
    builder.into_inner()
}

/// This machine's architecture by the name that images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
