mod archive_file;
mod archives;
mod compression;
mod messages;
