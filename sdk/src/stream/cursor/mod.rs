//! Durable cursors: what a consumer has acknowledged, kept in a store.
//!
//! Data flows one way: the stream gives an event and notes it in the [`Ledger`](ledger::Ledger), the consumer acknowledges it
//! through an [`Acknowledgement`], and a task, the [`keeper`], writes the progress into the store.

mod acknowledgement;
mod error;
#[cfg(test)]
pub(crate) mod flaky;
mod keeper;
mod ledger;
mod saved;

pub use acknowledgement::Acknowledgement;
pub(crate) use acknowledgement::Acknowledgements;
pub use error::CursorError;
pub(crate) use keeper::{BeforeSave, Keeper, Place, Report};
pub(crate) use ledger::{EventId, Ledger, Progress};
pub(crate) use saved::StreamName;
