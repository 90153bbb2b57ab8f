//! A plan that many hold and nobody changes is written like any other.

use alloc::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Plan;

pub(crate) fn serialize<S: Serializer>(plan: &Arc<Plan>, to: S) -> Result<S::Ok, S::Error> {
    Plan::serialize(plan, to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Plan>, D::Error> {
    Plan::deserialize(from).map(Arc::new)
}
