//! A program that drives a client, as a child process.

use std::{process::Stdio, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command as Process},
    sync::mpsc,
};

use crate::{
    protocol::{Command, Report, Settings},
    worker,
};

/// Which client is driven.
#[derive(Debug, Clone)]
pub(crate) enum Client {
    /// This SDK: this very program, started again.
    Sdk,
    /// The reference client, by a program of its own.
    Reference(Arc<crate::reference::Reference>),
}

/// A running driver. It ends with this value.
pub(crate) struct Driver {
    child: Child,
    input: ChildStdin,
}

impl Driver {
    /// Starts one. What it says goes to the channel, together with its number.
    pub(crate) async fn start(
        client: &Client,
        settings: &Settings,
        variables: &[(&str, String)],
        reports: mpsc::UnboundedSender<(u32, Report)>,
    ) -> Self {
        let mut process = match client {
            Client::Sdk => {
                let mut process = Process::new(std::env::current_exe().unwrap());
                process
                    .args(["plans::worker_process", "--exact", "--ignored", "--nocapture"])
                    .env(worker::MARK, "1");
                process
            }
            Client::Reference(reference) => reference.driver(),
        };
        process.envs(variables.iter().map(|(name, value)| (name, value)));
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = process.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let line = serde_json::to_string(settings).unwrap();
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let number = settings.worker;
        // Ends with the output of the child.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(report) = serde_json::from_str(&line)
                    && reports.send((number, report)).is_err()
                {
                    break;
                }
            }
        });
        Self { child, input }
    }

    pub(crate) async fn tell(&mut self, command: &Command) {
        let line = serde_json::to_string(command).unwrap();
        // Fails if the driver has died, which shows in what it no longer says.
        let _ = self.input.write_all(format!("{line}\n").as_bytes()).await;
    }

    /// Its process id; none when it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = Process::new("kill").args([&format!("-{signal}"), &id]).status().await.unwrap();
        assert!(sent.success(), "kill -{signal} {id}");
    }

    /// Kills it without a warning and waits for its end.
    pub(crate) async fn kill(&mut self) {
        // `kill -9`.
        self.child.kill().await.unwrap();
    }
}
