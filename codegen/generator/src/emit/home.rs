//! Where generated code lives.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser as _;

use crate::{pattern::Pattern, renames::Renames};

/// The crate that generated code is a part of, and what it looks like there.
#[derive(Debug, Clone)]
pub struct Home {
    /// The runtime's crate: `crate` inside of it.
    pub(super) sdk: TokenStream,
    /// The module that the generated files make up.
    pub(super) api: TokenStream,
    pub(super) accessors: Accessors,
    /// Names chosen by hand.
    pub(super) renames: Renames,
    /// Fields that are not shown.
    pub(super) secrets: BTreeSet<String>,
    /// Traits that types derive beside their own.
    pub(super) derives: Vec<Derive>,
    /// Features of the crate that switch namespaces on.
    pub(super) features: &'static [(&'static str, &'static str)],
}

/// Traits that some types derive.
#[derive(Debug, Clone)]
pub struct Derive {
    /// The documents whose types are meant.
    pub documents: Vec<Pattern>,
    /// Paths of derive macros, such as `my_macros::Table`.
    pub traits: Vec<String>,
}

/// How clients get the methods of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accessors {
    /// As methods of the clients, which only their own crate can give them.
    Inherent,
    /// Through an extension trait for each namespace, which every `Transport` implements.
    Extension,
    /// Not at all: types and method structs alone, for a runtime without its `client` feature.
    Absent,
}

impl Home {
    /// The runtime itself, with the generated files as its module `api`.
    pub fn sdk() -> Self {
        Self {
            sdk: quote!(crate),
            api: quote!(crate::api),
            accessors: Accessors::Inherent,
            renames: Renames::default(),
            secrets: BTreeSet::new(),
            derives: Vec::new(),
            features: &[
                ("app.bsky", "app-bsky"),
                ("chat.bsky", "chat-bsky"),
                ("network.bsky", "network-bsky"),
                ("site.standard", "site-standard"),
                ("tools.ozone", "tools-ozone"),
            ],
        }
    }

    /// Another crate, with the generated files as the module `module` of its root (`lexicons` for `crate::lexicons`), or
    /// as the root itself.
    ///
    /// The code names the runtime by its public face alone, in no crate but its own needs a feature, and implements
    /// nothing for types of others.
    ///
    /// # Errors
    /// If `module` is not a path of modules.
    pub fn foreign(module: Option<&str>) -> Result<Self, syn::Error> {
        let api = match module {
            None => quote!(crate),
            Some(module) => {
                let path = syn::Path::parse_mod_style.parse_str(module)?;
                quote!(crate::#path)
            }
        };
        let (sdk, accessors, renames) = (quote!(::atproto_sdk), Accessors::Extension, Renames::default());
        let (secrets, derives) = (BTreeSet::new(), Vec::new());
        Ok(Self { sdk, api, accessors, renames, secrets, derives, features: &[] })
    }

    /// The same with the runtime under another path, for crates that depend on it by another name.
    ///
    /// # Errors
    /// If `path` is not a path.
    pub fn with_runtime(mut self, path: &str) -> Result<Self, syn::Error> {
        let path = syn::Path::parse_mod_style.parse_str(path)?;
        self.sdk = quote!(#path);
        Ok(self)
    }

    /// The same with further traits that types derive.
    #[must_use]
    pub fn with_derives(mut self, derives: Vec<Derive>) -> Self {
        self.derives = derives;
        self
    }

    /// The same with names chosen by hand.
    #[must_use]
    pub fn with_renames(mut self, renames: Renames) -> Self {
        self.renames = renames;
        self
    }

    /// The same with fields that are not shown, as they are written in `lexicons.toml`.
    #[must_use]
    pub fn with_secrets(mut self, secrets: BTreeSet<String>) -> Self {
        self.secrets = secrets;
        self
    }

    /// The same with another kind of accessors.
    #[must_use]
    pub fn with_accessors(mut self, accessors: Accessors) -> Self {
        self.accessors = accessors;
        self
    }

    /// The condition on which accessors exist: inside of the runtime, they need its clients.
    pub(super) fn accessor_condition(&self) -> TokenStream {
        match self.accessors {
            Accessors::Inherent => quote!(#[cfg(feature = "client")]),
            Accessors::Extension | Accessors::Absent => TokenStream::new(),
        }
    }

    /// The attribute for what types of a document derive beside their own.
    pub(super) fn derive(&self, nsid: &str) -> Option<TokenStream> {
        let is_meant = |derive: &&Derive| derive.documents.iter().any(|it| it.matches(nsid));
        // Where they were read, they have been checked.
        let traits: Vec<syn::Path> = self
            .derives
            .iter()
            .filter(is_meant)
            .flat_map(|derive| &derive.traits)
            .filter_map(|path| syn::parse_str(path).ok())
            .collect();
        (!traits.is_empty()).then(|| quote!(#[derive(#(#traits),*)]))
    }

    /// The lints that generated code does not keep to, and why.
    pub(super) fn lints(&self) -> &'static [(&'static str, &'static str)] {
        const OWN: &[(&str, &str)] = &[
            ("missing_docs", "not everything has a description in its lexicon"),
            ("deprecated", "what is deprecated must be decoded and encoded all the same"),
            ("clippy::exhaustive_structs", "the structs of methods and permission sets have no fields"),
            ("clippy::too_many_arguments", "constructors take what the lexicon requires"),
            ("clippy::enum_variant_names", "variants are named as in the lexicon"),
        ];
        // Other crates have lints of their own, which are about code that people write.
        const FOREIGN: &[(&str, &str)] = &[
            ("missing_docs", "not everything has a description in its lexicon"),
            ("deprecated", "what is deprecated must be decoded and encoded all the same"),
            ("unreachable_pub", "whether it can be reached is for the crate to say"),
            ("dead_code", "not everything in a lexicon is used"),
            ("clippy::all", "names and shapes are those of the lexicons"),
            ("clippy::pedantic", "names and shapes are those of the lexicons"),
            ("clippy::nursery", "names and shapes are those of the lexicons"),
            ("clippy::exhaustive_structs", "the structs of methods and permission sets have no fields"),
        ];
        if self.accessors == Accessors::Inherent { OWN } else { FOREIGN }
    }

    /// The feature that switches a namespace on.
    pub(super) fn feature(&self, nsid: &str) -> Option<TokenStream> {
        let (_, feature) = self.features.iter().find(|(namespace, _)| *namespace == nsid)?;
        Some(quote!(#[cfg(feature = #feature)]))
    }
}
