//! A store for tests that never answers.

use std::{future::pending, time::Duration};

use super::{Entry, Expected, Store, StoreError, StoreLock, Version};
use crate::xrpc::BoxFuture;

pub(crate) struct Hanging;

impl Store for Hanging {
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(pending())
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: Option<i64>,
        _: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(pending())
    }

    fn delete<'a>(
        &'a self,
        _: &'a str,
        _: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(pending())
    }

    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(pending())
    }

    fn lock<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(pending())
    }
}
