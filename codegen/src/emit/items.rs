//! Types and constants.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{
    Home,
    tokens::{argument, docs, ident, literal, takes_into, ty},
};
use crate::document::Permission;
use crate::model::{
    Field, Item, Literal, NamedValue, Presence, Rule, RustType, Strings, Struct, StructKind, Union,
};

/// Names that a setter must not have, because it would hide something of every type.
const HIDING: &[&str] =
    &["new", "default", "clone", "eq", "ne", "fmt", "from", "into", "try_from", "try_into", "to_owned"];

/// One item.
pub(super) fn item(item: &Item, nsid: &str, home: &Home) -> TokenStream {
    match item {
        Item::Struct(it) => structure(it, nsid, home),
        Item::Union(it) => union(it, home),
        Item::Strings(it) => strings(it, home),
        Item::Alias { name, docs: paragraphs, ty: target } => {
            let (name, docs, target) = (ident(name), docs(paragraphs), ty(target));
            quote!(#docs pub type #name = #target;)
        }
        Item::Token { name, docs: paragraphs, value } => {
            let (name, docs) = (ident(name), docs(paragraphs));
            quote!(#docs pub const #name: &str = #value;)
        }
        Item::Errors(values) => errors(values, home),
        Item::PermissionSet { name, docs: paragraphs, permissions } => {
            let (name, docs) = (ident(name), docs(paragraphs));
            let permissions = permissions.iter().map(permission);
            quote! {
                #docs
                #[derive(Debug, Clone, Copy, PartialEq, Eq)]
                pub struct #name;
                impl types::PermissionSet for #name {
                    const NSID: &'static str = #nsid;
                    const PERMISSIONS: &'static [types::SetPermission] = &[#(#permissions),*];
                }
            }
        }
    }
}

fn permission(permission: &Permission) -> TokenStream {
    match permission {
        Permission::Repo { collection, action } => quote! {
            types::SetPermission::Repo { collections: &[#(#collection),*], actions: &[#(#action),*] }
        },
        Permission::Rpc { lxm, aud, inherit_aud } => {
            let audience = match aud.as_deref() {
                _ if *inherit_aud => quote!(Inherited),
                Some("*") => quote!(Any),
                Some(service) => quote!(Named(#service)),
                None => quote!(Missing),
            };
            quote! {
                types::SetPermission::Rpc {
                    methods: &[#(#lxm),*],
                    audience: types::SetAudience::#audience,
                }
            }
        }
    }
}

fn structure(it: &Struct, nsid: &str, home: &Home) -> TokenStream {
    let (name, paragraphs) = (ident(&it.name), docs(&it.docs));
    let fields = it.fields.iter().map(|field| {
        let (docs, name, ty) = (docs(&field.docs), ident(&field.ident), field_type(field));
        quote!(#docs pub #name: #ty)
    });
    let is_params = it.kind == StructKind::Params;
    let extra = (!is_params).then(|| {
        quote! {
            /// Fields that the lexicon does not name.
            pub extra: types::Extra,
        }
    });
    let default = it.fields.iter().all(|field| field.presence != Presence::Required).then(|| quote!(Default));
    let behaviour = behaviour(it, home);
    let construction = construction(it, home);
    let record = match &it.kind {
        StructKind::Record { key } => quote! {
            impl types::Record for #name {
                const COLLECTION: &'static str = #nsid;
                const KEY: &'static str = #key;
            }
        },
        _ => TokenStream::new(),
    };
    quote! {
        #paragraphs
        #[derive(Clone, #default)]
        #[non_exhaustive]
        pub struct #name {
            #(#fields,)*
            #extra
        }
        #behaviour
        #record
        #construction
    }
}

fn field_type(field: &Field) -> TokenStream {
    let ty = ty(&field.ty);
    if field.presence == Presence::Required { ty } else { quote!(Option<#ty>) }
}

/// The list of fields from which the runtime makes decoding and encoding.
fn behaviour(it: &Struct, home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let (name, id) = (ident(&it.name), &it.id);
    if it.kind == StructKind::Params {
        let fields = it.fields.iter().enumerate().map(|(index, field)| {
            let (index, name, key) =
                (proc_macro2::Literal::usize_unsuffixed(index), ident(&field.ident), &field.key);
            let rules = bracketed_rules(&field.rules);
            match (&field.default, field.presence) {
                (Some(default), Presence::Optional) => {
                    let default = param_default(default);
                    quote!(#index #name: #key #rules = #default)
                }
                _ => quote!(#index #name: #key #rules),
            }
        });
        return quote!(#sdk::params! { #name { #(#fields),* } });
    }
    let typed = matches!(it.kind, StructKind::Record { .. });
    let mut ordered: Vec<&Field> = it.fields.iter().collect();
    if it.stored {
        // The order of DAG-CBOR, in which the reader then expects them.
        ordered.sort_by_key(|field| (field.key.len(), &field.key));
    }
    let fields = ordered.into_iter().enumerate().map(|(index, field)| {
        let (index, name, key) =
            (proc_macro2::Literal::usize_unsuffixed(index), ident(&field.ident), &field.key);
        let rules = bracketed_rules(&field.rules);
        let presence = match field.presence {
            Presence::Required => quote!(required),
            Presence::Optional => quote!(optional),
            Presence::OptionalNullable => quote!(nullable),
        };
        quote!(#index #name: #key #presence #rules)
    });
    quote!(#sdk::object! { #name, #id, record: #typed, { #(#fields),* } })
}

fn param_default(default: &Literal) -> TokenStream {
    match default {
        Literal::Boolean(value) => quote!(Boolean(#value)),
        Literal::Integer(value) => {
            let value = proc_macro2::Literal::i64_unsuffixed(*value);
            quote!(Integer(#value))
        }
        Literal::Text(value) => quote!(Text(#value)),
    }
}

/// `[rule, rule]`; nothing for none.
fn bracketed_rules(rules: &[Rule]) -> TokenStream {
    if rules.is_empty() {
        return TokenStream::new();
    }
    let rules = rules.iter().map(rule);
    quote!([#(#rules),*])
}

/// A constraint, as the runtime's `Rule` without its path.
fn rule(rule: &Rule) -> TokenStream {
    match rule {
        Rule::Limit(name, value) => {
            let (name, value) = (ident(name), proc_macro2::Literal::i128_unsuffixed(*value));
            quote!(#name(#value))
        }
        Rule::OneOf(values) => quote!(OneOf(&[#(#values),*])),
        Rule::OneOfIntegers(values) => {
            let values = values.iter().map(|value| proc_macro2::Literal::i64_unsuffixed(*value));
            quote!(OneOfIntegers(&[#(#values),*]))
        }
        Rule::Const(Literal::Boolean(value)) => quote!(ConstBoolean(#value)),
        Rule::Const(Literal::Integer(value)) => {
            let value = proc_macro2::Literal::i64_unsuffixed(*value);
            quote!(ConstInteger(#value))
        }
        Rule::Const(Literal::Text(value)) => quote!(ConstText(#value)),
        Rule::Accept(values) => quote!(Accept(&[#(#values),*])),
        Rule::Each(rules) => {
            let rules = rules.iter().map(self::rule);
            quote!(Each(&[#(types::Rule::#rules),*]))
        }
    }
}

/// `new` with the required fields in lexicon order, setters for the others, and what absent fields stand for.
fn construction(it: &Struct, home: &Home) -> TokenStream {
    let name = ident(&it.name);
    let mut arguments = Vec::new();
    let mut values = Vec::new();
    for field in &it.fields {
        let field_name = ident(&field.ident);
        match (field.presence, &field.constant) {
            (Presence::Required, Some(constant)) => {
                let value = literal(constant, &field.ty);
                values.push(quote!(#field_name: #value));
            }
            (Presence::Required, None) => {
                let (argument, value) = argument(&field.ty, &field_name);
                arguments.push(quote!(#field_name: #argument));
                values.push(if field_name == value.to_string() {
                    quote!(#field_name)
                } else {
                    quote!(#field_name: #value)
                });
            }
            _ => values.push(quote!(#field_name: None)),
        }
    }
    if it.kind != StructKind::Params {
        values.push(quote!(extra: types::Extra::default()));
    }
    let doc = if arguments.is_empty() { " With nothing set." } else { " With the required fields." };
    // The server does it for parameters, and the runtime sends them with every call.
    let readable = it.fields.iter().filter(|_| it.kind != StructKind::Params);
    let defaults = readable.filter_map(default_value);
    let setters = setters(it, home);
    quote! {
        impl #name {
            #[doc = #doc]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#values),* }
            }
            #(#defaults)*
        }
        #setters
    }
}

fn setters(it: &Struct, home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let setters =
        it.fields.iter().filter(|field| it.sent && field.presence != Presence::Required).map(|field| {
            let (name, target) = (ident(&field.ident), ty(&field.ty));
            let setter = if HIDING.contains(&field.ident.as_str()) {
                format_ident!("with_{}", field.ident)
            } else {
                name.clone()
            };
            match &field.ty {
                target_type if takes_into(target_type) => quote!(#setter = #name: into #target),
                RustType::Boxed(inner) => {
                    let inner = ty(inner);
                    quote!(#setter = #name: boxed #inner)
                }
                _ => quote!(#setter = #name: plain #target),
            }
        });
    let setters: Vec<TokenStream> = setters.collect();
    let name = ident(&it.name);
    if setters.is_empty() { TokenStream::new() } else { quote!(#sdk::setters! { #name { #(#setters),* } }) }
}

/// A method that gives the default of an absent field.
fn default_value(field: &Field) -> Option<TokenStream> {
    let default = field.default.as_ref().filter(|_| field.presence != Presence::Required)?;
    if matches!(field.ty, RustType::Nullable(_)) {
        return None;
    }
    let (name, ty) = (ident(&field.ident), ty(&field.ty));
    let method = format_ident!("{}_or_default", field.ident);
    let doc = format!(" `{}`, or what the lexicon says that its absence means.", field.key);
    let copied = matches!(field.ty, RustType::Bool | RustType::Integer);
    let read = if copied { quote!(self.#name) } else { quote!(self.#name.clone()) };
    let fallback = match (default, &field.ty) {
        (Literal::Text(_), RustType::Runtime(_)) => return None,
        _ => literal(default, &field.ty),
    };
    let body =
        if copied { quote!(#read.unwrap_or(#fallback)) } else { quote!(#read.unwrap_or_else(|| #fallback)) };
    Some(quote! {
        #[doc = #doc]
        pub fn #method(&self) -> #ty {
            #body
        }
    })
}

fn union(it: &Union, home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let (name, docs_of_union) = (ident(&it.name), docs(&it.docs));
    let variants = it.variants.iter().map(|variant| {
        let (name, ty, doc) = (ident(&variant.name), ty(&variant.ty), docs(&[format!("`{}`", variant.tag)]));
        quote!(#doc #name(Box<#ty>))
    });
    let tags = it.variants.iter().map(|variant| {
        let (name, ty, tag) = (ident(&variant.name), ty(&variant.ty), &variant.tag);
        quote!(#name(#ty) = #tag)
    });
    let (openness, other) = if it.closed {
        (quote!(closed), TokenStream::new())
    } else {
        let other = quote! {
            /// A variant that the lexicon does not name.
            Other(types::Unknown),
        };
        (quote!(open), other)
    };
    quote! {
        #docs_of_union
        #[derive(Clone)]
        #[non_exhaustive]
        pub enum #name {
            #(#variants,)*
            #other
        }
        #sdk::union! { #name, #openness { #(#tags),* } }
    }
}

fn strings(it: &Strings, home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let (name, docs_of_strings) = (ident(&it.name), docs(&it.docs));
    let variants = it.values.iter().map(|value| {
        let (docs, name) = (docs(&value.docs), ident(&value.name));
        quote!(#docs #name)
    });
    let values = it.values.iter().map(|value| {
        let (name, text) = (ident(&value.name), &value.text);
        quote!(#name = #text)
    });
    let other = (!it.closed).then(|| {
        quote! {
            /// A value that the lexicon does not name.
            Other(types::SmallString),
        }
    });
    let implement = if it.closed { quote!(closed_string) } else { quote!(open_string) };
    quote! {
        #docs_of_strings
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #(#variants,)*
            #other
        }
        #sdk::#implement! { #name { #(#values),* } }
    }
}

fn errors(values: &[NamedValue], home: &Home) -> TokenStream {
    let sdk = &home.sdk;
    let variants = values.iter().map(|value| {
        let (docs, name) = (docs(&value.docs), ident(&value.name));
        quote!(#docs #name)
    });
    let names = values.iter().map(|value| {
        let (name, text) = (ident(&value.name), &value.text);
        quote!(#name = #text)
    });
    quote! {
        /// The errors that the lexicon names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Error {
            #(#variants,)*
        }
        #sdk::errors! { Error { #(#names),* } }
    }
}
