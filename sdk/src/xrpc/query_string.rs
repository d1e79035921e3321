//! Query strings of XRPC calls (protocol X2).

/// A query string that is being written.
#[derive(Debug, Clone, Default)]
pub struct QueryString(String);

impl QueryString {
    /// The finished text, without `?`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
