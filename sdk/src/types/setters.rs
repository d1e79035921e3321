//! The chainable setters of generated structs.

/// Implements a chainable setter for every optional field; an entry may have attributes, such as `#[deprecated]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __setters {
    ($name:ident { $($(#[$attribute:meta])* $setter:ident = $field:ident : $way:ident $type:ty),* $(,)? }) => {
        impl $name {
            $($crate::__setters! { @one [$(#[$attribute])*] $setter $field $way $type })*
        }
    };
    (@one [$($attributes:tt)*] $setter:ident $field:ident plain $type:ty) => {
        #[doc = ::core::concat!("Sets `", ::core::stringify!($field), "`.")]
        $($attributes)*
        #[must_use]
        pub fn $setter(mut self, value: $type) -> Self {
            self.$field = ::core::option::Option::Some(value);
            self
        }
    };
    (@one [$($attributes:tt)*] $setter:ident $field:ident into $type:ty) => {
        #[doc = ::core::concat!("Sets `", ::core::stringify!($field), "`.")]
        $($attributes)*
        #[must_use]
        pub fn $setter(mut self, value: impl ::core::convert::Into<$type>) -> Self {
            self.$field = ::core::option::Option::Some(value.into());
            self
        }
    };
    (@one [$($attributes:tt)*] $setter:ident $field:ident integer $type:ty) => {
        #[doc = ::core::concat!("Sets `", ::core::stringify!($field), "`.")]
        $($attributes)*
        #[must_use]
        pub fn $setter(mut self, value: impl $crate::types::Integer) -> Self {
            self.$field = ::core::option::Option::Some($crate::types::Integer::into_i64(value));
            self
        }
    };
    (@one [$($attributes:tt)*] $setter:ident $field:ident boxed $type:ty) => {
        #[doc = ::core::concat!("Sets `", ::core::stringify!($field), "`.")]
        $($attributes)*
        #[must_use]
        pub fn $setter(mut self, value: $type) -> Self {
            self.$field = ::core::option::Option::Some(::std::boxed::Box::new(value));
            self
        }
    };
}
