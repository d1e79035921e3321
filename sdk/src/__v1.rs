//! What generated code names besides the public face: macros, and types of dependencies.
//!
//! Everything here belongs to one format of generated code. A change that older generated code does not compile with
//! makes a new format: a module `__v2`, and a new number in [`__generated!`](crate::__generated).

pub use compact_str::CompactString;
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use crate::types::serde_record::{check_serde_record, read_serde, serde_shape};

#[cfg(feature = "client")]
pub use crate::__accessor as accessor;
pub use crate::xrpc::subscription::{Present, account_of_other, seq_of_other, time_of_other};
pub use crate::{
    __closed_string as closed_string, __errors as errors, __message as message, __object as object,
    __open_string as open_string, __params as params, __setters as setters, __subscribe as subscribe,
    __union as union,
};

/// The root of generated code: its format, and its modules, which exist only if this version knows the format.
///
/// The name and the form of this macro are the same in every version, so that versions that do not fit are reported in
/// one sentence and not by the errors of everything else.
#[doc(hidden)]
#[macro_export]
macro_rules! __generated {
    (format: 1, { $($modules:item)* }) => { $($modules)* };
    (format: $format:literal, { $($modules:tt)* }) => {
        ::core::compile_error!(::core::concat!(
            "these bindings were generated in format ",
            $format,
            ", but this version of atproto-sdk supports format 1 only: generate them again with the version of \
             atproto-sdk-codegen that has the same number"
        ));
    };
}
