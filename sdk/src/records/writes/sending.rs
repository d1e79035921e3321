//! Making many writes, call by call.

use std::{collections::VecDeque, ops::Range};

use super::{Budget, Collected, Write, WritesError, Written};
use crate::{
    api::com::atproto::repo::apply_writes,
    types::AtIdentifier,
    xrpc::{self, Call, Caller, InvalidRequest, Reached},
};

/// How many writes servers accept in one call.
const MAX_WRITES: usize = 200;
/// How many bytes of writes are sent in one call. The common servers refuse JSON of more than 150 KiB.
const MAX_BYTES: usize = 140_000;

/// Writes that are being made. Those that have certainly not been made when this is dropped return to where they were collected.
pub(super) struct Sending<'c> {
    pub(super) caller: Caller<'c>,
    pub(super) collected: Collected,
    pub(super) repo: AtIdentifier,
    pub(super) left: VecDeque<Write>,
    /// The writes of the call in progress.
    pub(super) under_way: Vec<Write>,
    /// Whether that call may have been processed. It may wait for points for an hour before.
    pub(super) reached: Reached,
    pub(super) done: Vec<Written>,
    pub(super) problem: Option<InvalidRequest>,
    pub(super) validate: Option<bool>,
    /// For a client without a pacing.
    pub(super) budget: Option<Budget>,
}

impl Sending<'_> {
    /// Makes the next call, and returns which writes are done by that. `None` if there is nothing left.
    pub(super) async fn batch(&mut self) -> Option<Result<Range<usize>, WritesError>> {
        if let Some(problem) = self.problem.take() {
            return Some(Err(self.failed(problem.into())));
        }
        self.take_batch();
        if self.under_way.is_empty() {
            return None;
        }
        let writes = self.under_way.iter().map(Write::item).collect();
        let mut input = apply_writes::Input::new(self.repo.clone(), writes);
        input.validate = self.validate;
        let call = Call::<apply_writes::ApplyWrites>::new(self.caller, apply_writes::Params::new(), input);
        let call = match &self.budget {
            Some(budget) => call.pacing(budget.clone()),
            None => call,
        };
        self.reached = Reached::default();
        let output = match call.reporting(self.reached.clone()).await {
            Ok(output) => output,
            Err(error) => return Some(Err(self.failed(error))),
        };
        let first = self.done.len();
        let mut results = output.results.unwrap_or_default().into_iter();
        let made = std::mem::take(&mut self.under_way).into_iter();
        self.done.extend(made.map(|write| write.made(&self.repo, results.next())));
        Some(Ok(first..self.done.len()))
    }

    /// Takes as many writes as fit into a call, and at least one.
    fn take_batch(&mut self) {
        let mut size = 0;
        while self.under_way.len() < MAX_WRITES
            && let Some(next) = self.left.front()
        {
            size += next.size();
            if size > MAX_BYTES && !self.under_way.is_empty() {
                break;
            }
            self.under_way.extend(self.left.pop_front());
        }
    }

    fn failed(&mut self, error: xrpc::Error<apply_writes::Error>) -> WritesError {
        let (batch, left) = (std::mem::take(&mut self.under_way), std::mem::take(&mut self.left));
        let (unknown, mut not_done) =
            if self.reached.may_be_done() { (batch, Vec::new()) } else { (Vec::new(), batch) };
        not_done.extend(left);
        WritesError { source: Box::new(error), done: std::mem::take(&mut self.done), unknown, not_done }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if self.reached.may_be_done() {
            // Made again, they could be there twice.
            self.under_way.clear();
        }
        if self.under_way.is_empty() && self.left.is_empty() && self.problem.is_none() {
            return;
        }
        let mut pending = self.collected.lock();
        pending.writes.splice(..0, self.under_way.drain(..).chain(self.left.drain(..)));
        if let Some(problem) = self.problem.take() {
            // It was there before any other.
            pending.problem = Some(problem);
        }
    }
}

impl std::fmt::Debug for Sending<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sending").field("left", &self.left.len()).field("done", &self.done.len()).finish()
    }
}
