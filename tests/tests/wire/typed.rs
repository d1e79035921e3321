//! Example values as the typed bindings take them: the traits and macros that the generated calls are written with.

use std::{cell::Cell, fmt};

use atproto_sdk::{
    PublicClient,
    types::{
        AtIdentifier, AtUri, Blob, Bytes, Cid, CidLink, Data, Datetime, Did, Extra, Handle, Language, Nsid,
        Nullable, RecordKey, Tid, Unknown, Uri, Violations, from_json,
    },
    xrpc::{
        BoxFuture, ByteStream, Call, Error, InvalidRequest, Method as SdkMethod, Paginated, Procedure, Raw,
        Transport,
    },
};
use base64::Engine as _;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::documents::is_planted;

/// A value cannot be expressed in Rust, because the type of the field does not have it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prevented {
    pub(crate) path: String,
}

/// A place in an example, with the way to it.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    above: Option<(&'a Node<'a>, Step<'a>)>,
    /// Whether the example breaks a rule on purpose.
    broken: bool,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Node<'a> {
    fn root(value: &'a Value, broken: bool) -> Self {
        Self { value, above: None, broken }
    }

    fn below<'b>(&'b self, value: &'b Value, step: Step<'b>) -> Node<'b> {
        Node { value, above: Some((self, step)), broken: self.broken }
    }

    fn path(&self) -> String {
        match self.above {
            None => String::new(),
            Some((above, Step::Index(index))) => format!("{}[{index}]", above.path()),
            Some((above, Step::Key(key))) => {
                let path = above.path();
                if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
            }
        }
    }

    /// The text, for a string.
    pub(crate) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_else(|| panic!("{} is no string: {}", self.path(), self.value))
    }

    /// The `$type` of an object.
    pub(crate) fn tag(&self) -> &'a str {
        let tag = self.value.get("$type").and_then(Value::as_str);
        tag.unwrap_or_else(|| panic!("{} has no $type: {}", self.path(), self.value))
    }

    pub(crate) fn unknown(&self) -> Unknown {
        Unknown::from(self.value.clone())
    }

    pub(crate) fn prevented(&self) -> Prevented {
        Prevented { path: self.path() }
    }
}

/// A type whose values are made of examples.
pub(crate) trait Example: Sized {
    fn example(node: &Node<'_>) -> Result<Self, Prevented>;
}

/// The fields of an object, each of which has to be taken.
pub(crate) struct Fields<'a> {
    node: &'a Node<'a>,
    taken: Cell<usize>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(node: &'a Node<'a>) -> Self {
        assert!(node.value.is_object(), "{} is no object: {}", node.path(), node.value);
        Self { node, taken: Cell::new(0) }
    }

    pub(crate) fn required<T: Example>(&self, key: &'static str) -> Result<T, Prevented> {
        let found = self.optional(key)?;
        Ok(found.unwrap_or_else(|| {
            panic!("the example has no {key} at `{}`: {}", self.node.path(), self.node.value)
        }))
    }

    pub(crate) fn optional<T: Example>(&self, key: &'static str) -> Result<Option<T>, Prevented> {
        let Some(value) = self.node.value.get(key) else { return Ok(None) };
        self.taken.set(self.taken.get() + 1);
        T::example(&self.node.below(value, Step::Key(key))).map(Some)
    }

    /// The value of a field that the constructor sets by itself, if the example breaks it.
    pub(crate) fn constant<T: Example>(&self, key: &'static str) -> Result<Option<T>, Prevented> {
        let value = self.optional(key)?;
        Ok(value.filter(|_| self.node.broken))
    }

    /// The fields that no lexicon has. Every other one must have been taken.
    pub(crate) fn extra(&self, extra: &mut Extra) {
        for (key, value) in
            self.node.value.as_object().into_iter().flatten().filter(|(key, _)| is_planted(key))
        {
            extra.insert(key.as_str(), Unknown::from(value.clone()));
        }
        self.finish();
    }

    pub(crate) fn finish(&self) {
        let all = self.node.value.as_object().into_iter().flatten();
        let all = all.filter(|(key, _)| *key != "$type" && !is_planted(key)).count();
        assert_eq!(self.taken.get(), all, "the generated type lacks a field of {}", self.node.value);
    }
}

impl Example for bool {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        Ok(node.value.as_bool().unwrap_or_else(|| panic!("{} is no boolean", node.path())))
    }
}

impl Example for i64 {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        Ok(node.value.as_i64().unwrap_or_else(|| panic!("{} is no integer", node.path())))
    }
}

impl Example for String {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        Ok(node.text().to_owned())
    }
}

macro_rules! formats {
    ($($name:ident)*) => {
        // They can hold what is not valid, but only if it is decoded.
        $(impl Example for $name {
            fn example(node: &Node<'_>) -> Result<Self, Prevented> {
                let decoded = |_| from_json(node.value.to_string()).map_err(|_| node.prevented());
                node.text().parse().or_else(decoded)
            }
        })*
    };
}

formats! { AtIdentifier AtUri Cid Datetime Did Handle Language Nsid RecordKey Tid Uri }

impl Example for Bytes {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        let text = node.value["$bytes"].as_str().unwrap_or_else(|| panic!("{} is not bytes", node.path()));
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text);
        Ok(Self::from(bytes.unwrap_or_else(|error| panic!("{}: {error}", node.path()))))
    }
}

impl Example for CidLink {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        Ok(Self(Cid::example(&node.below(&node.value["$link"], Step::Key("$link")))?))
    }
}

impl Example for Blob {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        let link = CidLink::example(&node.below(&node.value["ref"], Step::Key("ref")))?;
        match (node.value["mimeType"].as_str(), node.value["size"].as_u64()) {
            (Some(mime_type), Some(size)) => Ok(Self::new(link.0, mime_type, size)),
            _ => panic!("{} is no blob: {}", node.path(), node.value),
        }
    }
}

impl Example for Unknown {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        Ok(node.unknown())
    }
}

impl<T: Example> Example for Vec<T> {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        let list = node.value.as_array().unwrap_or_else(|| panic!("{} is no list", node.path()));
        let items = list.iter().enumerate();
        items.map(|(index, value)| T::example(&node.below(value, Step::Index(index)))).collect()
    }
}

impl<T: Example> Example for Box<T> {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        T::example(node).map(Self::new)
    }
}

impl<T: Example> Example for Nullable<T> {
    fn example(node: &Node<'_>) -> Result<Self, Prevented> {
        if node.value.is_null() { Ok(Self::Null) } else { T::example(node).map(Self::Value) }
    }
}

/// Makes values of a generated struct: with its constructor, its setters or, where it has none, its fields.
macro_rules! object {
    (
        $name:ty;
        $(new($($required:literal $(as $into:ty)?),*))?
        $(constant($($constant:literal => $constant_field:ident),*))?
        $(set($($optional:literal => $setter:ident $(as $set_into:ty)?),*))?
        $(assign($($assigned:literal => $field:ident),*))?
    ) => {
        impl Example for $name {
            fn example(node: &Node<'_>) -> Result<Self, Prevented> {
                let fields = Fields::of(node);
                #[allow(unused_mut)]
                let mut made = <$name>::new($($(fields.required$(::<$into>)?($required)?),*)?);
                $($(if let Some(value) = fields.constant($constant)? { made.$constant_field = value; })*)?
                $($(if let Some(value) = fields.optional$(::<$set_into>)?($optional)? { made = made.$setter(value); })*)?
                $($(made.$field = fields.optional($assigned)?;)*)?
                fields.extra(&mut made.extra);
                Ok(made)
            }
        }
    };
}

/// Makes values of generated parameters, which have no unknown fields.
macro_rules! params {
    (
        $name:ty;
        $(new($($required:literal $(as $into:ty)?),*))?
        $(set($($optional:literal => $setter:ident $(as $set_into:ty)?),*))?
    ) => {
        impl Example for $name {
            fn example(node: &Node<'_>) -> Result<Self, Prevented> {
                let fields = Fields::of(node);
                #[allow(unused_mut)]
                let mut made = <$name>::new($($(fields.required$(::<$into>)?($required)?),*)?);
                $($(if let Some(value) = fields.optional$(::<$set_into>)?($optional)? { made = made.$setter(value); })*)?
                fields.finish();
                Ok(made)
            }
        }
    };
}

/// Makes values of a generated union.
macro_rules! union {
    ($name:ty, $openness:ident; $($tag:literal => $variant:ident),* $(,)?) => {
        impl Example for $name {
            fn example(node: &Node<'_>) -> Result<Self, Prevented> {
                match node.tag() {
                    $($tag => Example::example(node).map(|value| <$name>::$variant(Box::new(value))),)*
                    _ => union!(@other $openness node $name),
                }
            }
        }
    };
    (@other open $node:ident $name:ty) => { Ok(<$name>::Other($node.unknown())) };
    (@other closed $node:ident $name:ty) => { Err($node.prevented()) };
}

/// Makes values of a generated enum of strings.
macro_rules! strings {
    ($name:ty, $openness:ident; $($text:literal => $variant:ident),* $(,)?) => {
        impl Example for $name {
            fn example(node: &Node<'_>) -> Result<Self, Prevented> {
                match node.text() {
                    $($text => Ok(<$name>::$variant),)*
                    other => strings!(@other $openness node other $name),
                }
            }
        }
    };
    (@other open $node:ident $text:ident $name:ty) => { Ok(<$name>::Other($text.into())) };
    (@other closed $node:ident $text:ident $name:ty) => {{ let _ = $text; Err($node.prevented()) }};
}

/// Where a call goes.
#[derive(Clone, Copy)]
pub(crate) enum Source<'c> {
    Transport(&'c dyn Transport),
    Client(&'c PublicClient),
}

/// What a call is made with, and what its answer must be.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) params: Value,
    /// `None` if the method takes no JSON.
    pub(crate) input: Option<Value>,
    /// The body of a method that takes bytes.
    pub(crate) bytes: &'static [u8],
    /// The content type that the caller sets, where there is a choice.
    pub(crate) content_type: Option<&'static str>,
    /// The answer, if it is JSON.
    pub(crate) answer: Option<Value>,
    pub(crate) broken: bool,
}

impl Given {
    pub(crate) fn params<T: Example>(&self) -> Result<T, Prevented> {
        T::example(&Node::root(&self.params, self.broken))
    }

    pub(crate) fn input<T: Example>(&self) -> Result<T, Prevented> {
        let input = self.input.as_ref().expect("the document has a JSON input where the binding has one");
        T::example(&Node::root(input, self.broken))
    }

    pub(crate) fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// The same with parameters that break a rule.
    pub(crate) fn with_params(&self, params: Value) -> Self {
        Self { params, broken: true, ..self.clone() }
    }

    /// The same with an input that breaks a rule.
    pub(crate) fn with_input(&self, input: Value) -> Self {
        Self { input: Some(input), broken: true, ..self.clone() }
    }

    pub(crate) fn with_type<'c, M: Procedure<Input = Raw>>(&self, call: Call<'c, M>) -> Call<'c, M> {
        match self.content_type {
            Some(mime) => call.content_type(mime),
            None => call,
        }
    }
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An answer: as it is encoded again, and how the typed value differs from what was expected.
    Json {
        again: Value,
        difference: Option<String>,
    },
    Bytes(Vec<u8>),
    Empty,
    /// The error of the method that has this name in the document.
    Named(&'static str),
    Refused(Violations),
    Other(String),
}

pub(crate) type Calling<'c> = Result<BoxFuture<'c, Outcome>, Prevented>;
/// How many entries all pages have together.
pub(crate) type Listing<'c> = Result<BoxFuture<'c, Result<usize, String>>, Prevented>;

/// A method, as it is called with the typed bindings.
pub(crate) struct Method {
    pub(crate) nsid: &'static str,
    pub(crate) call: for<'c> fn(Source<'c>, &'c Given) -> Calling<'c>,
    /// The entries of all pages, for paginated methods.
    pub(crate) list: Option<for<'c> fn(Source<'c>, &'c Given) -> Listing<'c>>,
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.nsid)
    }
}

/// Names the accessor of a group.
macro_rules! group {
    ($name:ident $(:: $rest:ident)*, $accessor:ident) => {
        fn group(source: Source<'_>) -> $name$(::$rest)*<'_> {
            match source {
                Source::Transport(transport) => $name$(::$rest)*::over(transport),
                Source::Client(client) => client.$accessor(),
            }
        }
    };
}

/// A method, its call and the variants of its error.
macro_rules! method {
    (
        $nsid:literal, $method:ty, $output:ident, $pages:ident;
        |$from:ident, $given:ident| $call:expr;
        $($error:literal => $variant:ident,)*
    ) => {
        Method {
            nsid: $nsid,
            call: |source, $given| {
                let $from = group(source);
                Ok($output::<$method>($call, $given, &[$(($error, <<$method as atproto_sdk::xrpc::Method>::Error>::$variant)),*]))
            },
            list: method!(@list $pages $method, |$from, $given| $call),
        }
    };
    (@list single $method:ty, |$from:ident, $given:ident| $call:expr) => { None };
    (@list paginated $method:ty, |$from:ident, $given:ident| $call:expr) => {
        Some(|source, $given| {
            let $from = group(source);
            Ok(entries::<$method>($call))
        })
    };
}

pub(crate) use {group, method, object, params, strings, union};

/// A call with a JSON answer.
pub(crate) fn json<'c, M: SdkMethod>(
    call: Call<'c, M>,
    given: &'c Given,
    errors: &'static [(&'static str, M::Error)],
) -> BoxFuture<'c, Outcome>
where
    M::Output: atproto_sdk::xrpc::Body,
    Received<M>: Data + Example + PartialEq + fmt::Debug + Send,
{
    Box::pin(async move {
        match call.await {
            Ok(output) => answered(&output, given),
            Err(error) => failed(&error, errors),
        }
    })
}

/// A call whose answer is bytes.
pub(crate) fn raw<'c, M: SdkMethod>(
    call: Call<'c, M>,
    _: &'c Given,
    errors: &'static [(&'static str, M::Error)],
) -> BoxFuture<'c, Outcome>
where
    M::Output: atproto_sdk::xrpc::Body<Received = ByteStream>,
{
    Box::pin(async move {
        match call.await {
            Ok(output) => match output.bytes(1 << 20).await {
                Ok(bytes) => Outcome::Bytes(bytes.to_vec()),
                Err(error) => Outcome::Other(error.to_string()),
            },
            Err(error) => failed(&error, errors),
        }
    })
}

/// A call without an output.
pub(crate) fn empty<'c, M: SdkMethod>(
    call: Call<'c, M>,
    _: &'c Given,
    errors: &'static [(&'static str, M::Error)],
) -> BoxFuture<'c, Outcome> {
    Box::pin(async move {
        match call.await {
            Ok(_) => Outcome::Empty,
            Err(error) => failed(&error, errors),
        }
    })
}

/// All entries of a listing.
pub(crate) fn entries<'c, M: Paginated>(call: Call<'c, M>) -> BoxFuture<'c, Result<usize, String>>
where
    M::Input: atproto_sdk::xrpc::Body<Sent = ()>,
{
    let mut items = call.items();
    Box::pin(async move {
        let mut count = 0;
        while let Some(item) = items.next().await {
            item.map_err(|error| error.to_string())?;
            count += 1;
        }
        Ok(count)
    })
}

type Received<M> = <<M as SdkMethod>::Output as atproto_sdk::xrpc::Body>::Received;

fn answered<T: Data + Example + PartialEq + fmt::Debug>(output: &T, given: &Given) -> Outcome {
    let expected = given.answer.as_ref().expect("an answer of JSON is expected where the document has one");
    let difference = match T::example(&Node::root(expected, given.broken)) {
        Ok(expected) if *output == expected => None,
        Ok(expected) => Some(format!("expected {expected:?}\nfound {output:?}")),
        Err(prevented) => Some(format!("{} cannot be expressed", prevented.path)),
    };
    let again = output.to_json().map_err(|error| error.to_string());
    match again.and_then(|json| serde_json::from_str(&json).map_err(|error| error.to_string())) {
        Ok(again) => Outcome::Json { again, difference },
        Err(error) => Outcome::Other(error),
    }
}

fn failed<E: atproto_sdk::xrpc::LexiconError>(
    error: &Error<E>,
    errors: &'static [(&'static str, E)],
) -> Outcome {
    match error {
        Error::Lexicon { error, .. } => match errors.iter().find(|(_, variant)| variant == error) {
            Some((name, variant)) if *name == variant.name() => Outcome::Named(name),
            _ => Outcome::Other(format!("{error:?} is not the variant of its name")),
        },
        Error::InvalidRequest(InvalidRequest::Violations { problem, .. }) => {
            Outcome::Refused(problem.clone())
        }
        other => Outcome::Other(other.to_string()),
    }
}
