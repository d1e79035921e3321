mod cases;
mod edits;
mod markdown;
mod mentions;
mod threads;
