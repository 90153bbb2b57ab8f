//! Images: the programs of this project and the server under test, each on a Debian base, built with
//! whatever builds images here.
//!
//! An image is named by what is in it, so that a name never changes its meaning and what exists already
//! is neither built nor moved again.

use std::path::{Path, PathBuf};

use longrun_core::inputs::{ImageName, ImageReference, Registry};
use tokio::sync::OnceCell;

mod base;
mod builder;
mod built;
mod error;
mod key;
mod program;
mod run;
mod store;

use builder::Builder;
pub(crate) use error::Error;
use key::{Ingredient, content_key};
use program::{Binary, Program};

/// Is told what is being done.
pub(crate) type Report<'a> = &'a dyn Fn(&str);

/// An image that can be built here, built or not.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// As the environments call it.
    pub(crate) name: ImageName,
    /// Where nodes find it: `<registry>/<name>:<tag>-<key of its content>`.
    pub(crate) reference: ImageReference,
    containerfile: PathBuf,
    program: Program,
}

#[derive(Debug)]
pub(crate) struct ImageBuilder {
    /// The project: Containerfiles and sources.
    root: PathBuf,
    /// What can be made again. Archives are in `images` below it.
    cache: PathBuf,
    /// Looked for when the first image has to be built, and not for those that exist.
    builder: OnceCell<Builder>,
}

impl ImageBuilder {
    /// A builder for the project at `root` that keeps its archives below `cache`.
    pub(crate) fn new(root: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            cache: cache.into(),
            builder: OnceCell::new(),
        }
    }

    /// What the names of environments stand for on a cluster with this registry. Builds the programs
    /// whose sources have changed, if there is anybody to report to, and no image.
    ///
    /// # Errors
    /// [`Error::UnknownImage`] for a name without Containerfile, [`Error::Cargo`] when the sources do not
    /// build, [`Error::NotBuilt`] when they were not to be, [`Error::Reference`] when a tag leaves no room for the
    /// key.
    pub(crate) async fn references(
        &self,
        names: impl IntoIterator<Item = &ImageName>,
        registry: &Registry,
        report: Option<Report<'_>>,
    ) -> Result<Vec<Image>, Error> {
        // Read once for all of them: it is every file of every crate.
        let sources = built::sources(&self.root);
        let mut images = Vec::new();
        for name in names {
            let image = self.image(name, registry, sources.as_deref(), report);
            images.push(image.await?);
        }
        Ok(images)
    }

    async fn image(
        &self,
        name: &ImageName,
        registry: &Registry,
        sources: Option<&str>,
        report: Option<Report<'_>>,
    ) -> Result<Image, Error> {
        let containerfile = self
            .root
            .join("images")
            .join(format!("{}.Containerfile", name.name()));
        let recipe = match std::fs::read(&containerfile) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::UnknownImage {
                    name: name.clone(),
                    containerfile,
                });
            }
            recipe => recipe.map_err(Error::file("read", &containerfile))?,
        };
        let program = match name.name() {
            "restate" => Program::released(name.tag())?,
            "busybox" => Program::Packaged {
                version: name.tag().to_owned(),
            },
            other => {
                let Some(binary) = program::in_image(other) else {
                    return Err(Error::UnknownImage {
                        name: name.clone(),
                        containerfile,
                    });
                };
                program::build(binary, &self.root, &self.folder(), sources, report).await?
            }
        };
        let ingredient = Ingredient {
            name: program.file_name(),
            identity: program.identity(),
        };
        let key = content_key(&recipe, base::NAME, &[ingredient]);
        let text = format!("{registry}/{name}-{key}");
        let reference = ImageReference::try_from(text).map_err(Error::Reference)?;
        Ok(Image {
            name: name.clone(),
            reference,
            containerfile,
            program,
        })
    }

    /// The executable of a released server, installed where it is missing: what the image of that version
    /// has in it.
    ///
    /// # Errors
    /// [`Error::Npm`], [`Error::NoSuchRestate`], [`Error::DiskFull`].
    pub(crate) async fn restate_server(
        &self,
        version: &str,
        report: Report<'_>,
    ) -> Result<PathBuf, Error> {
        // Npm is asked for exact versions only.
        Program::released(version)?;
        program::install(version, &self.cache, report).await
    }

    /// The executable that the image of these sources has in it, built where they have changed.
    ///
    /// # Errors
    /// [`Error::Cargo`] when they do not build.
    pub(crate) async fn verification(&self, report: Report<'_>) -> Result<PathBuf, Error> {
        self.executable(program::VERIFICATION, report).await
    }

    /// The service that is wrong on purpose, which is in no image.
    ///
    /// # Errors
    /// [`Error::Cargo`] when it does not build.
    pub(crate) async fn faulty_service(&self, report: Report<'_>) -> Result<PathBuf, Error> {
        self.executable(program::FAULTY_SERVICE, report).await
    }

    async fn executable(&self, binary: Binary, report: Report<'_>) -> Result<PathBuf, Error> {
        let (root, folder) = (&self.root, self.folder());
        let sources = built::sources(root);
        match program::build(binary, root, &folder, sources.as_deref(), Some(report)).await? {
            Program::Built { path, .. } => Ok(path),
            other => Err(Error::Cargo(format!("{} is not built", other.file_name()))),
        }
    }

    /// The image as a file that container runtimes import, in docker's format; built unless it exists.
    ///
    /// # Errors
    /// [`Error::NoBuilder`], [`Error::Npm`], [`Error::NoSuchRestate`], [`Error::Base`], [`Error::Build`],
    /// [`Error::DiskFull`]: nothing has changed but the cache.
    pub(crate) async fn archive(
        &self,
        image: &Image,
        report: Report<'_>,
    ) -> Result<PathBuf, Error> {
        let archive = self.archive_path(image);
        if archive.is_file() {
            return Ok(archive);
        }
        let lock = store::lock(&self.folder(), report).await?;
        // Whoever had the lock may have built this very image.
        if !archive.is_file() {
            let builder = self.builder().await?;
            if !builder.has(&image.reference).await? {
                self.build(builder, image, report).await?;
            }
            report(&format!("writing {} as an archive", image.name));
            let partial = self.folder().join(store::PARTIAL);
            builder.save(&image.reference, &partial).await?;
            std::fs::rename(&partial, &archive).map_err(Error::file("create", &archive))?;
            builder.forget(&image.reference).await;
            store::prune(&self.folder(), image.name.name());
        }
        drop(lock);
        Ok(archive)
    }

    /// Pushes the image and answers its reference with the digest that the registry gave it.
    ///
    /// # Errors
    /// [`Error::Unauthorised`], [`Error::NoRepository`] or [`Error::Push`] when the registry refuses, and
    /// those of [`Self::archive`].
    pub(crate) async fn push(
        &self,
        image: &Image,
        report: Report<'_>,
    ) -> Result<ImageReference, Error> {
        // By way of the archive, so that it is built once however often it is pushed.
        let archive = self.archive(image, report).await?;
        let lock = store::lock(&self.folder(), report).await?;
        let builder = self.builder().await?;
        if !builder.has(&image.reference).await? {
            report(&format!("loading {}", image.name));
            builder.load(&archive).await?;
        }
        report(&format!("pushing {}", image.reference));
        let pushed = builder.push(&image.reference, &self.folder(), report).await;
        builder.forget(&image.reference).await;
        drop(lock);
        let digest = pushed?;
        ImageReference::try_from(format!("{}@{digest}", image.reference)).map_err(Error::Reference)
    }

    /// Builds the image into the builder's own store.
    async fn build(
        &self,
        builder: Builder,
        image: &Image,
        report: Report<'_>,
    ) -> Result<(), Error> {
        let base = base::provide(builder, &self.folder(), report).await?;
        let context = self.folder().join(store::STAGING);
        std::fs::create_dir_all(&context).map_err(Error::file("create", &context))?;
        let program = image.program.stage(&self.cache, &context, report).await;
        let built = match program {
            Ok(()) => {
                report(&format!("building {}", image.name));
                builder.build(image, &base, &context, report).await
            }
            Err(error) => Err(error),
        };
        // It is as large as the program; what cannot be removed now goes with the next build.
        let _ = std::fs::remove_dir_all(&context);
        built
    }

    async fn builder(&self) -> Result<Builder, Error> {
        self.builder.get_or_try_init(Builder::find).await.copied()
    }

    fn folder(&self) -> PathBuf {
        self.cache.join("images")
    }

    /// By the whole reference, because that is inside the archive.
    fn archive_path(&self, image: &Image) -> PathBuf {
        let name = image.reference.as_str().replace(['/', ':'], "_");
        self.folder().join(format!(
            "{}.{name}.tar",
            image.name.name().replace('/', "_")
        ))
    }
}

/// The name of a file for messages.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
