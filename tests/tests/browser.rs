//! The browser itself, on pages of the scripted server.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tests::{Answer, Browser, BrowserError, Stub};

const PAGE: &str = "<title>A page</title><form action=/next><input name=word><p hidden id=hidden>no</p>\
                    <button type=submit>Go on</button></form>";

#[tokio::test]
async fn it_types_clicks_reads_and_takes_pictures() {
    let stub = Stub::start().await.unwrap();
    stub.answer("/", Answer::html(PAGE));
    stub.answer("/next", Answer::html("<p>Arrived"));
    let browser = Browser::start().await.unwrap();
    browser.open(&stub.url()).await.unwrap();
    browser.type_into("//input[@name='word']", "a & b").await.unwrap();
    assert!(browser.screenshot().await.unwrap().starts_with(b"\x89PNG"));
    browser.click("//button[normalize-space()='Go on']").await.unwrap();
    browser.find("//p[.='Arrived']").await.unwrap();
    assert_eq!(browser.text().await.unwrap(), "Arrived");
    assert_eq!(browser.address().await.unwrap(), format!("{}/next?word=a+%26+b", stub.url()));
    assert_eq!(stub.received_at("/next").len(), 1);
    browser.quit().await.unwrap();
}

#[tokio::test]
async fn it_tells_what_the_page_says_instead() {
    let stub = Stub::start().await.unwrap();
    stub.answer("/", Answer::html(PAGE));
    let browser = Browser::start().await.unwrap();
    browser.open(&stub.url()).await.unwrap();
    let error = browser.find_within("//*[@id='hidden']", Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(&error, BrowserError::NotFound { text, .. } if text.contains("Go on")), "{error}");
    let error = browser.open("no address").await.unwrap_err();
    assert!(matches!(error, BrowserError::Command { .. }), "{error}");
}

/// A process that dies without a word leaves no driver behind, and so no Chromium.
#[cfg(unix)]
#[test]
fn the_browser_ends_with_the_process_that_started_it() {
    use std::{
        io::{BufRead as _, BufReader},
        net::TcpStream,
        process::{Command, Stdio},
        time::Instant,
    };
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_browser_until_it_is_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port: u16 = lines
        .find_map(|line| line.split_once("PORT=").map(|(_, port)| port.to_owned()))
        .unwrap()
        .parse()
        .unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline, "the driver still listens");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Not a test: the process that the one above kills.
#[tokio::test]
#[ignore = "started by the_browser_ends_with_the_process_that_started_it"]
async fn holds_a_browser_until_it_is_killed() {
    let browser = Browser::start().await.unwrap();
    browser.open("about:blank").await.unwrap();
    #[expect(clippy::print_stdout, reason = "the test reads it")]
    {
        println!("\nPORT={}", browser.driver_port());
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
}
