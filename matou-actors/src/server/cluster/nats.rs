//! The room's stream in `JetStream`.
//!
//! Nodes subscribe to what the stream republishes, and fetch missed messages by position. There are
//! no consumers: after the loss of a NATS server an ordered one was seen to wait 10 to 20 s.

use std::time::Duration;

use async_nats::jetstream::stream::{
    Config, DirectGetErrorKind, DiscardPolicy, Republish, StorageType, Stream,
};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, HeaderMap, Subscriber};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use slog::{Logger, info, warn};

use crate::server::cluster::output::EntryKind;
use crate::server::cluster::record::{ClusterRoster, RosterPart, decode, encode};
use crate::server::cluster::replica::Replica;
use crate::server::ids::Epoch;
use crate::server::settings::{ClusterSettings, HistorySettings};

/// How long a request to NATS may take.
const WITHIN: Duration = Duration::from_secs(3);
/// How long one NATS server may take to answer before the leader is asked.
const DIRECT_WITHIN: Duration = Duration::from_millis(200);
/// How long a NATS server may take to greet, before the next one is tried.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// In which NATS knows a message again that is published twice.
const DUPLICATES: Duration = Duration::from_secs(120);
/// The stream keeps this much in any case: rosters are frequent enough for new nodes then.
const SHORTEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MOST_BYTES: i64 = 1 << 30;
/// NATS servers that keep the stream where there are as many.
const REPLICAS: usize = 3;
/// How many messages are asked for at once.
const AT_ONCE: usize = 64;
/// How many rosters a new node goes back for the history.
const MOST_ROSTERS: usize = 64;
/// Earlier versions are known to lose what they have acknowledged when several servers crash.
const SAFE_VERSION: (u32, u32, u32) = (2, 12, 3);

/// A connection to NATS, and the names of what the room has there.
#[derive(Clone, Debug)]
pub(crate) struct NatsStream {
    client: Client,
    jetstream: Context,
    stream: Stream<()>,
    /// `matou.<room>`
    prefix: String,
}

/// What a node starts from.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) log: NatsStream,
    pub(crate) replica: Replica,
    /// The last position of the stream.
    pub(crate) until: u64,
    /// Messages published from now on.
    pub(crate) live: Subscriber,
    pub(crate) version: String,
}

/// The result of fetching a run of positions.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) entries: Vec<(u64, EntryKind, Bytes)>,
    /// The first position that the stream holds, when something was missing.
    pub(crate) first: Option<u64>,
}

impl NatsStream {
    /// Connects, makes the stream if there is none, and reads what a node starts from.
    pub(crate) async fn open(
        settings: &ClusterSettings,
        history: &HistorySettings,
        logger: &Logger,
    ) -> Result<Start, String> {
        let client = connect(settings).await?;
        let version = client.server_info().version;
        let jetstream = jetstream::new(client.clone());
        let prefix = format!("matou.{}", settings.room);
        let name = format!("MATOU_{}", settings.room);
        let made = match jetstream.get_stream(&name).await {
            Ok(found) => found,
            Err(_) => create(&jetstream, &name, &prefix, settings, history).await?,
        };
        let (stream, info) = (made.clone(), made.cached_info().clone());
        warn_about(&version, info.config.num_replicas, logger);
        let live = client.subscribe(format!("{prefix}.out.>")).await.map_err(words)?;
        let stream = jetstream.get_stream_no_info(stream.cached_info().config.name.clone()).await;
        let log = Self { client, jetstream, stream: stream.map_err(words)?, prefix };
        // After the subscription, so that nothing is between the two.
        let state = jetstream_state(&log, &name).await?;
        let replica = log.replica(state.0, history).await?;
        info!(logger, "cluster joined"; "nats" => &version, "room" => &settings.room,
            "replicas" => info.config.num_replicas, "position" => state.1);
        Ok(Start { log, replica, until: state.1, live, version })
    }

    /// What other nodes send to this one.
    pub(crate) async fn inbox(&self, epoch: Epoch) -> Result<Subscriber, String> {
        self.client.subscribe(self.address(epoch)).await.map_err(words)
    }

    /// Publishes a message of a node; its position.
    pub(crate) async fn publish(
        &self,
        epoch: Epoch,
        number: u64,
        payload: Bytes,
    ) -> Result<u64, String> {
        let id = format!("{:016x}-{number}", epoch.0);
        self.append("record", Some(id), payload).await
    }

    /// Publishes a roster: the parts first, whose positions it names.
    pub(crate) async fn publish_roster(
        &self,
        mut roster: ClusterRoster,
        parts: Vec<RosterPart>,
    ) -> Result<(), String> {
        for part in parts {
            roster.parts.push(self.append("part", None, encode(&part)).await?);
        }
        self.append("roster", None, encode(&roster)).await.map(drop)
    }

    /// The messages at the positions from `from` on up to `until`, those that there are.
    pub(crate) async fn fetch(&self, from: u64, until: u64) -> Fetched {
        let got = stream::iter(from..=until).map(async |position| self.get(position).await);
        let got: Vec<_> = got.buffered(AT_ONCE).collect().await;
        let is_missing = matches!(got.first(), Some(Ok(None)));
        let entries = got.into_iter().filter_map(Result::ok).flatten().collect();
        let first = if is_missing { self.first().await } else { None };
        Fetched { entries, first }
    }

    /// Sends something to another node; whether that has it.
    pub(crate) async fn send(&self, to: Epoch, payload: Bytes, within: Duration) -> bool {
        let answer = self.client.request(self.address(to), payload);
        matches!(tokio::time::timeout(within, answer).await, Ok(Ok(_)))
    }

    /// Leaves the NATS server for another one, if there is another one that answers.
    pub(crate) async fn use_another_server(&self) {
        // Fails only when the client has ended.
        let _ = self.client.force_reconnect().await;
    }

    /// Confirms a message of another node.
    pub(crate) async fn acknowledge(&self, reply: async_nats::Subject) {
        // The sender does not try again: the step is dropped there.
        let _ = self.client.publish(reply, Bytes::new()).await;
    }

    fn address(&self, epoch: Epoch) -> String {
        format!("{}.node.{:016x}", self.prefix, epoch.0)
    }

    async fn append(&self, kind: &str, id: Option<String>, payload: Bytes) -> Result<u64, String> {
        let mut headers = HeaderMap::new();
        if let Some(id) = id {
            headers.insert("Nats-Msg-Id", id);
        }
        let subject = format!("{}.log.{kind}", self.prefix);
        let publishing = async {
            let acknowledged =
                self.jetstream.publish_with_headers(subject, headers, payload).await?;
            acknowledged.await
        };
        let acknowledged = tokio::time::timeout(WITHIN, publishing).await;
        match acknowledged {
            Ok(acknowledged) => acknowledged.map(|it| it.sequence).map_err(words),
            Err(_) => Err("no acknowledgement in time".into()),
        }
    }

    async fn get(&self, position: u64) -> Result<Option<(u64, EntryKind, Bytes)>, String> {
        let direct = tokio::time::timeout(DIRECT_WITHIN, self.stream.direct_get(position)).await;
        let found = match direct {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if error.kind() == DirectGetErrorKind::NotFound => return Ok(None),
            // NATS routes such requests to any server that has the stream, even to one that no
            // longer answers; this one goes to the leader.
            Ok(Err(_)) | Err(_) => {
                let asking = self.stream.get_raw_message(position);
                let answer = tokio::time::timeout(WITHIN, asking).await;
                answer.map_err(|_| "no answer in time")?.map_err(words)?
            }
        };
        let kind = kind(&found.subject).ok_or("another subject")?;
        // Without a message there the one after it is not meant.
        let is_it = found.sequence == position;
        Ok(is_it.then_some((position, kind, found.payload)))
    }

    async fn first(&self) -> Option<u64> {
        let info = tokio::time::timeout(WITHIN, self.stream.get_info()).await.ok()?.ok()?;
        Some(info.state.first_sequence)
    }

    /// What the stream says that a node can start from: an early enough roster for the history, or
    /// its beginning.
    async fn replica(&self, first: u64, history: &HistorySettings) -> Result<Replica, String> {
        let subject = format!("{}.log.roster", self.prefix);
        let last = match self.stream.direct_get_last_for_subject(subject).await {
            Ok(found) => found,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                return Ok(Replica::empty_at(first.saturating_sub(1)));
            }
            Err(error) => return Err(words(error)),
        };
        let mut at = last.sequence;
        let mut roster: ClusterRoster = decode(&last.payload).map_err(words)?;
        let wanted = u64::try_from(history.messages).unwrap_or(u64::MAX);
        let end = roster.events;
        for _ in 0..MOST_ROSTERS {
            if end - roster.events.min(end) >= wanted || roster.previous == 0 {
                break;
            }
            let Some((_, _, bytes)) = self.get(roster.previous).await? else { break };
            let earlier: ClusterRoster = decode(&bytes).map_err(words)?;
            if earlier.position + 1 < first || self.get(earlier.position + 1).await?.is_none() {
                break;
            }
            (at, roster) = (roster.previous, earlier);
        }
        let mut parts = Vec::new();
        for position in &roster.parts {
            let part = self.get(*position).await?.ok_or("a part of the roster is missing")?;
            parts.push(decode::<RosterPart>(&part.2).map_err(words)?);
        }
        Ok(Replica::restored(roster, parts, at))
    }
}

/// The position and the kind of something that the stream published again.
pub(crate) fn republished(message: &async_nats::Message) -> Option<(u64, EntryKind)> {
    let position = message.headers.as_ref()?.get("Nats-Sequence")?.as_str().parse().ok()?;
    Some((position, kind(&message.subject)?))
}

fn kind(subject: &str) -> Option<EntryKind> {
    match subject.rsplit('.').next()? {
        "record" => Some(EntryKind::Message),
        "roster" => Some(EntryKind::Roster),
        "part" => Some(EntryKind::RosterPart),
        _ => None,
    }
}

async fn connect(settings: &ClusterSettings) -> Result<Client, String> {
    let mut options = ConnectOptions::new()
        .name("matou")
        .connection_timeout(CONNECT_WITHIN)
        .request_timeout(Some(WITHIN))
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|attempts| {
            Duration::from_millis(50 << attempts.min(5)).min(Duration::from_secs(1))
        });
    let credentials = &settings.credentials;
    if !credentials.as_os_str().is_empty() {
        options = options.credentials_file(credentials).await.map_err(|error| {
            format!("cannot read cluster.credentials {}: {error}", credentials.display())
        })?;
    }
    let addresses: Vec<&str> = settings.nats.split(',').map(str::trim).collect();
    options.connect(addresses).await.map_err(words)
}

async fn create(
    jetstream: &Context,
    name: &str,
    prefix: &str,
    settings: &ClusterSettings,
    history: &HistorySettings,
) -> Result<Stream, String> {
    let age = HOUR.saturating_mul(u32::try_from(history.hours).unwrap_or(u32::MAX));
    let config = |num_replicas| Config {
        name: name.into(),
        subjects: vec![format!("{prefix}.log.*")],
        storage: StorageType::File,
        num_replicas,
        discard: DiscardPolicy::Old,
        max_age: age.max(SHORTEST_AGE),
        max_bytes: MOST_BYTES,
        duplicate_window: DUPLICATES,
        allow_direct: true,
        republish: Some(Republish {
            source: format!("{prefix}.log.>"),
            destination: format!("{prefix}.out.>"),
            headers_only: false,
        }),
        ..Config::default()
    };
    let replicas = if settings.replicas == 0 { REPLICAS } else { settings.replicas };
    match jetstream.get_or_create_stream(config(replicas)).await {
        Ok(stream) => Ok(stream),
        // One server, or not as many as that.
        Err(_) if settings.replicas == 0 => {
            jetstream.get_or_create_stream(config(1)).await.map_err(words)
        }
        Err(error) => Err(words(error)),
    }
}

/// The first and the last position of the stream.
async fn jetstream_state(log: &NatsStream, name: &str) -> Result<(u64, u64), String> {
    let info = log.stream.get_info().await.map_err(|error| format!("{name}: {error}"))?;
    Ok((info.state.first_sequence, info.state.last_sequence))
}

fn warn_about(version: &str, replicas: usize, logger: &Logger) {
    let parts: Vec<u32> = version.split(['.', '-']).filter_map(|part| part.parse().ok()).collect();
    let parts = (parts.first(), parts.get(1), parts.get(2));
    let (major, minor, patch) = SAFE_VERSION;
    let is_safe = |(a, b, c): (u32, u32, u32)| (a, b, c) >= (major, minor, patch);
    if let (Some(&a), Some(&b), Some(&c)) = parts
        && !is_safe((a, b, c))
    {
        warn!(logger, "this version of NATS can lose what it has acknowledged when several servers crash";
            "version" => version, "next" => "use 2.12.3 or newer with `sync_interval: always`");
    }
    if replicas < REPLICAS {
        warn!(logger, "the room's stream is lost with its only NATS server"; "replicas" => replicas,
            "next" => "use three NATS servers, and cluster.replicas = 3 before the stream is made");
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
