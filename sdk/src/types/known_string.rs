//! Strings with named values: open sets (`knownValues`) and closed sets (`enum`).

/// Implements the conversions of a generated enum of known values that accepts any other string too.
#[doc(hidden)]
#[macro_export]
macro_rules! __open_string {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        const _: () = {
            impl $name {
                /// Returns the value as it is encoded.
                pub fn as_str(&self) -> &str {
                    match self {
                        $(Self::$variant => $text,)*
                        Self::Other(text) => text,
                    }
                }
            }

            impl ::core::convert::From<&str> for $name {
                fn from(text: &str) -> Self {
                    match text {
                        $($text => Self::$variant,)*
                        _ => Self::Other($crate::__v1::CompactString::new(text)),
                    }
                }
            }

            impl ::core::convert::From<::std::string::String> for $name {
                fn from(text: ::std::string::String) -> Self {
                    Self::from(text.as_str())
                }
            }

            impl ::core::convert::AsRef<str> for $name {
                fn as_ref(&self) -> &str {
                    self.as_str()
                }
            }

            impl ::core::fmt::Display for $name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(self.as_str())
                }
            }

            impl $crate::types::Data for $name {
                fn shape(&self) -> $crate::types::codec::Shape<'_> {
                    $crate::types::codec::Shape::Text(self.as_str())
                }
            }

            impl $crate::types::FromData for $name {
                fn read(reader: &mut $crate::types::codec::Reader<'_>) -> ::core::result::Result<Self, $crate::types::DataError> {
                    let text = reader.text()?;
                    ::core::result::Result::Ok(Self::from(&*text))
                }
            }

            $crate::__serde_data!($name);
        };
    };
}

/// Implements the conversions of a generated enum of strings that accepts no others.
#[doc(hidden)]
#[macro_export]
macro_rules! __closed_string {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        const _: () = {
            impl $name {
                /// Returns the value as it is encoded.
                pub fn as_str(&self) -> &'static str {
                    match self {
                        $(Self::$variant => $text,)*
                    }
                }
            }

            impl ::core::convert::TryFrom<&str> for $name {
                type Error = $crate::types::InvalidText;
                fn try_from(text: &str) -> ::core::result::Result<Self, $crate::types::InvalidText> {
                    match text {
                        $($text => ::core::result::Result::Ok(Self::$variant),)*
                        _ => ::core::result::Result::Err($crate::types::InvalidText::new(
                            ::core::stringify!($name),
                            text,
                            ::core::concat!("expected one of", $(" `", $text, "`",)*),
                        )),
                    }
                }
            }

            impl ::core::str::FromStr for $name {
                type Err = $crate::types::InvalidText;
                fn from_str(text: &str) -> ::core::result::Result<Self, $crate::types::InvalidText> {
                    <Self as ::core::convert::TryFrom<&str>>::try_from(text)
                }
            }

            impl ::core::convert::AsRef<str> for $name {
                fn as_ref(&self) -> &str {
                    self.as_str()
                }
            }

            impl ::core::fmt::Display for $name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(self.as_str())
                }
            }

            impl $crate::types::Data for $name {
                fn shape(&self) -> $crate::types::codec::Shape<'_> {
                    $crate::types::codec::Shape::Text(self.as_str())
                }
            }

            impl $crate::types::FromData for $name {
                fn read(reader: &mut $crate::types::codec::Reader<'_>) -> ::core::result::Result<Self, $crate::types::DataError> {
                    let text = reader.text()?;
                    <Self as ::core::convert::TryFrom<&str>>::try_from(&*text).map_err(|error| reader.invalid(error))
                }
            }

            $crate::__serde_data!($name);
        };
    };
}
