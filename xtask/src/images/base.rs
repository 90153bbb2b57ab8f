//! The base of all images: Debian's, pulled, or made here from the same packages where no registry can be
//! reached.

use std::{path::Path, time::Duration};

use tokio::process::Command;

use super::{
    Error, Report,
    builder::Builder,
    key::{Ingredient, content_key},
    run::run,
};

/// The default of `BASE` in the Containerfiles.
pub(super) const NAME: &str = "debian:bookworm-slim";
const SUITE: &str = "bookworm";

/// How long a pull may take before the base is made here instead. It is 30 MB; without a connection it
/// fails at once, or never.
const PULL: Duration = Duration::from_secs(60);

/// What Debian leaves out of its slim images, and what would tell one machine's image from another's.
const OPTIONS: [&str; 13] = [
    "--variant=minbase",
    "--dpkgopt=force-unsafe-io",
    "--format=tar",
    "--aptopt=Acquire::Languages \"none\"",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/lintian/*",
    "--customize-hook=rm -f \"$1\"/etc/apt/apt.conf.d/99mmdebstrap",
    "--customize-hook=rm -f \"$1\"/etc/hostname \"$1\"/etc/resolv.conf",
    "--customize-hook=rm -rf \"$1\"/var/cache/debconf/*-old \"$1\"/var/log/*",
];

/// Begins with the one /usr that Debian's images have. Otherwise a package is brought in that would merge
/// an old one, and with it the whole of Perl, half as large as the rest.
const MERGED_USR: &str = "/usr/share/mmdebstrap/hooks/merged-usr";

/// What the builder has the base as, after pulling or making it where it is missing.
pub(super) async fn provide(
    builder: Builder,
    folder: &Path,
    report: Report<'_>,
) -> Result<String, Error> {
    if builder.has(NAME).await? {
        return Ok(NAME.to_owned());
    }
    // Under a name of its own: what is called Debian's here has to be Debian's.
    let recipe: Vec<Ingredient<'_>> = OPTIONS
        .iter()
        .map(|option| Ingredient {
            name: option,
            identity: String::new(),
        })
        .collect();
    let key = content_key(&[], NAME, &recipe);
    let made = format!("localhost/longrun-base:{SUITE}-{key}");
    if builder.has(&made).await? {
        return Ok(made);
    }
    let tree = folder.join(format!("base.{SUITE}-{key}.tar"));
    if !tree.is_file() {
        report(&format!("pulling {NAME}"));
        let pull = match tokio::time::timeout(PULL, builder.pull(NAME, report)).await {
            Ok(Ok(())) => return Ok(NAME.to_owned()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not finished after {} s", PULL.as_secs()),
        };
        report(&format!(
            "{NAME} cannot be pulled; making it from Debian packages"
        ));
        make(&tree, report).await.map_err(|error| match error {
            full @ Error::DiskFull { .. } => full,
            error => Error::Base {
                base: NAME,
                pull,
                make: chain(&error),
            },
        })?;
    }
    report(&format!("importing the base {NAME}"));
    builder.import(&tree, &made, folder).await?;
    Ok(made)
}

/// Makes a root file system of the packages that this machine's own apt would install.
async fn make(tree: &Path, report: Report<'_>) -> Result<(), Error> {
    let partial = tree.with_extension("partial");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(OPTIONS);
    if Path::new(MERGED_USR).is_dir() {
        mmdebstrap.arg(format!("--hook-dir={MERGED_USR}"));
    }
    for option in apt_options().await {
        mmdebstrap.arg(format!("--aptopt={option}"));
    }
    // With no source at all, mmdebstrap takes Debian's own.
    mmdebstrap
        .arg(SUITE)
        .arg(&partial)
        .args(apt_sources().await);
    let news = |line: &str| {
        // Its own lines, without those of the programs that it runs.
        if let Some(line) = line.strip_prefix("I: ") {
            report(&format!("making {NAME}: {line}"));
        }
    };
    let ran = run(&mut mmdebstrap, &news)
        .await
        .map_err(Error::start("mmdebstrap"))?;
    ran.succeeded("making the base from Debian packages")?;
    std::fs::rename(&partial, tree).map_err(Error::file("create", tree))
}

/// Where this machine gets the packages of the suite from, as lines of a sources.list.
async fn apt_sources() -> Vec<String> {
    let format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
    let listed = ask(
        "apt-get",
        &["indextargets", "--format", format, "Identifier: Packages"],
    )
    .await;
    sources(&listed)
}

fn sources(listed: &str) -> Vec<String> {
    let mut sources: Vec<String> = listed
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (repository, release, component) = (words.next()?, words.next()?, words.next()?);
            let of_suite = release
                .strip_prefix(SUITE)
                .is_some_and(|rest| ["", "-updates", "-security"].contains(&rest));
            // Others call their suites like Debian's, but not their components.
            (of_suite && component == "main").then(|| format!("deb {repository} {release} main"))
        })
        .collect();
    sources.sort();
    sources.dedup();
    // Updates alone are no system.
    let is_whole = sources
        .iter()
        .any(|source| source.ends_with(&format!(" {SUITE} main")));
    if is_whole { sources } else { Vec::new() }
}

/// How this machine's apt reaches its mirrors: proxies, and what it checks of what they answer.
async fn apt_options() -> Vec<String> {
    options(&ask("apt-config", &["dump"]).await)
}

fn options(dumped: &str) -> Vec<String> {
    let ways = [
        "Acquire::http::",
        "Acquire::https::",
        "Acquire::Check-",
        "Acquire::Retries",
        "Acquire::ForceIPv",
    ];
    dumped
        .lines()
        .filter(|line| ways.iter().any(|way| line.starts_with(way)))
        .map(str::to_owned)
        .collect()
}

/// What a program prints; nothing where it is missing or fails, because its answer only refines what is
/// right without it.
async fn ask(program: &str, arguments: &[&str]) -> String {
    let ran = run(Command::new(program).args(arguments), &|_| ()).await;
    ran.ok()
        .filter(|ran| ran.success)
        .map(|ran| ran.stdout)
        .unwrap_or_default()
}

fn chain(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_of_the_suite_are_taken() {
        let listed = "http://mirror.example/debian/ bookworm main\n\
             http://mirror.example/debian/ bookworm contrib\n\
             http://mirror.example/debian/ bookworm-updates main\n\
             http://mirror.example/debian-security/ bookworm-security main\n\
             http://mirror.example/debian/ bookworm main\n\
             http://node.example/ nodistro main\n\
             http://docker.example/ bookworm stable\n";
        assert_eq!(
            sources(listed),
            [
                "deb http://mirror.example/debian-security/ bookworm-security main",
                "deb http://mirror.example/debian/ bookworm main",
                "deb http://mirror.example/debian/ bookworm-updates main",
            ]
        );
    }

    #[test]
    fn sources_of_another_system_are_not_taken() {
        assert!(sources("http://mirror.example/ubuntu/ noble main\n").is_empty());
        assert!(sources("http://mirror.example/debian/ bookworm-updates main\n").is_empty());
        assert!(sources("").is_empty());
    }

    #[test]
    fn only_options_about_the_connection_are_taken() {
        let dumped = "APT \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\nAcquire::Check-Date \"false\";\n\
             Acquire::IndexTargets \"\";\nDPkg::Post-Invoke:: \"rm -f /x\";\n";
        assert_eq!(
            options(dumped),
            [
                "Acquire::http::Proxy \"http://proxy.example:3128\";",
                "Acquire::Check-Date \"false\";"
            ]
        );
    }
}
