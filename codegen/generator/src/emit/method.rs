//! Method structs.

use proc_macro2::TokenStream;
use quote::quote;

use super::tokens::{docs, ident, ty};
use crate::model::{Body, Method, MethodKind, Pages, code};

/// The method struct with its data.
pub(super) fn method(nsid: &str, method: &Method) -> TokenStream {
    let name = ident(&method.name);
    let kind = match method.kind {
        MethodKind::Query => quote!(Query),
        MethodKind::Procedure => quote!(Procedure),
    };
    let (input_type, input) = match &method.input {
        Body::Empty => (quote!(None), quote!(xrpc::Empty)),
        Body::Json => (quote!(Some("application/json")), quote!(xrpc::Json<Input>)),
        Body::Raw(mime) => (quote!(Some(#mime)), quote!(xrpc::Raw)),
    };
    let (output_type, output) = match &method.output {
        Body::Empty => (quote!(None), quote!(xrpc::Empty<Output>)),
        Body::Json => (quote!(Some("application/json")), quote!(xrpc::Json<Output>)),
        Body::Raw(mime) => (quote!(Some(#mime)), quote!(xrpc::Raw)),
    };
    let paginated = method.pages.as_ref().map(|pages| paginated(method, pages));
    let mut about = method.docs.clone();
    if !method.errors.is_empty() {
        let names: Vec<String> = method.errors.iter().map(|name| code(name)).collect();
        about.paragraphs.push(format!("Errors: {}; see [`Error`].", names.join(", ")));
    }
    let docs = docs(&about);
    quote! {
        #docs
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct #name;
        impl xrpc::Method for #name {
            const NSID: &'static str = #nsid;
            const KIND: xrpc::Kind = xrpc::Kind::#kind;
            const INPUT: Option<&'static str> = #input_type;
            const OUTPUT: Option<&'static str> = #output_type;
            type Params = Params;
            type Input = #input;
            type Output = #output;
            type Error = Error;
        }
        impl xrpc::#kind for #name {}
        #paginated
    }
}

fn paginated(method: &Method, pages: &Pages) -> TokenStream {
    let (name, item, items) = (ident(&method.name), ty(&pages.item), ident(&pages.items));
    let (parameter, output_cursor) = (ident(&pages.parameter), ident(&pages.cursor));
    let set = if pages.cursor_required { quote!(cursor) } else { quote!(Some(cursor)) };
    let cursor = if pages.output_cursor_required {
        quote!(Some(&output.#output_cursor))
    } else {
        quote!(output.#output_cursor.as_deref())
    };
    let taken =
        if pages.items_required { quote!(output.#items) } else { quote!(output.#items.unwrap_or_default()) };
    quote! {
        impl xrpc::Paginated for #name {
            type Item = #item;
            fn set_cursor(params: &mut Params, cursor: String) {
                params.#parameter = #set;
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
