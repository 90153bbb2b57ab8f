//! Where a node is in a program, and which nodes of it are kept when a failure is made smaller.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The way from the root to a node: at each step the index of the call among the commands of its
/// node, in the whole program. Written `3.0.12`, the root `root`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<u16>);

impl Path {
    /// The path of the root.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of the node that command `index` of this node calls.
    #[must_use]
    pub fn child(&self, index: u16) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(index);
        Self(steps)
    }

    /// The indices of the calls, from the root down.
    #[must_use]
    pub fn steps(&self) -> &[u16] {
        &self.0
    }

    /// Whether one of the two is the other or leads to it.
    fn on_one_line_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("root");
        }
        for (place, step) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "." };
            write!(f, "{separator}{step}")?;
        }
        Ok(())
    }
}

/// Text that is not a path of a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path in a program: write `root`, or command indices like `3.0.12`")]
pub struct InvalidPath(String);

impl FromStr for Path {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text == "root" {
            return Ok(Self::root());
        }
        text.split('.')
            .map(|step| canonical_number(step).ok_or_else(|| InvalidPath(text.into())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Which part of a program runs. A failing program is made smaller by keeping fewer paths; the
/// nodes that stay have the same targets and commands as before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kept {
    /// The whole program.
    #[default]
    All,
    /// Only these nodes with all that they call, and the way to them. Sorted, without duplicates,
    /// never empty: made by [`Kept::paths`].
    Paths(Vec<Path>),
}

impl Kept {
    /// Keeps these nodes, what they call, and the way to them. No path, or the root: everything.
    #[must_use]
    pub fn paths(mut paths: Vec<Path>) -> Self {
        paths.sort();
        paths.dedup();
        // A path below another kept one adds nothing, and one program has one name.
        let all = paths.clone();
        paths.retain(|path| {
            !all.iter()
                .any(|other| other != path && path.0.starts_with(&other.0))
        });
        if paths.first().is_none_or(|path| path.0.is_empty()) {
            return Self::All;
        }
        Self::Paths(paths)
    }

    /// Whether the call at this path still happens.
    #[must_use]
    pub fn keeps_call(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Paths(paths) => paths.iter().any(|kept| kept.on_one_line_with(path)),
        }
    }

    /// Whether the node at this path still increments and sleeps, rather than being only the way
    /// to a kept one.
    #[must_use]
    pub fn keeps_work_of(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Paths(paths) => paths.iter().any(|kept| path.0.starts_with(&kept.0)),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Paths(paths) => {
                for (place, path) in paths.iter().enumerate() {
                    let separator = if place == 0 { 'k' } else { '_' };
                    write!(f, "{separator}{path}")?;
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Kept {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text == "all" {
            return Ok(Self::All);
        }
        let listed = text
            .strip_prefix('k')
            .ok_or_else(|| InvalidPath(text.into()))?;
        let paths = listed
            .split('_')
            .map(str::parse)
            .collect::<Result<Vec<Path>, _>>()?;
        Ok(Self::paths(paths))
    }
}

/// A decimal number written the one way `Display` writes it: no sign, no leading zero. Two texts
/// for one number would be two service keys for one program.
pub(crate) fn canonical_number<N: FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}
