//! Objects as decisions read them, straight from the API server.

use longrun_core::{cluster::View, object::ObjectRef};
use serde_json::Value;

use crate::{client::Client, failure::Failure, resource::Collection};

impl Client {
    /// An object, if it exists.
    pub(crate) async fn view<T: View>(&self, object: &ObjectRef) -> Result<Option<T>, Failure> {
        let live = self.get(object).await?;
        Ok(live.as_ref().map(T::read).transpose()?)
    }

    /// The objects of a kind in a namespace that the query selects.
    pub(crate) async fn views<T: View>(
        &self,
        namespace: &str,
        query: &str,
    ) -> Result<Vec<T>, Failure> {
        let collection = Collection::in_namespace(T::API_VERSION, T::KIND, namespace);
        let live = self.list(&collection, query).await?;
        read(&live)
    }
}

pub(crate) fn read<T: View>(live: &[Value]) -> Result<Vec<T>, Failure> {
    Ok(live.iter().map(T::read).collect::<Result<_, _>>()?)
}
