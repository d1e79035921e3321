//! A small package that depends on the SDK, and what the compiler says about it.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use atproto_sdk_codegen::catalog::Catalog;
use atproto_sdk_codegen::emit::{Home, generate};
use serde_json::Value;

pub struct Package {
    folder: PathBuf,
}

/// An error of the compiler.
#[derive(Debug)]
pub struct Error {
    pub file: String,
    pub code: String,
    pub text: String,
}

impl Error {
    /// Whether it is in a module or program of that name.
    pub fn is_in(&self, name: &str) -> bool {
        self.file.split(['/', '.']).any(|part| part == name)
    }
}

impl Package {
    /// An empty package below the target folder, for a program with clients.
    pub fn new(name: &str) -> Self {
        Self::with_features(name, "2024", "\"client\"")
    }

    /// An empty package below the target folder, for a program with clients and streams.
    pub fn with_streams(name: &str) -> Self {
        Self::with_features(name, "2024", "\"stream\"")
    }

    /// An empty package below the target folder, for types alone, in the oldest edition that has modules as ours.
    pub fn of_types(name: &str) -> Self {
        Self::with_features(name, "2018", "")
    }

    fn with_features(name: &str, edition: &str, features: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(folder.join("src"));
        let package = Self { folder };
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"{edition}\"\npublish = false\n\n\
             [dependencies]\natproto-sdk = {{ path = {:?}, default-features = false, features = [\"app-bsky\", {features}] }}\n\
             futures-util = {{ version = \"0.3\", default-features = false, features = [\"std\"] }}\n\n\
             [profile.dev]\ndebug = \"line-tables-only\"\n\n[workspace]\n",
            workspace.join("sdk")
        );
        package.write("Cargo.toml", &manifest);
        // The same versions as everywhere, and nothing to look up.
        package.write("Cargo.lock", &fs::read_to_string(workspace.join("Cargo.lock")).unwrap());
        package
    }

    /// Writes a file, unless it is already so.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::write(path, text).unwrap();
        }
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap()
    }

    /// Generates bindings into a folder, which is the module `module` of the package.
    pub fn bindings(&self, folder: &str, module: &str, catalog: &Catalog) {
        for file in generate(catalog, &Home::foreign(Some(module)).unwrap()).unwrap() {
            self.write(&format!("{folder}/{}", file.path.display()), &file.text);
        }
    }

    /// The errors that `cargo check` finds.
    pub fn check(&self) -> Vec<Error> {
        self.cargo(&["check", "--keep-going", "--lib", "--bins"])
    }

    /// Runs the program of the package.
    pub fn run(&self) -> Vec<Error> {
        self.cargo(&["run"])
    }

    fn cargo(&self, command: &[&str]) -> Vec<Error> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let output = Command::new(env!("CARGO"))
            .args(command)
            .args(["--offline", "--quiet", "--message-format", "json"])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", target)
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let errors: Vec<Error> = messages.filter_map(|message| error(&message)).collect();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() != errors.iter().any(|_| true), "cargo {}: {said}", command[0]);
        errors
    }
}

fn error(message: &Value) -> Option<Error> {
    let diagnostic = message.get("message").filter(|_| message["reason"] == "compiler-message")?;
    let text = diagnostic["message"].as_str().unwrap_or_default().to_owned();
    if diagnostic["level"] != "error" || text.starts_with("aborting due to") {
        return None;
    }
    let code = diagnostic["code"]["code"].as_str().unwrap_or_default().to_owned();
    let file = diagnostic["spans"][0]["file_name"].as_str().unwrap_or_default().to_owned();
    Some(Error { file, code, text })
}
