//! Macros for literals, which are checked when they are compiled.

/// Makes a macro for a type of [`crate::types`].
macro_rules! literal {
    ($dollar:tt $macro:ident, $type:ident, $format:literal, $valid:literal, $invalid:literal) => {
        #[doc = concat!("A literal ", $format, ", checked when it is compiled.")]
        ///
        /// A bad one is a compile error that says why. A good one is kept without a copy, and can stand in a `const`.
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
            // An item, because `cargo check` leaves `const { .. }` alone.
            ($dollar text:expr) => {{
                const CHECKED_LITERAL: $crate::types::$type = $crate::types::$type::__literal($dollar text);
                CHECKED_LITERAL
            }};
        }
    };
}

literal! { $ did, Did, "DID", "did:plc:z72i7hdynmk6r22z27h6tvur", "did:PLC:abc" }
literal! { $ handle, Handle, "handle", "alice.example.com", "alice" }
literal! { $ at_identifier, AtIdentifier, "DID or handle", "alice.example.com", "@alice.example.com" }
literal! { $ nsid, Nsid, "NSID", "com.atproto.repo.listRecords", "com.example" }
literal! { $ record_key, RecordKey, "record key", "self", "a/b" }
literal! { $ tid, Tid, "TID", "3jzfcijpj2z2a", "3jzfcijpj2z21" }
literal! {
    $ at_uri, AtUri, "AT-URI",
    "at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a",
    "at://alice.example.com/"
}
literal! {
    $ cid, Cid, "CID of the protocol's form",
    "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
    "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
}
literal! { $ datetime, Datetime, "datetime", "2026-01-02T03:04:05.678Z", "2026-02-29T00:00:00Z" }
literal! { $ language, Language, "language tag", "pt-BR", "pt_BR" }
literal! { $ uri, Uri, "URI", "https://example.com/?q=1", "example.com" }
