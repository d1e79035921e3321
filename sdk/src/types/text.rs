//! The string formats (replaced by one file per format).

use compact_str::CompactString;

/// A text that is not of the format asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {format}: {problem}")]
#[non_exhaustive]
pub struct InvalidText {
    /// Name of the format, such as `DID`.
    pub format: &'static str,
    /// The offending text, cut to 200 characters.
    pub text: String,
    /// The rule that was broken.
    pub problem: &'static str,
}

impl InvalidText {
    /// x
    pub fn new(format: &'static str, text: &str, problem: &'static str) -> Self {
        Self { format, text: text.chars().take(200).collect(), problem }
    }
}

macro_rules! text {
    ($($name:ident)*) => { $(
        #[doc = stringify!($name)]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(CompactString);
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str { &self.0 }
            /// Checks and takes a text.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidText> { Ok(Self(text.as_ref().into())) }
        }
        impl std::str::FromStr for $name { type Err = InvalidText; fn from_str(s: &str) -> Result<Self, InvalidText> { Self::new(s) } }
        impl TryFrom<String> for $name { type Error = InvalidText; fn try_from(s: String) -> Result<Self, InvalidText> { Self::new(s) } }
        impl TryFrom<&str> for $name { type Error = InvalidText; fn try_from(s: &str) -> Result<Self, InvalidText> { Self::new(s) } }
        impl std::fmt::Display for $name { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) } }
        impl std::fmt::Debug for $name { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{:?}", self.as_str()) } }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl serde::Serialize for $name { fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(&self.0) } }
        impl<'de> serde::Deserialize<'de> for $name { fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> { Ok(Self(CompactString::deserialize(d)?)) } }
    )* };
}
text! { Did Handle AtIdentifier Nsid AtUri Cid Tid RecordKey Datetime Language Uri }

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Blob {
    x: String,
}
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bytes {
    x: String,
}
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CidLink {
    x: String,
}
impl From<&Did> for AtIdentifier {
    fn from(d: &Did) -> Self {
        Self(d.as_str().into())
    }
}
impl From<Did> for AtIdentifier {
    fn from(d: Did) -> Self {
        Self(d.as_str().into())
    }
}
impl From<Handle> for AtIdentifier {
    fn from(d: Handle) -> Self {
        Self(d.as_str().into())
    }
}
