//! Work that a service has under way.

use super::{Handle, Task};
use crate::error::Error;
use crate::redfish::model::task::Task as Model;
use crate::task::{Outcome, Task as Watched};

impl Handle<Model> {
    /// To wait for its end, or to be told how far it is.
    pub fn watch(&self) -> Watched {
        // The task itself still stands when its monitor has told the end, and is gone.
        Watched::at(self.client(), self.uri())
    }

    /// Asks for its end.
    ///
    /// # Errors
    /// As [`Handle::delete`].
    pub async fn cancel(&self) -> Result<Outcome, Error> {
        self.delete().await
    }

    /// The tasks that it consists of; none where it is one.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn parts(&self) -> Result<Vec<Task>, Error> {
        match self.link("/SubTasks") {
            Ok(_) => self.list("/SubTasks").await,
            Err(_) => Ok(Vec::new()),
        }
    }
}
