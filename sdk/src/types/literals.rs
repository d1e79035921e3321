//! Macros for identifier literals, validated at compile time.

/// Defines the macro for a type of [`crate::types`].
macro_rules! literal {
    ($dollar:tt $macro:ident, $type:ident, $valid:literal, $invalid:literal) => {
        #[doc = concat!("Creates a [`", stringify!($type), "`](crate::types::", stringify!($type), ") from a literal, validated at compile time.")]
        ///
        /// An invalid literal is a compile error that names the problem. The result does not allocate and can be used in
        /// a `const`.
        ///
        /// ```
        #[doc = concat!("use atproto_sdk::{", stringify!($macro), ", types::", stringify!($type), "};")]
        ///
        #[doc = concat!("const LITERAL: ", stringify!($type), " =")]
        #[doc = concat!("    ", stringify!($macro), "!(", stringify!($valid), ");")]
        #[doc = concat!("assert_eq!(LITERAL, ", stringify!($type), "::new(", stringify!($valid), ")?);")]
        /// # Ok::<_, atproto_sdk::types::InvalidText>(())
        /// ```
        ///
        /// ```compile_fail,E0080
        #[doc = concat!("let bad = atproto_sdk::", stringify!($macro), "!(", stringify!($invalid), ");")]
        /// ```
        #[macro_export]
        macro_rules! $macro {
            // An item, because `cargo check` does not evaluate `const { .. }`.
            ($dollar text:expr) => {{
                const CHECKED_LITERAL: $crate::types::$type = $crate::types::$type::__literal($dollar text);
                CHECKED_LITERAL
            }};
        }
    };
}

literal! { $ did, Did, "did:plc:z72i7hdynmk6r22z27h6tvur", "did:PLC:abc" }
literal! { $ handle, Handle, "alice.example.com", "alice" }
literal! { $ at_identifier, AtIdentifier, "alice.example.com", "@alice.example.com" }
literal! { $ nsid, Nsid, "com.atproto.repo.listRecords", "com.example" }
literal! { $ record_key, RecordKey, "self", "a/b" }
literal! { $ tid, Tid, "3jzfcijpj2z2a", "3jzfcijpj2z21" }
literal! {
    $ at_uri, AtUri,
    "at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a",
    "at://alice.example.com/"
}
literal! {
    $ cid, Cid,
    "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
    "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
}
literal! { $ datetime, Datetime, "2026-01-02T03:04:05.678Z", "2026-02-29T00:00:00Z" }
literal! { $ language, Language, "pt-BR", "pt_BR" }
literal! { $ uri, Uri, "https://example.com/?q=1", "example.com" }
