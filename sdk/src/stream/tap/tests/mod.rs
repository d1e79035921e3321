mod acknowledgements;
mod client;
mod messages;
