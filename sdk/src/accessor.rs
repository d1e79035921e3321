//! What every client has: a method per namespace, and untyped calls.

/// Gives every client of this crate a namespace accessor. Bindings in other crates have a trait in its place.
#[doc(hidden)]
#[macro_export]
macro_rules! __accessor {
    ($accessor:ident, $name:ident, $nsid:literal) => {
        $crate::__accessor! { @for $accessor, $name, $nsid, $crate::AdminClient }
        $crate::__accessor! { @for $accessor, $name, $nsid, $crate::oauth::OAuthClient }
        $crate::__accessor! { @for $accessor, $name, $nsid, $crate::PasswordClient }
        $crate::__accessor! { @for $accessor, $name, $nsid, $crate::PublicClient }
    };
    (@for $accessor:ident, $name:ident, $nsid:literal, $client:ty) => {
        impl $client {
            #[doc = concat!("Returns the methods of `", $nsid, "`.")]
            pub fn $accessor(&self) -> $name<'_> {
                $name::over(self)
            }
        }
    };
}

macro_rules! untyped_calls {
    ($($client:ty)*) => { $(
        impl $client {
            /// A query by its NSID, for lexicons that are not compiled in.
            ///
            /// The parameters are an object, such as a `serde_json::json!({"limit": 10})`.
            pub fn get(
                &self,
                nsid: &$crate::types::Nsid,
                params: &(impl serde::Serialize + ?Sized),
            ) -> $crate::xrpc::UntypedCall<'_> {
                $crate::xrpc::UntypedCall::get($crate::xrpc::Caller::new(self), nsid, params)
            }

            /// A procedure by its NSID, for lexicons that are not compiled in.
            pub fn post(
                &self,
                nsid: &$crate::types::Nsid,
                input: &(impl serde::Serialize + ?Sized),
            ) -> $crate::xrpc::UntypedCall<'_> {
                $crate::xrpc::UntypedCall::post($crate::xrpc::Caller::new(self), nsid, input)
            }
        }
    )* };
}

untyped_calls! { crate::AdminClient crate::oauth::OAuthClient crate::PasswordClient crate::PublicClient }
