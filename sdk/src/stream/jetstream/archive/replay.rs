//! Reads an archive from a position to its end: asks for a plan, downloads what is in it, and goes on where it was if something
//! fails.

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{
    StreamExt as _,
    stream::{FuturesOrdered, unfold},
};
use tokio::{task::spawn_blocking, time::sleep};
use zeroize::Zeroizing;

use super::{
    super::{EventKind, Filter, Message, compression::Decompressor, filter::Matcher},
    block::{Block, MOST_BLOCK_BYTES, MOST_STORED_BYTES, Row, SegmentError},
    segment::SegmentReader,
};
use crate::{
    api::network::bsky::jetstream::{
        NetworkBskyJetstream, get_block, get_segment,
        plan_snapshot::{self, Segment, SegmentMode},
    },
    limits,
    stream::{
        Undecodable,
        protocol::{Archive, Archived, Read},
    },
    xrpc::{
        Attempt, BoxFuture, ByteStream, Error, ErrorKind, Kind, Message as _, Method as _, Outcome,
        ReadError, Transport, TransportError,
    },
};

/// How many blocks are downloaded at the same time.
const AT_ONCE: usize = 4;

/// Why an archive cannot be read. What passes by itself has been tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The server does not say what is in the archive.
    #[error(transparent)]
    Plan(Error<plan_snapshot::Error>),
    /// A file of the archive cannot be downloaded.
    #[error(transparent)]
    Segment(Error<get_segment::Error>),
    /// A block of the archive cannot be downloaded.
    #[error(transparent)]
    Block(Error<get_block::Error>),
    /// A download was interrupted.
    #[error("a download from the archive was interrupted")]
    Download(#[source] ReadError),
    /// What was downloaded is not what it should be.
    #[error("a file of the archive cannot be read")]
    Damaged(#[source] SegmentError),
    /// The files of the archive changed with every attempt.
    #[error("the file `{name}` of the archive is not the one in the server's plan: its checksum differs")]
    Changed {
        /// The name of the file.
        name: String,
    },
    /// The plan of the server has blocks that no file can have.
    #[error(
        "the server's plan of the archive has the blocks {first} to {last} of the file `{name}`, which cannot be"
    )]
    Blocks {
        /// The name of the file.
        name: String,
        /// The first block of the range.
        first: i64,
        /// The last block of the range.
        last: i64,
    },
    /// The plan of the server does not lead to its end.
    #[error("the server's plan of the archive does not go on after {after}")]
    Endless {
        /// The position.
        after: i64,
    },
}

impl ArchiveError {
    /// Returns what to do about the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Plan(error) => error.kind(),
            Self::Segment(error) => error.kind(),
            Self::Block(error) => error.kind(),
            Self::Download(_) | Self::Changed { .. } => ErrorKind::TryLater,
            Self::Damaged(_) | Self::Blocks { .. } | Self::Endless { .. } => ErrorKind::BadAnswer,
        }
    }

    /// How long the server asks to wait.
    pub(in crate::stream) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Plan(error) => error.retry_after(),
            Self::Segment(error) => error.retry_after(),
            Self::Block(error) => error.retry_after(),
            _ => None,
        }
    }

    /// Whether another plan can help: files are replaced when events are removed from them.
    fn can_pass(&self) -> bool {
        match self {
            Self::Segment(Error::Lexicon { .. }) | Self::Block(Error::Lexicon { .. }) => true,
            Self::Damaged(SegmentError::Version { .. }) | Self::Blocks { .. } | Self::Endless { .. } => false,
            Self::Damaged(_) => true,
            error => error.kind() == ErrorKind::TryLater,
        }
    }
}

/// What is to be read.
pub(in super::super) struct Request {
    pub(in super::super) transport: Arc<dyn Transport>,
    pub(in super::super) token: Option<Arc<Zeroizing<String>>>,
    pub(in super::super) filter: Filter,
    pub(in super::super) kinds: Vec<EventKind>,
    /// Only events with greater sequence numbers.
    pub(in super::super) after: i64,
}

/// Reads an archive up to what is only in the live stream.
pub(in super::super) fn read(request: Request) -> Archive<Message> {
    let matcher = Matcher::new(&request.filter, &request.kinds);
    let floor = request.after;
    let pieces = unfold(Some(Replay::new(request)), |replay| async move {
        let mut replay = replay?;
        match replay.next_piece().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(replay))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Box::pin(Rows { pieces: Box::pin(pieces), matcher, floor, block: None })
}

/// The events of the archive that are wanted, in order.
struct Rows {
    pieces: Pin<Box<dyn Stream<Item = Result<Piece, ArchiveError>> + Send>>,
    matcher: Matcher,
    /// The last sequence number that was looked at: a part of the archive can begin before what was asked for.
    floor: i64,
    /// The block that is read, and the next event in it.
    block: Option<(Block, usize)>,
}

impl Rows {
    /// The next event of the block that is wanted.
    fn next_row(&mut self) -> Option<Read<Message>> {
        let (block, next) = self.block.as_mut()?;
        while let Some(row) = block.row(*next) {
            *next += 1;
            let seq = i64::try_from(row.seq).unwrap_or(i64::MAX);
            if seq <= self.floor {
                continue;
            }
            self.floor = seq;
            let wanted =
                row.subject().is_none_or(|(kind, did, collection)| self.matcher.wants(kind, did, collection));
            if wanted {
                return Some(read_row(&row, seq));
            }
        }
        self.block = None;
        None
    }
}

fn read_row(row: &Row<'_>, seq: i64) -> Read<Message> {
    match row.message() {
        Ok(message) => {
            let time = message.time().and_then(|time| time.to_system_time());
            Read::Message {
                message,
                position: Some(seq),
                distinguisher: 0,
                time: time.filter(|time| *time > UNIX_EPOCH),
                outdated: false,
            }
        }
        Err(problem) => {
            let (kind, payload) = (row.type_name(), row.payload());
            Read::Undecodable(Undecodable { seq: Some(seq), kind, payload, problem, distinguisher: 0 })
        }
    }
}

impl Stream for Rows {
    type Item = Result<Archived<Message>, ArchiveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(read) = self.next_row() {
                return Poll::Ready(Some(Ok(Archived::Read(read))));
            }
            match ready!(self.pieces.as_mut().poll_next(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(Piece::Through(position))) => {
                    self.floor = self.floor.max(position);
                    return Poll::Ready(Some(Ok(Archived::Through(position))));
                }
                Some(Ok(Piece::Block(block))) => self.block = Some((block, 0)),
            }
        }
    }
}

enum Piece {
    Block(Block),
    Through(i64),
}

/// What a plan consists of.
#[derive(Debug)]
enum Unit {
    Segment { name: String, checksum: String },
    Blocks { segment: String, ranges: VecDeque<RangeInclusive<i64>> },
}

/// A file that is being downloaded.
struct Download {
    name: String,
    checksum: String,
    body: ByteStream,
    reader: SegmentReader,
    checked: bool,
}

/// Where the reading of an archive is.
struct Replay {
    request: Arc<Request>,
    /// Everything up to here has been given.
    through: i64,
    /// The end of the archive when the first plan was made: later events are in the live stream.
    tip: Option<i64>,
    /// Up to where the plan goes whose units these are.
    planned: i64,
    units: VecDeque<Unit>,
    fetching: FuturesOrdered<BoxFuture<'static, Result<Bytes, ArchiveError>>>,
    download: Option<Download>,
    decompressor: Option<Decompressor>,
    /// Failures in a row.
    failures: u32,
    ended: bool,
}

impl Replay {
    fn new(request: Request) -> Self {
        let after = request.after;
        Self {
            request: Arc::new(request),
            through: after,
            tip: None,
            planned: after,
            units: VecDeque::new(),
            fetching: FuturesOrdered::new(),
            download: None,
            decompressor: None,
            failures: 0,
            ended: false,
        }
    }

    /// The next piece, or `None` at the end of the archive.
    async fn next_piece(&mut self) -> Result<Option<Piece>, ArchiveError> {
        loop {
            match self.try_next().await {
                Ok(piece) => return Ok(piece),
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// After a failure, what has not been given is planned anew, after a wait.
    async fn recover(&mut self, error: ArchiveError) -> Result<(), ArchiveError> {
        self.failures += 1;
        let asked = error.retry_after();
        let is_long = asked.is_some_and(|asked| asked > limits::LONGEST_RETRY);
        if self.failures >= limits::ARCHIVE_ATTEMPTS || is_long || !error.can_pass() {
            return Err(error);
        }
        tracing::debug!(%error, after = self.through, attempt = self.failures, "reading the archive again");
        self.units.clear();
        self.fetching = FuturesOrdered::new();
        self.download = None;
        self.planned = self.through;
        let lost = TransportError::Exchange { host: "the archive".to_owned(), source: Arc::new(error) };
        let (nsid, outcome) = (plan_snapshot::PlanSnapshot::NSID, Outcome::Failed(&lost));
        let attempt = Attempt { asked, ..Attempt::new(Kind::Query, nsid, self.failures, outcome) };
        sleep(self.request.transport.settings().backoff_policy().wait(&attempt)).await;
        Ok(())
    }

    async fn try_next(&mut self) -> Result<Option<Piece>, ArchiveError> {
        loop {
            if self.download.is_some() {
                if let Some(frame) = self.next_of_download().await? {
                    return self.block(frame).await.map(Some);
                }
                self.download = None;
                continue;
            }
            while self.fetching.len() < AT_ONCE
                && let Some(params) = self.next_block()
            {
                self.fetching.push_back(Box::pin(fetch_block(Arc::clone(&self.request), params)));
            }
            if let Some(frame) = self.fetching.next().await {
                return self.block(frame?).await.map(Some);
            }
            match self.units.pop_front() {
                Some(Unit::Segment { name, checksum }) => {
                    self.download = Some(start_download(&self.request, name, checksum).await?);
                }
                // Fetched above.
                Some(Unit::Blocks { .. }) => {}
                None if self.through < self.planned => {
                    self.through = self.planned;
                    self.failures = 0;
                    return Ok(Some(Piece::Through(self.planned)));
                }
                // Also if the archive is empty: what is not in it has to be asked for.
                None if self.tip.is_some_and(|tip| self.through >= tip) && !self.ended => {
                    self.ended = true;
                    return Ok(Some(Piece::Through(self.through)));
                }
                None if self.ended => return Ok(None),
                None => self.plan().await?,
            }
        }
    }

    /// The next block, if it is before the next whole file.
    fn next_block(&mut self) -> Option<get_block::Params> {
        while let Some(Unit::Blocks { segment, ranges }) = self.units.front_mut() {
            if let Some(range) = ranges.front_mut() {
                if let Some(index) = range.next() {
                    return Some(get_block::Params::new(segment.clone(), index));
                }
                ranges.pop_front();
            } else {
                self.units.pop_front();
            }
        }
        None
    }

    /// Asks for the next page of the plan.
    async fn plan(&mut self) -> Result<(), ArchiveError> {
        let Request { transport, filter, kinds, .. } = &*self.request;
        let mut input = plan_snapshot::Input::new();
        input.after_seq = Some(self.through);
        input.before_seq = self.tip;
        input.collections = (!filter.collections.is_empty()).then(|| filter.collections.clone());
        input.dids = (!filter.dids.is_empty()).then(|| filter.dids.clone());
        input.kinds = (!kinds.is_empty()).then(|| kinds.iter().map(|kind| plan_kind(*kind)).collect());
        let mut call = NetworkBskyJetstream::over(&**transport).plan_snapshot(input);
        if let Some(header) = authorization(&self.request) {
            call = call.header("authorization", &header);
        }
        let plan = call.await.map_err(ArchiveError::Plan)?;
        let tip = *self.tip.get_or_insert(plan.sealed_tip_seq);
        // An archive can end before the position: then the rest is in the live stream.
        let goes_on = plan.planned_through_seq > self.through || self.through >= tip;
        if !goes_on {
            return Err(ArchiveError::Endless { after: self.through });
        }
        self.units = plan.segments.into_iter().map(unit).collect::<Result<_, _>>()?;
        self.planned = plan.planned_through_seq.min(tip).max(self.through);
        Ok(())
    }

    /// The next block of the file that is being downloaded, or `None` at its end.
    async fn next_of_download(&mut self) -> Result<Option<Bytes>, ArchiveError> {
        let Some(download) = &mut self.download else { return Ok(None) };
        loop {
            if let Some(frame) = download.next_block()? {
                return Ok(Some(frame));
            }
            match download.body.next().await {
                Some(Ok(piece)) => download.reader.push(&piece),
                Some(Err(error)) => return Err(ArchiveError::Download(ReadError::Transport(error))),
                None => {
                    let reader = std::mem::replace(&mut download.reader, SegmentReader::new());
                    return reader.finish().map(|()| None).map_err(ArchiveError::Damaged);
                }
            }
        }
    }

    /// Decompresses a block beside the tasks that must not wait for it.
    async fn block(&mut self, frame: Bytes) -> Result<Piece, ArchiveError> {
        let mut decompressor =
            self.decompressor.take().unwrap_or_else(|| Decompressor::new(MOST_BLOCK_BYTES));
        let (block, decompressor) = match spawn_blocking(move || {
            let block = Block::read(&frame, &mut decompressor);
            (block, decompressor)
        })
        .await
        {
            Ok((block, decompressor)) => (block, Some(decompressor)),
            // The runtime is being shut down.
            Err(_) => (Err(SegmentError::Malformed { problem: "it was not read to its end" }), None),
        };
        self.decompressor = decompressor;
        let block = block.map_err(ArchiveError::Damaged)?;
        let last = block.len().checked_sub(1).and_then(|last| block.row(last)).map(|row| row.seq);
        if let Some(last) = last.and_then(|last| i64::try_from(last).ok())
            && last > self.through
        {
            // Events are in order, so what comes next is after the last one.
            self.through = last;
            self.failures = 0;
        }
        Ok(Piece::Block(block))
    }
}

impl Download {
    fn next_block(&mut self) -> Result<Option<Bytes>, ArchiveError> {
        if !self.checked
            && let Some(header) = self.reader.header().map_err(ArchiveError::Damaged)?
        {
            if format!("{:016x}", header.checksum) != self.checksum.to_ascii_lowercase() {
                return Err(ArchiveError::Changed { name: self.name.clone() });
            }
            self.checked = true;
        }
        self.reader.next_block().map_err(ArchiveError::Damaged)
    }
}

/// What is to be downloaded of a file. A range of blocks can be long, and is not listed.
fn unit(segment: Segment) -> Result<Unit, ArchiveError> {
    let Segment { name, checksum, mode, blocks, .. } = segment;
    let (SegmentMode::Blocks, Some(planned)) = (mode, blocks) else {
        // The whole file has every block, whatever the mode is called.
        return Ok(Unit::Segment { name, checksum });
    };
    let mut ranges = VecDeque::with_capacity(planned.len());
    for range in planned {
        let (first, last) = (range.first, range.last);
        if first < 0 || last < first || last >= MOST_BLOCKS {
            return Err(ArchiveError::Blocks { name, first, last });
        }
        ranges.push_back(first..=last);
    }
    Ok(Unit::Blocks { segment: name, ranges })
}

/// More than any file has: 256 MB in blocks of some hundred kilobytes.
const MOST_BLOCKS: i64 = 1 << 16;

fn plan_kind(kind: EventKind) -> plan_snapshot::InputKindsItem {
    match kind {
        EventKind::Commit => plan_snapshot::InputKindsItem::Commit,
        EventKind::Identity => plan_snapshot::InputKindsItem::Identity,
        EventKind::Account => plan_snapshot::InputKindsItem::Account,
        EventKind::Sync => plan_snapshot::InputKindsItem::Sync,
    }
}

fn authorization(request: &Request) -> Option<Zeroizing<String>> {
    request.token.as_ref().map(|token| Zeroizing::new(format!("Bearer {}", token.as_str())))
}

async fn start_download(request: &Request, name: String, checksum: String) -> Result<Download, ArchiveError> {
    let mut call =
        NetworkBskyJetstream::over(&*request.transport).get_segment(get_segment::Params::new(name.clone()));
    if let Some(header) = authorization(request) {
        call = call.header("authorization", &header);
    }
    let body = call.await.map_err(ArchiveError::Segment)?;
    Ok(Download { name, checksum, body, reader: SegmentReader::new(), checked: false })
}

async fn fetch_block(request: Arc<Request>, params: get_block::Params) -> Result<Bytes, ArchiveError> {
    let mut call = NetworkBskyJetstream::over(&*request.transport).get_block(params);
    if let Some(header) = authorization(&request) {
        call = call.header("authorization", &header);
    }
    let body = call.await.map_err(ArchiveError::Block)?;
    body.bytes(MOST_STORED_BYTES).await.map_err(ArchiveError::Download)
}
