//! A server of streams in another process, whose cost is not counted.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

use tests::stream_server::{Script, StreamServer, identity};

/// The process. It ends with this one.
pub(crate) struct Server {
    child: Child,
    origin: String,
}

impl Server {
    /// Every connection gets so many messages.
    pub(crate) fn start(messages: usize) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let arguments = ["serve".to_owned(), messages.to_string()];
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut origin = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut origin).unwrap();
        Self { child, origin: origin.trim().to_owned() }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves until the standard input is closed.
pub(crate) async fn serve(messages: usize) {
    /// Written at once, so that the server is not what takes the time.
    const AT_ONCE: usize = 500;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let server = StreamServer::start().await.unwrap();
    let seqs: Vec<i64> = (1..=i64::try_from(messages).unwrap()).collect();
    let script = seqs
        .chunks(AT_ONCE)
        .fold(Script::accept(), |script, some| script.frames(some.iter().map(|seq| identity(*seq))));
    server.then(script);
    println!("{}", server.url());
    std::future::pending().await
}
