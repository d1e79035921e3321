//! A database server as a child process, with its data in a temporary folder.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The limit for a server to be ready.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// It is not installed.
    #[error("`{program}` was not found; install Debian's package {package}")]
    Missing {
        /// The program.
        program: &'static str,
        /// Where it is.
        package: &'static str,
    },
    /// It could not be started.
    #[error("{program} could not be started")]
    Start {
        /// The program.
        program: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It did not get ready.
    #[error("{program} was not ready within {START_LIMIT:?}; it printed:\n{output}")]
    NotReady {
        /// The program.
        program: &'static str,
        /// What it printed.
        output: String,
    },
}

/// What a server needs to run.
pub(crate) struct Recipe {
    pub(crate) program: &'static str,
    /// The whole command, without its port.
    pub(crate) command: Vec<String>,
    /// The name of the option that takes the port.
    pub(crate) port_option: &'static str,
    /// What ends it quickly and in order.
    pub(crate) stop_signal: &'static str,
    /// Whether it takes connections at this port.
    pub(crate) is_ready: Box<dyn Fn(u16) -> bool + Send + Sync>,
}

/// A running server. It ends when this is dropped, and by itself when this process dies.
pub(crate) struct Server {
    recipe: Recipe,
    pub(crate) port: u16,
    folder: TempDir,
    /// None only while it is being restarted.
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start(recipe: Recipe, folder: TempDir) -> Result<Self, ServerError> {
        let port = free_port().map_err(|source| ServerError::Start { program: recipe.program, source })?;
        let mut server = Self { recipe, port, folder, child: None };
        server.run()?;
        Ok(server)
    }

    fn run(&mut self) -> Result<(), ServerError> {
        // A shell between, which ends the server when our end of its standard input closes, in whatever way.
        const SCRIPT: &str = "signal=$1; shift; \"$@\" </dev/null & server=$!; read -r _; kill -\"$signal\" $server; wait $server";
        let program = self.recipe.program;
        let failed = |source| ServerError::Start { program, source };
        let log_path = self.folder.path().join("server.log");
        let log = std::fs::File::create(&log_path).map_err(failed)?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh", self.recipe.stop_signal]).args(&self.recipe.command);
        command.args([self.recipe.port_option, &self.port.to_string()]);
        command.stdin(Stdio::piped()).stdout(log.try_clone().map_err(failed)?).stderr(log);
        self.child = Some(command.current_dir(self.folder.path()).spawn().map_err(failed)?);
        let deadline = Instant::now() + START_LIMIT;
        while !(self.recipe.is_ready)(self.port) {
            if Instant::now() > deadline {
                let output = std::fs::read_to_string(&log_path).unwrap_or_default();
                return Err(ServerError::NotReady { program, output });
            }
            thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            // What fails here has ended already.
            let _ = child.wait();
        }
    }

    /// Ends it and starts it again with the same data at the same port.
    pub(crate) fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        self.run()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("program", &self.recipe.program).field("port", &self.port).finish()
    }
}

pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A program of a folder or of the `PATH`.
pub(crate) fn find(name: &str, folders: impl IntoIterator<Item = std::path::PathBuf>) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = folders.into_iter().chain(std::env::split_paths(&path));
    places.find_map(|folder| {
        let file = folder.join(name);
        is_file(&file).then(|| file.display().to_string())
    })
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file())
}
