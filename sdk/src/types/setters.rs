//! The chainable setters of generated structs.

/// Implements a chainable setter for each optional field.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    ($name:ident { $($setter:ident = $field:ident : $way:ident $type:ty),* $(,)? }) => {
        impl $name {
            $($crate::setters! { @one $setter $field $way $type })*
        }
    };
    (@one $setter:ident $field:ident plain $type:ty) => {
        #[doc = ::core::concat!("Sets `", ::core::stringify!($field), "`.")]
        #[must_use]
        pub fn $setter(mut self, value: $type) -> Self {
            self.$field = ::core::option::Option::Some(value);
            self
        }
    };
    (@one $setter:ident $field:ident into $type:ty) => {
        #[doc = ::core::concat!("Sets `", ::core::stringify!($field), "`.")]
        #[must_use]
        pub fn $setter(mut self, value: impl ::core::convert::Into<$type>) -> Self {
            self.$field = ::core::option::Option::Some(value.into());
            self
        }
    };
    (@one $setter:ident $field:ident boxed $type:ty) => {
        #[doc = ::core::concat!("Sets `", ::core::stringify!($field), "`.")]
        #[must_use]
        pub fn $setter(mut self, value: $type) -> Self {
            self.$field = ::core::option::Option::Some(::std::boxed::Box::new(value));
            self
        }
    };
}
