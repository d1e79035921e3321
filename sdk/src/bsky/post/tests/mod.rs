mod account;
mod builder;
mod image_metadata;
mod images;
mod pages;
