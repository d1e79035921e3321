//! The typed half of the wire tests: for every query and procedure, the call that a user would write.
//!
//! The other half is written by hand, in `tests/tests/wire`: it makes example values and what has to be on the wire straight
//! from the Lexicon documents, so that a defect of the generator shows. What is generated here only takes such values, by
//! the keys of the documents, and passes them to the constructors, setters and methods of the bindings.

mod reach;
mod source;

use atproto_sdk_codegen::{catalog::Catalog, emit::GeneratedFile, model, renames::Renames};

/// Why the wire tests could not be made: the model does not have what the documents say, which is a defect of the
/// generator.
#[derive(Debug, thiserror::Error)]
#[error("the wire test of {method} cannot be made: {place} is {problem}; the generator has a defect")]
#[non_exhaustive]
pub struct WireError {
    /// The NSID of the method.
    pub method: String,
    /// Where in the bindings.
    pub place: String,
    /// What is the matter.
    pub problem: &'static str,
}

/// Makes the files, one for each group of methods and one for each module whose types they use.
///
/// # Errors
///
/// Returns an error if the model and the documents do not fit together.
pub fn files(catalog: &Catalog) -> Result<Vec<GeneratedFile>, WireError> {
    let model = model::lower(catalog, &Renames::default());
    let reached = reach::from_methods(catalog, &model)?;
    Ok(source::files(&model, &reached))
}
