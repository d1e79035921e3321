//! Subscription structs, what starts them, and their messages.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    Home,
    tokens::{docs, ident, method_name},
};
use crate::model::{Arity, Docs, Messages, Subscription, code};

/// The subscription struct with its data.
pub(super) fn subscription(nsid: &str, it: &Subscription) -> TokenStream {
    let name = ident(&it.name);
    let mut about = it.docs.clone();
    about.paragraphs.extend(errors(it, "[`Error`]"));
    let docs = docs(&about);
    quote! {
        #docs
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct #name;
        impl xrpc::Subscription for #name {
            const NSID: &'static str = #nsid;
            type Params = Params;
            type Message = Message;
            type Error = Error;
        }
    }
}

/// The names of the errors, and where they are.
fn errors(it: &Subscription, link: &str) -> Option<String> {
    let names: Vec<String> = it.errors.iter().map(|name| code(name)).collect();
    (!names.is_empty()).then(|| format!("Errors: {}; see {link}.", names.join(", ")))
}

/// The method of an accessor. Whether it exists is a matter of the runtime, which knows whether it has streams; it takes
/// parameters only if one of them is required.
pub(super) fn starts(it: &Subscription, module: &str, home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let (path, name, subscription) = (ident(module), method_name(module), ident(&it.name));
    let params = (it.params == Arity::Required).then(|| quote!(, #path::Params));
    let docs = docs(&method_docs(it, module));
    quote!(#sdk::__v1::subscribe! { #docs #name: #path::#subscription #params })
}

/// What the subscription is about, and where its types are.
fn method_docs(it: &Subscription, path: &str) -> Docs {
    let mut facts = vec![format!("Returns a `Subscribe`, for a stream of [`Message`]({path}::Message).")];
    if it.params == Arity::Optional {
        facts.push(format!("Optional parameters: [`Params`]({path}::Params), set with `params`."));
    }
    facts.extend(errors(it, &format!("[`Error`]({path}::Error)")));
    let mut docs = it.docs.clone();
    docs.paragraphs.push(facts.join(" "));
    docs
}

/// How messages are read from frames, and what is known about each.
pub(super) fn messages(it: &Messages, nsid: &str, home: &Home) -> TokenStream {
    let (sdk, name) = (&home.sdk, ident(&it.union.name));
    let entries = it.messages.iter().map(|message| {
        let (variant, tags) = (ident(&message.variant), &message.tags);
        let roles = [("seq", &message.seq), ("time", &message.time), ("account", &message.account)];
        let roles = roles.into_iter().filter_map(|(role, field)| {
            let (role, field) = (ident(role), ident(field.as_deref()?));
            Some(quote!(#role: #field))
        });
        quote!(#variant = #(#tags)|* [#(#roles),*])
    });
    quote!(#sdk::__v1::message! { #name, #nsid { #(#entries),* } })
}
