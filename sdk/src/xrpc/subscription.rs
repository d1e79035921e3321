//! The traits of subscriptions, which generated code implements and everything generic uses.

use std::{borrow::Cow, fmt};

use super::{LexiconError, Params};
use crate::types::{Data, DataError, Datetime, Did, FromData, Nullable, Reader, Unknown};

/// The description of a subscription, a [stream of events](https://atproto.com/specs/event-stream), implemented by the
/// generated subscription structs.
///
/// Every generated module of a subscription has types called `Params`, `Message` and `Error`, also where the lexicon names
/// no parameters, messages or errors today: code that uses them compiles unchanged when the lexicon gains some.
///
/// ```
/// use atproto_sdk::{api::com::atproto::sync::subscribe_repos::SubscribeRepos, xrpc::Subscription};
///
/// fn log_name<S: Subscription>() -> String {
///     format!("events of {}", S::NSID)
/// }
///
/// assert_eq!(log_name::<SubscribeRepos>(), "events of com.atproto.sync.subscribeRepos");
/// ```
pub trait Subscription: Send + Sync + 'static {
    /// The subscription's NSID.
    const NSID: &'static str;
    /// The subprotocol that the lexicon names, such as `xrpc.v1.json`: how messages are encoded, unless another one is agreed on.
    /// `None` if it names none; then that is `xrpc.v0.cbor`.
    const SUBPROTOCOL: Option<&'static str> = None;
    /// The query parameters; a struct without fields if the lexicon has none.
    type Params: Params;
    /// What the server sends: a union of the lexicon's messages.
    type Message: Message;
    /// The errors that the lexicon names, with which a stream may end; an enum without variants if it names none.
    type Error: LexiconError;
}

/// One message of a stream, implemented by the generated unions of messages.
///
/// These unions always have a variant `Other`, also where the lexicon calls the union closed: a stream goes on after a
/// message of an unknown type.
///
/// ```
/// use atproto_sdk::{
///     api::com::atproto::sync::subscribe_repos::{Identity, Message},
///     datetime, did,
///     xrpc::Message as _,
/// };
///
/// let alice = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// let message = Message::from(Identity::new(12, alice.clone(), datetime!("2026-01-02T03:04:05Z")));
/// assert_eq!(message.seq(), Some(12));
/// assert_eq!(message.account().as_deref(), Some(&alice));
/// ```
pub trait Message: Data + FromData + fmt::Debug + Clone + Send + Sync + 'static {
    /// Reads the payload of a frame whose header names its type: `#commit`, or a whole name such as
    /// `com.example.watch#made`. The header decides: a `$type` in the payload is ignored.
    #[doc(hidden)]
    fn read_payload(tag: &str, reader: &mut Reader<'_>) -> Result<Self, DataError>;

    /// Returns the position in the stream: the field `seq`. Returns `None` if the message has none, as those that only
    /// inform about the stream.
    fn seq(&self) -> Option<i64>;

    /// Returns when the server sent the message: the field `time`. Returns `None` if the message has none.
    fn time(&self) -> Option<Cow<'_, Datetime>>;

    /// Returns the account that the message is about: the field `did`, or `repo`, if it is a DID. Returns `None` if the
    /// message has neither.
    fn account(&self) -> Option<Cow<'_, Did>>;
}

/// A field that may be absent or `null`, as generated code has it.
pub trait Present<T> {
    /// The value, if there is one.
    fn present(&self) -> Option<&T>;
}

impl<T> Present<T> for T {
    fn present(&self) -> Option<&T> {
        Some(self)
    }
}

impl<T> Present<T> for Option<T> {
    fn present(&self) -> Option<&T> {
        self.as_ref()
    }
}

impl<T> Present<T> for Nullable<T> {
    fn present(&self) -> Option<&T> {
        self.value()
    }
}

impl<T> Present<T> for Option<Nullable<T>> {
    fn present(&self) -> Option<&T> {
        self.as_ref().and_then(Nullable::value)
    }
}

/// The position of a message of an unknown type.
pub fn seq_of_other(message: &Unknown) -> Option<i64> {
    message.get("seq")?.decode().ok()
}

/// The time of a message of an unknown type.
pub fn time_of_other(message: &Unknown) -> Option<Datetime> {
    Datetime::new(message.get("time")?.decode::<String>().ok()?).ok()
}

/// The account of a message of an unknown type.
pub fn account_of_other(message: &Unknown) -> Option<Did> {
    let account = |field| Did::new(message.get(field)?.decode::<String>().ok()?).ok();
    account("did").or_else(|| account("repo"))
}

/// Implements [`Message`] for a generated union.
///
/// An entry is `variant = tags [role: field]`: the names that headers have for it, and the fields for `seq`, `time` and
/// `account`.
#[doc(hidden)]
#[macro_export]
macro_rules! __message {
    ($name:ident, $nsid:literal {
        $($variant:ident = $($tag:literal)|+ [$($role:ident: $field:ident),* $(,)?]),* $(,)?
    }) => {
        impl $crate::xrpc::Message for $name {
            fn read_payload(
                tag: &str,
                reader: &mut $crate::types::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::types::DataError> {
                match tag {
                    $($($tag)|+ => $crate::types::codec::tagged_object(reader).map(Self::$variant),)*
                    _ => $crate::types::codec::payload_of_type($nsid, tag, reader).map(Self::Other),
                }
            }

            fn seq(&self) -> ::core::option::Option<i64> {
                match self {
                    $(Self::$variant(_value) => $crate::__message!(@seq _value $($role $field)*),)*
                    Self::Other(value) => $crate::__v1::seq_of_other(value),
                }
            }

            fn time(&self) -> ::core::option::Option<::std::borrow::Cow<'_, $crate::types::Datetime>> {
                match self {
                    $(Self::$variant(_value) => $crate::__message!(@time _value $($role $field)*),)*
                    Self::Other(value) => $crate::__v1::time_of_other(value).map(::std::borrow::Cow::Owned),
                }
            }

            fn account(&self) -> ::core::option::Option<::std::borrow::Cow<'_, $crate::types::Did>> {
                match self {
                    $(Self::$variant(_value) => $crate::__message!(@account _value $($role $field)*),)*
                    Self::Other(value) => $crate::__v1::account_of_other(value).map(::std::borrow::Cow::Owned),
                }
            }
        }
    };
    (@seq $value:ident seq $field:ident $($rest:ident)*) => {
        $crate::__v1::Present::<i64>::present(&$value.$field).copied()
    };
    (@time $value:ident time $field:ident $($rest:ident)*) => {
        $crate::__v1::Present::<$crate::types::Datetime>::present(&$value.$field).map(::std::borrow::Cow::Borrowed)
    };
    (@account $value:ident account $field:ident $($rest:ident)*) => {
        $crate::__v1::Present::<$crate::types::Did>::present(&$value.$field).map(::std::borrow::Cow::Borrowed)
    };
    (@$wanted:ident $value:ident $role:ident $field:ident $($rest:ident)*) => {
        $crate::__message!(@$wanted $value $($rest)*)
    };
    (@$wanted:ident $value:ident) => { ::core::option::Option::None };
}

/// The method of a group that starts a subscription, in the `impl` block of its accessor. The parameters are an argument
/// if at least one of them is required.
#[cfg(feature = "stream")]
#[doc(hidden)]
#[macro_export]
macro_rules! __subscribe {
    ($(#[$about:meta])* $name:ident: $subscription:ty, $params:ty) => {
        $(#[$about])*
        pub fn $name(&self, params: $params) -> $crate::stream::Subscribe<'c, $subscription> {
            $crate::stream::Subscribe::over(self.0, params)
        }
    };
    ($(#[$about:meta])* $name:ident: $subscription:ty) => {
        $(#[$about])*
        pub fn $name(&self) -> $crate::stream::Subscribe<'c, $subscription> {
            $crate::stream::Subscribe::over(
                self.0,
                ::core::default::Default::default(),
            )
        }
    };
}

/// Without streams there is nothing to start: generated code is the same for both.
#[cfg(not(feature = "stream"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __subscribe {
    ($($anything:tt)*) => {};
}
