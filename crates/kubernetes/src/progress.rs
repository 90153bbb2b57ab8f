//! What goes on, for whoever shows it.

pub use longrun_core::execution::Progress;

/// Takes what goes on. It is called often and must return at once.
pub type OnProgress<'a> = &'a (dyn Fn(&Progress<'_>) + Send + Sync);
