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
#[error(
    "`{0}` is not a path in a program: write `root`, command indices like `3.0.12`, or `3.0c12` for one command alone"
)]
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

/// A part of a program that is kept when it is made smaller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    /// Of a node, the way to it; of a command, the way to its node and then its index.
    path: Path,
    /// Only the command, and not what is below it.
    alone: bool,
}

impl Part {
    /// A node with all that it does and calls. Written `3.0.12`.
    #[must_use]
    pub fn node(path: Path) -> Self {
        Self { path, alone: false }
    }

    /// One command of a node: an increment, a sleep, or a call of a node that then does nothing.
    /// Written `3.0c12`, of the root `c12`. An await needs no mention, it stays with its call.
    #[must_use]
    pub fn command(node: &Path, index: u16) -> Self {
        Self {
            path: node.child(index),
            alone: true,
        }
    }

    /// Whether the call at this path is on the way to this part, is it, or is below it.
    fn needs_call(&self, call: &Path) -> bool {
        self.path.0.starts_with(&call.0) || self.contains(call)
    }

    /// Whether all below this path belongs to this part.
    fn contains(&self, path: &Path) -> bool {
        !self.alone && path.0.starts_with(&self.path.0)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.0.split_last() {
            Some((index, [])) if self.alone => write!(f, "c{index}"),
            Some((index, node)) if self.alone => write!(f, "{}c{index}", Path(node.to_vec())),
            _ => self.path.fmt(f),
        }
    }
}

impl FromStr for Part {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let Some((node, index)) = text.split_once('c') else {
            return text.parse().map(Self::node);
        };
        let node = match node {
            "" => Path::root(),
            node => node.parse()?,
        };
        let index = canonical_number(index).ok_or_else(|| InvalidPath(text.into()))?;
        Ok(Self::command(&node, index))
    }
}

/// Which part of a program runs. A failing program is made smaller by keeping less of it; the nodes
/// that stay have the same targets, and their commands the same indices, as before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kept {
    /// The whole program.
    #[default]
    All,
    /// Only these, and the way to them. Sorted, none within or on the way to another, never empty:
    /// made by [`Kept::parts`].
    Parts(Vec<Part>),
}

impl Kept {
    /// Keeps these nodes, what they call, and the way to them. No path, or the root: everything.
    #[must_use]
    pub fn paths(paths: Vec<Path>) -> Self {
        Self::parts(paths.into_iter().map(Part::node).collect())
    }

    /// Keeps these parts and the way to them. No part, or the root with all below it: everything.
    #[must_use]
    pub fn parts(mut parts: Vec<Part>) -> Self {
        parts.sort();
        parts.dedup();
        // What another part has or needs anyway adds nothing, and one program has one name. In this
        // order the parts below one follow it, and come before all others.
        let mut sparse: Vec<Part> = Vec::with_capacity(parts.len());
        for part in parts {
            while let Some(before) = sparse.last() {
                if !before.alone || !part.path.0.starts_with(&before.path.0) {
                    break;
                }
                sparse.pop();
            }
            if !sparse
                .last()
                .is_some_and(|before| before.contains(&part.path))
            {
                sparse.push(part);
            }
        }
        if sparse.first().is_none_or(|part| part.path.0.is_empty()) {
            return Self::All;
        }
        Self::Parts(sparse)
    }

    /// Whether the call at this path still happens.
    #[must_use]
    pub fn keeps_call(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Parts(parts) => parts.iter().any(|part| part.needs_call(path)),
        }
    }

    /// Whether the increment or sleep at this index of the node at this path still happens. A node
    /// that is only the way to others does nothing itself.
    #[must_use]
    pub fn keeps_work(&self, node: &Path, index: u16) -> bool {
        match self {
            Self::All => true,
            Self::Parts(parts) => parts.iter().any(|part| {
                let alone = || part.path.0.split_last() == Some((&index, &node.0));
                part.contains(node) || (part.alone && alone())
            }),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Parts(parts) => {
                for (place, part) in parts.iter().enumerate() {
                    let separator = if place == 0 { 'k' } else { '_' };
                    write!(f, "{separator}{part}")?;
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
        let parts = listed
            .split('_')
            .map(str::parse)
            .collect::<Result<Vec<Part>, _>>()?;
        Ok(Self::parts(parts))
    }
}

/// A decimal number written the one way `Display` writes it: no sign, no leading zero. Two texts
/// for one number would be two service keys for one program.
pub(crate) fn canonical_number<N: FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}
