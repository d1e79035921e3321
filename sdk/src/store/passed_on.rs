//! Stores for tests, which do something of their own in one or two operations, and pass the others on to a store within.

/// The operations of a [`Store`](super::Store) that are those of the store in a field: `passed_on!(inner: get, list, lock);`.
macro_rules! passed_on {
    ($inner:tt: $($operation:ident),+) => {
        $($crate::store::passed_on!(@$operation $inner);)+
    };
    (@get $inner:tt) => {
        fn get<'a>(
            &'a self,
            key: &'a str,
        ) -> $crate::xrpc::BoxFuture<'a, Result<Option<$crate::store::Entry>, $crate::store::StoreError>> {
            self.$inner.get(key)
        }
    };
    (@put $inner:tt) => {
        fn put<'a>(
            &'a self,
            key: &'a str,
            value: &'a [u8],
            expires_at: Option<i64>,
            expected: $crate::store::Expected<$crate::store::Version>,
        ) -> $crate::xrpc::BoxFuture<'a, Result<$crate::store::Version, $crate::store::StoreError>> {
            self.$inner.put(key, value, expires_at, expected)
        }
    };
    (@delete $inner:tt) => {
        fn delete<'a>(
            &'a self,
            key: &'a str,
            expected: $crate::store::Expected<$crate::store::Version>,
        ) -> $crate::xrpc::BoxFuture<'a, Result<Option<$crate::store::Entry>, $crate::store::StoreError>> {
            self.$inner.delete(key, expected)
        }
    };
    (@list $inner:tt) => {
        fn list<'a>(
            &'a self,
            prefix: &'a str,
        ) -> $crate::xrpc::BoxFuture<'a, Result<Vec<String>, $crate::store::StoreError>> {
            self.$inner.list(prefix)
        }
    };
    (@lock $inner:tt) => {
        fn lock<'a>(
            &'a self,
            key: &'a str,
            wait: std::time::Duration,
        ) -> $crate::xrpc::BoxFuture<'a, Result<$crate::store::StoreLock, $crate::store::StoreError>> {
            self.$inner.lock(key, wait)
        }
    };
}

pub(crate) use passed_on;
