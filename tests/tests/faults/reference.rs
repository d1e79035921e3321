//! The reference client.
use tokio::process::Command;
#[derive(Debug)]
pub(crate) struct Reference;
impl Reference {
    pub(crate) fn driver(&self) -> Command {
        Command::new("false")
    }
}
