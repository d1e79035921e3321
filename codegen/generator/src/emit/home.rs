//! Where generated code lives.

use proc_macro2::TokenStream;
use quote::quote;

/// The crate that generated code is a part of, and what it looks like there.
#[derive(Debug, Clone)]
pub struct Home {
    /// The runtime's crate: `crate` inside of it.
    pub(super) sdk: TokenStream,
    /// The module that the generated files make up.
    pub(super) api: TokenStream,
    pub(super) accessors: Accessors,
    /// Features of the crate that switch namespaces on.
    pub(super) features: &'static [(&'static str, &'static str)],
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
            features: &[
                ("app.bsky", "app-bsky"),
                ("chat.bsky", "chat-bsky"),
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
                let path: syn::Path = syn::parse_str(module)?;
                quote!(crate::#path)
            }
        };
        Ok(Self { sdk: quote!(::atproto_sdk), api, accessors: Accessors::Extension, features: &[] })
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

    /// The feature that switches a namespace on.
    pub(super) fn feature(&self, nsid: &str) -> Option<TokenStream> {
        let (_, feature) = self.features.iter().find(|(namespace, _)| *namespace == nsid)?;
        Some(quote!(#[cfg(feature = #feature)]))
    }
}
