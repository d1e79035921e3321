//! What the fuzz targets need of this layer.

use url::Url;

use super::page::{Metadata, text_of};

/// What is taken of a page.
pub struct Page {
    pub title: String,
    pub description: String,
    pub image: Option<String>,
}

/// What a page at a URL says about itself, with the content type of the response.
pub fn page(body: &[u8], content_type: Option<&str>, url: &str) -> Option<Page> {
    let url = Url::parse(url).ok()?;
    let Metadata { title, description, image } = Metadata::read(&text_of(body, content_type), &url);
    Some(Page { title, description, image: image.map(String::from) })
}
