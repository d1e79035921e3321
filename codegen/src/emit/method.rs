//! Method structs and the methods of namespace accessors.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    Home,
    tokens::{docs, ident, ty},
};
use crate::model::{Body, Group, Method, MethodKind, Model, Module, Pages};

/// The method struct with its data.
pub(super) fn method(module: &Module, method: &Method, main_docs: &[String]) -> TokenStream {
    let (name, nsid) = (ident(&method.name), &module.nsid);
    let (kind, marker) = match method.kind {
        MethodKind::Query => (quote!(Query), quote!(impl xrpc::Query for #name {})),
        MethodKind::Procedure => (quote!(Procedure), quote!(impl xrpc::Procedure for #name {})),
        MethodKind::Subscription => {
            (quote!(Subscription), quote!(impl xrpc::Subscription for #name { type Message = Message; }))
        }
    };
    let params = if method.has_params { quote!(Params) } else { quote!(xrpc::NoParams) };
    let error = if method.has_errors { quote!(Error) } else { quote!(xrpc::NoError) };
    let (input_type, input) = body(&method.input, quote!(Input));
    let (output_type, output) = body(&method.output, quote!(Output));
    let paginated = method.pages.as_ref().map(|pages| paginated(method, pages));
    let docs = docs(main_docs);
    quote! {
        #docs
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct #name;
        impl xrpc::Method for #name {
            const NSID: &'static str = #nsid;
            const KIND: xrpc::Kind = xrpc::Kind::#kind;
            const INPUT: Option<&'static str> = #input_type;
            const OUTPUT: Option<&'static str> = #output_type;
            type Params = #params;
            type Input = #input;
            type Output = #output;
            type Error = #error;
        }
        #marker
        #paginated
    }
}

fn body(body: &Body, json: TokenStream) -> (TokenStream, TokenStream) {
    match body {
        Body::Empty => (quote!(None), quote!(xrpc::Empty)),
        Body::Json => (quote!(Some("application/json")), quote!(xrpc::Json<#json>)),
        Body::Raw(mime) => (quote!(Some(#mime)), quote!(xrpc::Raw)),
    }
}

fn paginated(method: &Method, pages: &Pages) -> TokenStream {
    let (name, item, items) = (ident(&method.name), ty(&pages.item), ident(&pages.items));
    let set = if pages.cursor_required { quote!(cursor) } else { quote!(Some(cursor)) };
    let cursor = if pages.output_cursor_required {
        quote!(Some(&output.cursor))
    } else {
        quote!(output.cursor.as_deref())
    };
    let taken =
        if pages.items_required { quote!(output.#items) } else { quote!(output.#items.unwrap_or_default()) };
    quote! {
        impl xrpc::Paginated for #name {
            type Item = #item;
            fn set_cursor(params: &mut Params, cursor: String) {
                params.cursor = #set;
            }
            fn cursor(output: &Output) -> Option<&str> {
                #cursor
            }
            fn into_items(output: Output) -> Vec<#item> {
                #taken
            }
        }
    }
}

/// The accessor struct of an NSID group.
pub(super) fn accessor(model: &Model, home: &Home, nsid: &str, group: &Group) -> TokenStream {
    let sdk = &home.sdk;
    let (name, accessor) = (ident(&group.name), ident(&group.accessor));
    let doc = format!(" The methods of `{nsid}`.");
    let methods = group.methods.iter().filter_map(|(at, name)| {
        let module = model.modules.get(*at)?;
        module.method.as_ref().map(|method| accessor_method(module, method, name))
    });
    quote! {
        #[doc = #doc]
        #[cfg(feature = "client")]
        #[derive(Debug, Clone, Copy)]
        pub struct #name<'c>(xrpc::Caller<'c>);
        #[cfg(feature = "client")]
        #sdk::accessor! { #accessor, #name, #nsid }
        #[cfg(feature = "client")]
        impl<'c> #name<'c> {
            #(#methods)*
        }
    }
}

fn accessor_method(module: &Module, method: &Method, rust_name: &str) -> TokenStream {
    let (name, method_name) = (ident(rust_name), ident(&method.name));
    // The accessor stands in the folder of its methods' modules.
    let path = &name;
    let mut arguments = Vec::new();
    let params = if method.has_params {
        arguments.push(quote!(params: #path::Params));
        quote!(params)
    } else {
        quote!(xrpc::NoParams)
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
    let docs = docs(&super::modules::method_docs(module));
    quote! {
        #docs
        pub fn #name(&self, #(#arguments),*) -> xrpc::Call<'c, #path::#method_name> {
            xrpc::Call::new(self.0, #params, #input)
        }
    }
}
