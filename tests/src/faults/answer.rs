//! An answer on its way from the server to the client.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::fault::Body;

/// An answer with its whole body.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answered {
    /// An answer of a gateway.
    pub(super) fn of_gateway(status: u16, body: Body) -> Self {
        let (kind, text) = match body {
            Body::Empty => (None, String::new()),
            Body::Html => {
                let page =
                    format!("<!doctype html><title>{status}</title><h1>{status} from a gateway</h1>\n");
                (Some("text/html; charset=utf-8"), page)
            }
            Body::Json => {
                let name = match status {
                    429 => "RateLimitExceeded",
                    500.. => "InternalServerError",
                    _ => "InvalidRequest",
                };
                let body = serde_json::json!({ "error": name, "message": "from a gateway" });
                (Some("application/json"), body.to_string())
            }
        };
        let headers = kind.map(|kind| ("content-type".to_owned(), kind.to_owned())).into_iter().collect();
        Self { status, headers, body: text.into_bytes() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Replaces a header, or removes it.
    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        self.headers.retain(|(found, _)| found != name);
        self.headers.extend(value.map(|value| (name.to_owned(), value)));
    }

    /// The head; `length` is what it promises of the body.
    fn head(&self, length: usize, stays_open: bool) -> Vec<u8> {
        let connection = if stays_open { "keep-alive" } else { "close" };
        let mut head = format!("HTTP/1.1 {} From-Proxy\r\nconnection: {connection}\r\n", self.status);
        if self.status != 204 && self.status != 304 {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Writes it as a whole. A request with the method `HEAD` gets no body.
    pub(super) async fn write(&self, to: &mut TcpStream, head_only: bool) -> io::Result<()> {
        let mut bytes = self.head(self.body.len(), true);
        if !head_only {
            bytes.extend_from_slice(&self.body);
        }
        to.write_all(&bytes).await?;
        to.flush().await
    }

    /// Writes the first half of the body, of which the head has promised all.
    pub(super) async fn write_half(&self, to: &mut TcpStream) -> io::Result<()> {
        let mut bytes = self.head(self.body.len().max(2), false);
        bytes.extend_from_slice(&self.body[..self.body.len() / 2]);
        to.write_all(&bytes).await?;
        to.flush().await
    }

    /// Writes the body in that many pieces.
    pub(super) async fn drip(&self, to: &mut TcpStream, pieces: u32, pause: Duration) -> io::Result<()> {
        to.set_nodelay(true)?;
        to.write_all(&self.head(self.body.len(), true)).await?;
        let size = self.body.len().div_ceil(pieces.max(1) as usize).max(1);
        for piece in self.body.chunks(size) {
            tokio::time::sleep(pause).await;
            to.write_all(piece).await?;
            to.flush().await?;
        }
        Ok(())
    }
}

/// The time that is so many seconds from now, as in the header `Date`.
pub(super) fn http_date(offset: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = now.saturating_add_signed(offset);
    let (days, seconds) = (time / 86_400, time % 86_400);
    // Years from March to February, in which the leap day is the last one.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let (name, month) = (DAYS[(days % 7) as usize], MONTHS[month as usize]);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{name}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}
