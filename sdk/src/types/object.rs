//! The implementation of generated structs, each from a list of its fields.

/// Implements [`Data`](crate::types::Data), [`FromData`](crate::types::FromData), serde, `Debug` and `PartialEq` for a
/// generated struct.
///
/// An entry is `index field: "key" presence [rules]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __object {
    ($name:ident, $id:literal, record: $record:literal, {
        $($index:literal $field:ident : $key:literal $presence:ident $([$($rule:ident($($limit:tt)*)),+])?),* $(,)?
    }) => {
        impl $crate::types::Data for $name {
            fn shape(&self) -> $crate::types::codec::Shape<'_> {
                $crate::types::codec::Shape::Object($crate::types::codec::ObjectView {
                    schema: <Self as $crate::types::FromData>::SCHEMA,
                    extra: ::core::option::Option::Some(&self.extra),
                    data: self,
                })
            }
            #[allow(unused_variables)]
            fn each_field<'a>(&'a self, visit: &mut dyn FnMut(usize, &'a dyn $crate::types::Data)) {
                $(visit($index, &self.$field);)*
            }
        }

        impl $crate::types::FromData for $name {
            const SCHEMA: &'static $crate::types::codec::ObjectSchema = &$crate::types::codec::ObjectSchema {
                id: $id,
                record: $record,
                fields: &[$($crate::__field!($key, [$($($rule($($limit)*)),+)?])),*],
            };

            #[allow(clippy::never_loop)]
            fn read_fields(fields: &mut $crate::types::codec::FieldReader<'_, '_>) -> ::core::result::Result<Self, $crate::types::DataError> {
                $(let mut $field = ::core::option::Option::None;)*
                while let ::core::option::Option::Some(index) = fields.next_field()? {
                    match index {
                        $($index => $field = $crate::__object!(@read $presence fields),)*
                        _ => {}
                    }
                }
                ::core::result::Result::Ok(Self {
                    $($field: $crate::__object!(@finish $presence fields $index $field),)*
                    extra: fields.take_extra(),
                })
            }
        }

        $crate::__serde_data!($name);
        $crate::__compared!($name);
    };
    (@read optional $fields:ident) => { $fields.optional()? };
    (@read $presence:ident $fields:ident) => { ::core::option::Option::Some($fields.value()?) };
    (@finish required $fields:ident $index:literal $field:ident) => { $fields.required($field, $index)? };
    (@finish $presence:ident $fields:ident $index:literal $field:ident) => { $field };
}

/// Implements `Debug` and `PartialEq` for a generated type.
#[doc(hidden)]
#[macro_export]
macro_rules! __compared {
    ($name:ident) => {
        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                $crate::types::codec::debug(self, f)
            }
        }

        impl ::core::cmp::PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                $crate::types::codec::equal(self, other)
            }
        }
    };
}

/// A field with its rules, and the default of a parameter.
#[doc(hidden)]
#[macro_export]
macro_rules! __field {
    ($key:literal, [$($rule:ident($($limit:tt)*)),*] $(, $kind:ident $default:literal)?) => {
        $crate::types::codec::Field {
            key: $key,
            rules: &[$($crate::types::Rule::$rule($($limit)*)),*],
            default: $crate::__field!(@default $($kind $default)?),
        }
    };
    (@default) => { ::core::option::Option::None };
    (@default $kind:ident $default:literal) => {
        ::core::option::Option::Some($crate::types::codec::Literal::$kind($default))
    };
}
