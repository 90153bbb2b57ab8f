//! Where a cluster's files are: what is data, and what can be made again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Error;

/// The two directories below which all clusters keep their files.
#[derive(Debug, Clone)]
pub struct Places {
    /// Data: databases, volumes, keys, logs.
    pub state: PathBuf,
    /// What can be made again: built programs, kubeconfigs.
    pub cache: PathBuf,
}

impl Places {
    /// `longrun` in the user's state and cache directories: `XDG_STATE_HOME`
    /// and `XDG_CACHE_HOME`, or `.local/state` and `.cache` in the home.
    ///
    /// # Errors
    /// [`Error::NoHome`] when neither the variable nor `HOME` is set.
    pub fn of_user() -> Result<Self, Error> {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let directory = |name: &'static str, in_home: &str| {
            // The XDG specification says that a relative path is to be ignored.
            set(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .or_else(|| set("HOME").map(|home| Path::new(&home).join(in_home)))
                .map(|path| path.join("longrun"))
                .ok_or(Error::NoHome(name))
        };
        Ok(Self {
            state: directory("XDG_STATE_HOME", ".local/state")?,
            cache: directory("XDG_CACHE_HOME", ".cache")?,
        })
    }
}

/// The files of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    /// Everything that `delete_data` removes.
    pub(crate) state: PathBuf,
    /// The kubeconfig and a copy of the supervising program.
    pub(crate) cache: PathBuf,
    /// Built programs, shared by all clusters.
    pub(crate) programs: PathBuf,
}

impl Directories {
    pub(crate) fn new(places: &Places, name: &str) -> Self {
        Self {
            state: places.state.join("clusters").join(name),
            cache: places.cache.join("clusters").join(name),
            programs: places.cache.join("embedded"),
        }
    }

    /// As the supervisor sees them, which needs only the state.
    pub(crate) fn of_state(state: &Path) -> Self {
        Self {
            state: state.into(),
            cache: PathBuf::new(),
            programs: PathBuf::new(),
        }
    }

    /// Held by whoever starts or stops the cluster.
    pub(crate) fn lock(&self) -> PathBuf {
        self.state.join("operation.lock")
    }

    /// Held by the supervisor as long as it lives.
    pub(crate) fn supervisor_lock(&self) -> PathBuf {
        self.state.join("supervisor.lock")
    }

    /// The processes and the network of the running cluster.
    pub(crate) fn record(&self) -> PathBuf {
        self.state.join("record.json")
    }

    /// Written by the supervisor at each change.
    pub(crate) fn components(&self) -> PathBuf {
        self.state.join("components.json")
    }

    /// The UID of kube-system, written when the cluster was first up.
    pub(crate) fn identity(&self) -> PathBuf {
        self.state.join("kube-system-uid")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.state.join("pki")
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.state.join("configuration")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    pub(crate) fn log(&self, component: &str) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }

    /// The sparse file that holds the volumes.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.state.join("volumes.btrfs")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.cache.join("kubeconfig")
    }

    /// The supervising program is copied, so that building the workspace again
    /// does not disturb a running cluster.
    pub(crate) fn supervisor(&self) -> PathBuf {
        self.cache.join("supervisor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<[String; 2], Error> {
        let places = Places::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        })?;
        Ok([places.state, places.cache].map(|path| path.display().to_string()))
    }

    #[test]
    fn a_variable_goes_before_the_home_where_it_says_a_place() {
        let home = ("HOME", "/home/a");
        let in_home = ["/home/a/.local/state/longrun", "/home/a/.cache/longrun"];
        assert_eq!(of(&[home]).unwrap(), in_home);
        let set = [home, ("XDG_STATE_HOME", "/s"), ("XDG_CACHE_HOME", "/c")];
        assert_eq!(of(&set).unwrap(), ["/s/longrun", "/c/longrun"]);
        for nowhere in ["", "relative"] {
            let set = [home, ("XDG_STATE_HOME", nowhere)];
            assert_eq!(of(&set).unwrap(), in_home);
        }
        for homeless in [&[][..], &[("HOME", "")], &[("XDG_STATE_HOME", "/s")]] {
            assert!(matches!(of(homeless), Err(Error::NoHome(_))));
        }
    }
}
