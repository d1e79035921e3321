mod cases;
mod edits;
mod markdown;
mod threads;
