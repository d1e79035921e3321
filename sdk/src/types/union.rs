//! The implementation of generated unions, each from a list of its variants. `$type` selects the variant, wherever it
//! occurs in the object.

/// Implements [`Data`](crate::types::Data), [`FromData`](crate::types::FromData), serde and `From` of every variant for
/// a generated enum.
#[doc(hidden)]
#[macro_export]
macro_rules! __union {
    ($name:ident, $openness:ident { $($variant:ident($type:ty) = $tag:literal),* $(,)? }) => {
        impl $crate::types::Data for $name {
            fn shape(&self) -> $crate::types::codec::Shape<'_> {
                match self {
                    $(Self::$variant(value) => $crate::types::codec::Shape::Tagged($tag, &**value),)*
                    #[allow(unreachable_patterns)]
                    other => $crate::__union!(@other_shape $openness other),
                }
            }
        }

        impl $crate::types::FromData for $name {
            fn read(reader: &mut $crate::types::codec::Reader<'_>) -> ::core::result::Result<Self, $crate::types::DataError> {
                let tag = reader.union_tag(::core::stringify!($name))?;
                match &*tag {
                    $($tag => $crate::types::codec::tagged_object(reader).map(Self::$variant),)*
                    _ => $crate::__union!(@read_other $openness reader tag $name),
                }
            }
        }

        $crate::__serde_data!($name);
        $crate::__compared!($name);

        $(impl ::core::convert::From<$type> for $name {
            fn from(value: $type) -> Self {
                Self::$variant(::std::boxed::Box::new(value))
            }
        })*
    };
    (@other_shape open $other:ident) => {
        match $other {
            Self::Other(value) => $crate::types::codec::Shape::Other(value),
            #[allow(unreachable_patterns)]
            _ => $crate::types::codec::Shape::Null,
        }
    };
    (@other_shape closed $other:ident) => {{
        let _ = $other;
        $crate::types::codec::Shape::Null
    }};
    (@read_other open $reader:ident $tag:ident $name:ident) => {
        $crate::types::FromData::read($reader).map(Self::Other)
    };
    (@read_other closed $reader:ident $tag:ident $name:ident) => {
        ::core::result::Result::Err($reader.unknown_variant(::core::stringify!($name), &$tag))
    };
}
