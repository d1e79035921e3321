//! The reference client, behind the same plans: a program for Node in `tests/reference`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

/// The installed driver.
#[derive(Debug)]
pub(crate) struct Reference {
    node: PathBuf,
    program: PathBuf,
}

impl Reference {
    /// Installs it below the build folder, unless it is there.
    pub(crate) async fn install() -> Self {
        let node = tests::install(&|step| eprintln!("{step}")).await.unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference");
        let folder = tests::install_folder().parent().unwrap().join("reference");
        fs::create_dir_all(&folder).unwrap();
        let names = ["package.json", "package-lock.json", "driver.mjs"];
        let done = folder.join("done");
        let lock = fs::read_to_string(source.join("package-lock.json")).unwrap();
        let installed = fs::read_to_string(&done).is_ok_and(|found| found == lock);
        for name in names {
            fs::copy(source.join(name), folder.join(name)).unwrap();
        }
        if !installed {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let first = node.parent().map(Path::to_owned);
            let path = std::env::join_paths(first.into_iter().chain(std::env::split_paths(&path))).unwrap();
            let output = Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(&folder)
                .env("PATH", path)
                .stdin(Stdio::null())
                .output()
                .await
                .unwrap();
            assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
            fs::write(&done, lock).unwrap();
        }
        Self { node, program: folder.join("driver.mjs") }
    }

    pub(crate) fn driver(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(&self.program);
        command
    }
}
