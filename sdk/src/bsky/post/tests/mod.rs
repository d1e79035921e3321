mod account;
mod builder;
mod images;
mod pages;
