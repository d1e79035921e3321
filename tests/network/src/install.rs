//! Installs the network's npm packages, once for all test programs.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
};

/// Why the network could not be installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// A program is missing.
    #[error(
        "`{program}` cannot be run; the local network needs Node.js with npm, bash, and Python 3, make and a C++ compiler \
         (c++), with which npm builds its database driver"
    )]
    Missing {
        /// The program.
        program: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The installation failed.
    #[error("the local network could not be installed: {output}")]
    Failed {
        /// The last lines that it printed.
        output: String,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Where the network is described.
fn source_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where the network is installed: below the build folder, which is not part of the source.
pub fn install_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("network")
}

/// The modules of the network's program. The first one is run.
const MODULES: [(&str, &str); 2] =
    [("network.mjs", include_str!("../network.mjs")), ("accounts.mjs", include_str!("../accounts.mjs"))];

/// Puts the network's program beside its packages, because that is where Node looks for them, and gives its path.
///
/// The folder's name tells the content: another program that starts the network at the same time, maybe of another
/// version, finds whole files.
pub(crate) fn program() -> Result<PathBuf, InstallError> {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    // FNV-1a: the same in every Rust version.
    let bytes = MODULES.iter().flat_map(|(_, text)| text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let folder = install_folder();
    let program = folder.join(format!("program-{hash:016x}"));
    if !program.is_dir() {
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let unfinished = folder.join(format!("unfinished-{}-{number}", std::process::id()));
        let write = || {
            fs::create_dir_all(&unfinished)?;
            for (name, text) in MODULES {
                fs::write(unfinished.join(name), text)?;
            }
            fs::rename(&unfinished, &program)
        };
        if let Err(source) = write() {
            // Another program may have been faster.
            let _ = fs::remove_dir_all(&unfinished);
            if !program.is_dir() {
                return Err(InstallError::File { path: program, source });
            }
        }
    }
    Ok(program.join(MODULES[0].0))
}

/// Installs what is not installed yet and gives the Node to run the network with. `progress` is told what takes long.
///
/// # Errors
/// When Node.js or npm is missing, or the packages cannot be fetched or compiled.
pub async fn install(progress: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, InstallError> {
    let (source, folder) = (source_folder(), install_folder());
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::File { path, source }
    };
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    if let Some(node) = installed(&folder, &description(&source)?) {
        return Ok(node);
    }
    // One program installs, the others wait for it. The lock ends with the program that holds it.
    let lock_path = folder.join("install.lock");
    let lock = File::create(&lock_path).map_err(file(&lock_path))?;
    if lock.try_lock().is_err() {
        progress("waiting for another program to install the local network");
        let waiting = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
        let held =
            waiting.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(file(&lock_path))?;
        return install_locked(&source, &folder, &held, progress).await;
    }
    install_locked(&source, &folder, &lock, progress).await
}

async fn install_locked(
    source: &Path,
    folder: &Path,
    _lock: &File,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<PathBuf, InstallError> {
    // Whoever held the lock may have done it meanwhile.
    if let Some(node) = installed(folder, &description(source)?) {
        return Ok(node);
    }
    progress("installing the local network: a PLC directory and a PDS (once; one to two minutes)");
    let node = run_installer(source, folder, progress).await?;
    let done = folder.join("done");
    fs::write(&done, format!("{}\n{}", node.display(), description(source)?))
        .map_err(|source| InstallError::File { path: done.clone(), source })?;
    Ok(node)
}

/// The Node of a whole installation. It is told by a copy of its description, which is written last: half an
/// installation has none.
fn installed(folder: &Path, wanted: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(folder.join("done")).ok()?;
    let (node, description) = text.split_once('\n')?;
    (description == wanted && Path::new(node).exists()).then(|| PathBuf::from(node))
}

/// Everything that decides what is installed.
fn description(source: &Path) -> Result<String, InstallError> {
    let mut text = String::new();
    for name in ["package-lock.json", "driver/package-lock.json", "runtime/package-lock.json", "install.sh"] {
        let path = source.join(name);
        File::open(&path)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|source| InstallError::File { path, source })?;
    }
    Ok(text)
}

async fn run_installer(
    source: &Path,
    folder: &Path,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<PathBuf, InstallError> {
    for program in ["node", "npm", "python3", "make", "c++"] {
        let found = Command::new(program).arg("--version").stdout(Stdio::null()).status().await;
        found.map_err(|source| InstallError::Missing { program, source })?;
    }
    let mut child = Command::new("bash")
        .arg(source.join("install.sh"))
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| InstallError::Missing { program: "bash", source })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut node = None;
    if let Some(stdout) = stdout {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(step) = line.strip_prefix("step: ") {
                progress(step);
            } else if let Some(path) = line.strip_prefix("node: ") {
                node = Some(PathBuf::from(path));
            }
        }
    }
    let mut output = String::new();
    if let Some(mut stderr) = stderr {
        // What cannot be read is not shown.
        let _ = stderr.read_to_string(&mut output).await;
    }
    let status = child.wait().await.map_err(|source| InstallError::Missing { program: "bash", source })?;
    match node {
        Some(node) if status.success() => Ok(node),
        _ => Err(InstallError::Failed { output }),
    }
}
