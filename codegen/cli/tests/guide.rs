//! The guide "your own lexicons in ten minutes", done as it says: from an empty folder to records on a real PDS.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use tests::Network;

const GUIDE: &str = include_str!("../../generator/docs/guide.md");

/// What the guide tells the reader to do.
#[derive(Debug)]
enum Step {
    /// To write a file.
    File { path: String, text: String },
    /// To run a command, which prints these lines; `...` stands for anything.
    Command { line: String, output: Vec<String> },
}

fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut paragraph, mut lines) = (String::new(), GUIDE.lines());
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            if !line.trim().is_empty() {
                line.clone_into(&mut paragraph);
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let path = paragraph.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:"));
        match (kind, path) {
            ("console", _) => steps.extend(commands(&block)),
            (_, Some(path)) => {
                steps.push(Step::File { path: path.to_owned(), text: block.join("\n") + "\n" })
            }
            _ => {}
        }
        paragraph.clear();
    }
    steps
}

fn commands(block: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step::Command { line: command.to_owned(), output: Vec::new() });
            }
            (None, Some(Step::Command { output, .. })) => output.push((*line).to_owned()),
            _ => panic!("output without a command: {line}"),
        }
    }
    steps
}

fn matches(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    pattern.split("...").all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

struct Reader {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Reader {
    fn follow(&mut self, step: &Step) {
        match step {
            Step::File { path, text } => {
                let path = self.folder.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Step::Command { line, output } => self.run(line, output),
        }
    }

    fn run(&mut self, line: &str, expected: &[String]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        match words.as_slice() {
            // It has just been built.
            ["cargo", "install", "atproto-sdk-cli"] => return,
            ["cd", folder] => {
                self.folder.push(folder);
                // The same versions as everywhere, which are on the machine already.
                fs::copy(workspace.join("Cargo.lock"), self.folder.join("Cargo.lock")).unwrap();
                return;
            }
            // Not published yet, and to be tested as it is here.
            ["cargo", "add", "atproto-sdk", ..] => {
                command.arg("--path").arg(workspace.join("sdk"));
            }
            _ => {}
        }
        let output = command.current_dir(&self.folder).envs(self.variables.iter().cloned()).output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "$ {line}\n{out}{err}");
        if !expected.is_empty() {
            let lines: Vec<&str> = out.lines().collect();
            let fits = lines.len() == expected.len()
                && lines.iter().zip(expected).all(|(line, pattern)| matches(line, pattern));
            assert!(fits, "$ {line}\nexpected {expected:#?}, found {lines:#?}");
        }
    }
}

#[tokio::test]
async fn the_guide_leads_from_an_empty_folder_to_records_on_a_server() {
    let network = Network::shared().await.unwrap();
    let account = network.account("bookseller").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_atproto-sdk")).parent().unwrap();
    let paths = env::var_os("PATH").unwrap_or_default();
    let paths = env::join_paths([program.to_owned()].into_iter().chain(env::split_paths(&paths))).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut reader = Reader {
        folder: folder.path().to_owned(),
        variables: vec![
            ("PATH", paths.to_str().unwrap().to_owned()),
            ("CARGO_NET_OFFLINE", "true".to_owned()),
            ("CARGO_TARGET_DIR", target.to_str().unwrap().to_owned()),
            ("RUSTFLAGS", String::new()),
            ("SERVER", network.pds().to_owned()),
            ("HANDLE", account.handle.to_string()),
            ("APP_PASSWORD", account.password.clone()),
        ],
    };
    let steps = steps();
    let commands = steps.iter().filter(|step| matches!(step, Step::Command { .. })).count();
    assert!(commands >= 12 && steps.len() - commands == 5, "{steps:#?}");
    for step in &steps {
        reader.follow(step);
    }
}
