//! The methods of an NSID group, on every client.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{
    Accessors, Home, subscription,
    tokens::{docs, ident, method_name},
};
use crate::model::{Arity, Body, Docs, Group, Method, Model, code};

/// The accessor of a group: its type, and what gives it to clients.
pub(super) fn accessor(model: &Model, home: &Home, nsid: &str, group: &Group) -> TokenStream {
    let sdk = &home.sdk;
    let (name, accessor) = (ident(&group.name), ident(&group.accessor));
    let condition = home.accessor_condition();
    let gives = match home.accessors {
        Accessors::Absent => return TokenStream::new(),
        Accessors::Inherent => quote!(#condition #sdk::__v1::accessor! { #accessor, #name, #nsid }),
        Accessors::Extension => {
            let extension = format_ident!("{}Ext", group.name);
            let about = format!("Gives every client, and every other transport, the methods of `{nsid}`.");
            let mut about_trait = Docs { paragraphs: vec![about], deprecated: None };
            if let Some((name, root)) = &group.instead_of {
                let root = root.trim_start_matches("::");
                about_trait.paragraphs.push(format!(
                    "They are those of this crate's documents. What is called `{name}` on clients comes from \
                     `{root}`, and has those of its own documents."
                ));
            }
            let about_trait = docs(&about_trait);
            let about_method = format!(" Returns the methods of `{nsid}`.");
            quote! {
                #about_trait
                pub trait #extension: xrpc::Transport {
                    #[doc = #about_method]
                    fn #accessor(&self) -> #name<'_>;
                }
                impl<T: xrpc::Transport> #extension for T {
                    fn #accessor(&self) -> #name<'_> {
                        #name::over(self)
                    }
                }
            }
        }
    };
    let doc = format!(" The methods of `{nsid}`.");
    let about_over = format!(" Returns the methods of `{nsid}` over any transport.");
    let methods = group.methods.iter().filter_map(|(at, name)| {
        let module = model.modules.get(*at)?;
        match (&module.method, &module.subscription) {
            (Some(it), _) => Some(method(it, name)),
            (None, Some(it)) => Some(subscription::starts(it, name, home)),
            (None, None) => None,
        }
    });
    quote! {
        #[doc = #doc]
        #condition
        #[derive(Debug, Clone, Copy)]
        pub struct #name<'c>(xrpc::Caller<'c>);
        #gives
        #condition
        impl<'c> #name<'c> {
            #[doc = #about_over]
            pub fn over(transport: &'c dyn xrpc::Transport) -> Self {
                Self(xrpc::Caller::new(transport))
            }
            #(#methods)*
        }
    }
}

/// One method. It takes parameters only if one of them is required, which never changes: a new one must be optional.
fn method(method: &Method, rust_name: &str) -> TokenStream {
    // The accessor stands in the folder of its methods' modules.
    let (path, struct_name) = (ident(rust_name), ident(&method.name));
    let name = method_name(rust_name);
    let mut arguments = Vec::new();
    let params = if method.params == Arity::Required {
        arguments.push(quote!(params: #path::Params));
        quote!(params)
    } else {
        quote!(#path::Params::new())
    };
    let input = match method.input {
        Body::Empty => quote!(()),
        Body::Json => {
            arguments.push(quote!(input: #path::Input));
            quote!(input)
        }
        Body::Raw(_) => {
            arguments.push(quote!(body: impl Into<xrpc::RequestBody>));
            quote!(body.into())
        }
    };
    let docs = docs(&method_docs(method, rust_name));
    quote! {
        #docs
        pub fn #name(&self, #(#arguments),*) -> xrpc::Call<'c, #path::#struct_name> {
            xrpc::Call::new(self.0, #params, #input)
        }
    }
}

/// What the method does, and where its types are.
fn method_docs(method: &Method, path: &str) -> Docs {
    let mut facts = Vec::new();
    if method.params == Arity::Optional {
        facts.push(format!(
            "Optional parameters: [`Params`]({path}::Params), set with [`params`](xrpc::Call::params)."
        ));
    }
    facts.push(format!("Returns [`Output`]({path}::Output)."));
    if !method.errors.is_empty() {
        let names: Vec<String> = method.errors.iter().map(|name| code(name)).collect();
        facts.push(format!("Errors: {}; see [`Error`]({path}::Error).", names.join(", ")));
    }
    let mut docs = method.docs.clone();
    docs.paragraphs.push(facts.join(" "));
    docs
}
