//! The methods of every client: one for each namespace, and untyped calls.

/// Gives every client of this crate a namespace accessor. Bindings in other crates have a trait in its place.
#[doc(hidden)]
#[macro_export]
macro_rules! __accessor {
    ($accessor:ident, $name:ident, $nsid:literal) => {
        $crate::__accessor! { @for $accessor, $name, $nsid, $crate::AdminClient }
        $crate::__accessor! { @for $accessor, $name, $nsid, $crate::Client }
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
            /// Creates a query by its NSID, for methods without generated bindings.
            ///
            /// The parameters must serialize to an object, such as `serde_json::json!({"limit": 10})`.
            ///
            /// ```no_run
            /// use atproto_sdk::{PublicClient, nsid};
            ///
            /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
            /// let params = serde_json::json!({"limit": 10});
            /// let output = client.get(&nsid!("com.example.shop.listItems"), &params).await?;
            /// println!("{:?}", output.get("items"));
            /// # Ok(()) }
            /// ```
            pub fn get(
                &self,
                nsid: &$crate::types::Nsid,
                params: &(impl serde::Serialize + ?Sized),
            ) -> $crate::xrpc::UntypedCall<'_> {
                $crate::xrpc::UntypedCall::get($crate::xrpc::Caller::new(self), nsid, params)
            }

            /// Creates a procedure by its NSID, for methods without generated bindings.
            pub fn post(
                &self,
                nsid: &$crate::types::Nsid,
                input: &(impl serde::Serialize + ?Sized),
            ) -> $crate::xrpc::UntypedCall<'_> {
                $crate::xrpc::UntypedCall::post($crate::xrpc::Caller::new(self), nsid, input)
            }

            /// Creates a procedure with a body of bytes by its NSID, for methods without generated bindings.
            ///
            /// ```no_run
            /// use atproto_sdk::{PublicClient, nsid};
            ///
            /// # async fn example(client: PublicClient, picture: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
            /// let output = client
            ///     .post_bytes(&nsid!("com.example.shop.uploadPicture"), picture)
            ///     .content_type("image/png")
            ///     .query_param("name", "front.png")
            ///     .await?;
            /// println!("{:?}", output.get("id"));
            /// # Ok(()) }
            /// ```
            pub fn post_bytes(
                &self,
                nsid: &$crate::types::Nsid,
                body: impl Into<$crate::xrpc::RequestBody>,
            ) -> $crate::xrpc::UntypedCall<'_> {
                $crate::xrpc::UntypedCall::post_bytes($crate::xrpc::Caller::new(self), nsid, body)
            }
        }
    )* };
}

untyped_calls! { crate::AdminClient crate::Client crate::oauth::OAuthClient crate::PasswordClient crate::PublicClient }
