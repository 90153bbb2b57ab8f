//! A Restate node as others see it: its ingress, its admin interface with SQL, its metrics, and
//! the server itself as a local process.
//!
//! Plain HTTP/1.1 without TLS, one connection a request: the callers are in the same namespace or
//! on the same machine, and a connection that is not kept cannot be a stale one after a restart.
//! Facts about the interfaces are those of Restate 1.7.12; where 1.6 differs, that is said.

mod admin;
mod error;
mod http;
mod ingress;
mod invocations;
mod metrics;
mod origin;
pub mod process;
mod sql;

pub use admin::{Admin, Deployment, Registration};
pub use error::{Error, one_line};
pub use ingress::{Ingress, Object};
pub use invocations::{Count, OPEN_AT_MOST, Open, Status, open_invocations};
pub use metrics::{Leaders, Node};
pub use origin::{InvalidOrigin, Origin};
pub use sql::{quote, state_of};
