//! A list of collections or methods, or all of them.

use super::error::ScopeProblem;
use crate::types::Nsid;

/// All names, or those in a list, which is sorted, without duplicates and never empty.
///
/// A name that was decoded and is not valid is kept as an empty one: it is covered by nothing, and a scope with it is
/// refused. As it is, it could mean more than was intended (`*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Names {
    All,
    Listed(Vec<Nsid>),
}

fn valid(name: Nsid) -> Nsid {
    if name.is_valid() { name } else { Nsid::known("") }
}

impl Names {
    pub(super) fn one(name: Nsid) -> Self {
        Self::Listed(vec![valid(name)])
    }

    /// Adds a name. Has no effect on `All`.
    pub(super) fn add(&mut self, name: Nsid) {
        let name = valid(name);
        if let Self::Listed(list) = self
            && let Err(at) = list.binary_search(&name)
        {
            list.insert(at, name);
        }
    }

    pub(super) fn listed(&self) -> Option<&[Nsid]> {
        match self {
            Self::All => None,
            Self::Listed(list) => Some(list),
        }
    }

    /// Whether a name is included. `All` includes everything, even `*`.
    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(list) => list.binary_search_by(|it| it.as_str().cmp(name)).is_ok(),
        }
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let all = self.listed().is_none().then_some("*");
        all.into_iter().chain(self.listed().unwrap_or_default().iter().map(Nsid::as_str))
    }

    /// `values` must not be empty.
    pub(super) fn parse(
        values: &[&str],
        name: &'static str,
        expected: &'static str,
    ) -> Result<Self, ScopeProblem> {
        let mut list = Vec::with_capacity(values.len());
        for value in values.iter().filter(|value| **value != "*") {
            list.push(Nsid::new(value).map_err(|_| ScopeProblem::Value {
                name,
                value: (*value).to_owned(),
                expected,
            })?);
        }
        if values.contains(&"*") {
            return Ok(Self::All);
        }
        list.sort_unstable();
        list.dedup();
        Ok(Self::Listed(list))
    }
}
