//! Generates the bindings that `lexicons.toml` describes.

fn main() -> Result<(), atproto_sdk_codegen::GenerateError> {
    atproto_sdk_codegen::build()
}
