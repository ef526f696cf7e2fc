//! Two users in memory: the peers of each, their sessions and file connections, the server
//! between them, and a clock. No actor, socket or file.

mod files;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::client::api::event::Event;
use crate::client::api::settings::ClientSettings;
use crate::client::files::{Circumstances, FileInput, FileState};
use crate::client::ids::{SessionNumber, TransferId};
use crate::client::link::roster::Roster;
use crate::client::messages::{OutgoingFile, SessionCommand, SessionEvent};
use crate::client::peers::{PeerAction, Peers, ServerRoute, Situation, Wake};
use crate::client::session::Way;
use crate::client::session::plain::PlainRole;
use crate::protocol::v2::{self, MemberRevision};
use crate::protocol::{ClientFrame, PortPair, ServerFrame, Username};
use crate::transfer::ChosenFile;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)), 4242);
/// The port of session 0.
const PORTS: u16 = 10_000;

pub(super) struct World {
    pub(super) users: [User; 2],
    /// In flight to a user, in order.
    queue: VecDeque<(usize, Step)>,
    wakes: Vec<(Instant, usize, Wake)>,
    now: Instant,
}

pub(super) struct User {
    name: Username,
    peers: Peers,
    roster: Roster,
    pub(super) events: Vec<Event>,
    sessions: HashMap<SessionNumber, Session>,
}

/// One end of a session.
struct Session {
    /// The other user's end.
    other: Option<SessionNumber>,
    files: FileState,
    outgoing: HashMap<TransferId, OutgoingFile>,
    /// A file that this end sends and the other one has not handled.
    on_wire: Option<(TransferId, u64)>,
    /// Its header was seen.
    seen: bool,
    watching: bool,
    receiving: Option<(TransferId, u64)>,
}

enum Step {
    Frame(ServerFrame),
    Report(SessionNumber, SessionEvent),
    Command(SessionNumber, SessionCommand),
    File(SessionNumber, FileInput),
    /// After the end of all transfers.
    Over(SessionNumber),
}

pub(super) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn address(user: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, if user == 0 { 1 } else { 2 }))
}

impl World {
    /// Ada and Bea, who see each other in the room.
    pub(super) fn new(settings: [ClientSettings; 2]) -> Self {
        let now = Instant::now();
        let names = ["ada", "bea"].map(name);
        let mut settings = settings.into_iter();
        let users = names.clone().map(|own| {
            let mut roster = Roster::default();
            for present in names.iter().rev().chain([&own]) {
                roster.arrived(present, MemberRevision::Revision1, &own);
            }
            let logger = slog::Logger::root(slog::Discard, slog::o!());
            User {
                peers: Peers::new(settings.next().unwrap(), logger, now),
                name: own,
                roster,
                events: Vec::new(),
                sessions: HashMap::new(),
            }
        });
        Self { users, queue: VecDeque::new(), wakes: Vec::new(), now }
    }

    /// Has a user do something, and performs everything that follows.
    pub(super) fn act<R>(
        &mut self,
        user: usize,
        act: impl FnOnce(&mut Peers, &Situation<'_>) -> R,
    ) -> R {
        let result = self.with_peers(user, act);
        self.settle();
        result
    }

    /// Has a user send a file.
    pub(super) fn send_file(&mut self, user: usize, to: &str, path: PathBuf) {
        let handles = Arc::new(Semaphore::new(0));
        let file = Arc::new(ChosenFile::choose(path.clone(), &handles).unwrap());
        self.act(user, |peers, at| peers.deliver_file(&name(to), path, file, at));
    }

    /// Advances the clock, and performs everything that is due.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let deadlines = self.users.iter().flat_map(|user| user.sessions.values());
            let deadlines = deadlines.filter_map(|session| session.files.deadline());
            let next = deadlines.chain(self.wakes.iter().map(|(at, ..)| *at)).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = next.max(self.now);
            let now = self.now;
            for (_, user, wake) in
                self.wakes.extract_if(.., |(at, ..)| *at <= now).collect::<Vec<_>>()
            {
                self.with_peers(user, |peers, at| peers.wake(wake, at));
            }
            for user in 0..2 {
                let due = self.users[user].sessions.iter();
                let due = due.filter(|(_, end)| end.files.deadline().is_some_and(|at| at <= now));
                for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.queue.push_back((user, Step::File(id, FileInput::Tick)));
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn with_peers<R>(
        &mut self,
        user: usize,
        act: impl FnOnce(&mut Peers, &Situation<'_>) -> R,
    ) -> R {
        let User { name, peers, roster, .. } = &mut self.users[user];
        let situation = Situation {
            me: Some(name),
            joined: true,
            route: Some(ServerRoute { local: address(user), server: SERVER }),
            server_key: None,
            roster,
            now: self.now,
            today: jiff::civil::date(2026, 11, 26),
        };
        let result = act(peers, &situation);
        for action in peers.take_actions() {
            self.perform(user, action);
        }
        result
    }

    fn settle(&mut self) {
        while let Some((user, step)) = self.queue.pop_front() {
            match step {
                Step::Frame(frame) => {
                    self.with_peers(user, |peers, at| peers.frame(frame.into(), at));
                }
                Step::Report(session, event) => {
                    self.with_peers(user, |peers, at| peers.session_event(session, event, at));
                }
                Step::Command(session, command) => self.command(user, session, command),
                Step::File(session, input) => self.file(user, session, input),
                Step::Over(session) => {
                    self.report(user, session, SessionEvent::Over { reason: "closed".into() });
                }
            }
        }
    }

    fn perform(&mut self, user: usize, action: PeerAction) {
        match action {
            PeerAction::Emit(event) | PeerAction::EmitUnlessBehind(event) => {
                self.users[user].events.push(event);
            }
            PeerAction::Send(v2::ClientFrame::Revision1(frame)) => self.serve(user, frame),
            PeerAction::Start { id, way: Way::Plain(role), .. } => self.start(user, id, &role),
            PeerAction::Session(id, command) => {
                self.queue.push_back((user, Step::Command(id, command)));
            }
            PeerAction::Wake(delay, wake) => self.wakes.push((self.now + delay, user, wake)),
            other => panic!("not in revision 1: {other:?}"),
        }
    }

    /// The server handles a frame of `user`.
    fn serve(&mut self, user: usize, frame: ClientFrame) {
        let from = self.users[user].name.clone();
        let frame = match frame {
            ClientFrame::RequestPrivate { .. } => ServerFrame::PrivateRequested { from },
            ClientFrame::AcceptPrivate { .. } => {
                ServerFrame::PeerAccepted { by: from, address: address(user) }
            }
            ClientFrame::OfferPorts { ports, .. } => {
                ServerFrame::PeerListening { who: from, address: address(user), ports }
            }
            other => panic!("{other:?} is not private"),
        };
        self.queue.push_back((1 - user, Step::Frame(frame)));
    }

    /// Listeners are found by their port, which is made of the number of the session.
    fn start(&mut self, user: usize, id: SessionNumber, role: &PlainRole) {
        let mut session = Session {
            other: None,
            files: FileState::default(),
            outgoing: HashMap::new(),
            on_wire: None,
            seen: false,
            watching: true,
            receiving: None,
        };
        match role {
            PlainRole::Listen { .. } => {
                let port = NonZeroU16::new(PORTS + u16::try_from(id.0).unwrap()).unwrap();
                let ports = PortPair { message: port, file: port };
                self.report(user, id, SessionEvent::PortsOpen(ports));
            }
            PlainRole::Dial { ports, .. } => {
                let other = SessionNumber((ports.message.get() - PORTS).into());
                session.other = Some(other);
                self.session(1 - user, other).unwrap().other = Some(id);
                for (user, id) in [(user, id), (1 - user, other)] {
                    let peer = SocketAddr::new(address(1 - user), 1);
                    self.report(user, id, SessionEvent::Up { peer });
                }
            }
        }
        self.users[user].sessions.insert(id, session);
    }

    fn session(&mut self, user: usize, id: SessionNumber) -> Option<&mut Session> {
        self.users[user].sessions.get_mut(&id)
    }

    fn report(&mut self, user: usize, id: SessionNumber, event: SessionEvent) {
        self.queue.push_back((user, Step::Report(id, event)));
    }

    fn command(&mut self, user: usize, id: SessionNumber, command: SessionCommand) {
        let Some(other) = self.session(user, id).map(|session| session.other) else { return };
        match command {
            SessionCommand::Reach(_)
            | SessionCommand::Show(_)
            | SessionCommand::Go
            | SessionCommand::Typing(_)
            | SessionCommand::PeerSaw(_) => {
                panic!("not in revision 1")
            }
            SessionCommand::SendText { text, .. } => {
                self.report(user, id, SessionEvent::Sent { text: text.clone(), id: None });
                if let Some(other) = other {
                    self.report(1 - user, other, SessionEvent::Texts(vec![text]));
                }
            }
            SessionCommand::SendFile(file) => {
                let input = FileInput::Enqueue { id: file.id, resent: file.resent };
                self.session(user, id).unwrap().outgoing.insert(file.id, file);
                self.file(user, id, input);
            }
            SessionCommand::TakeFile { id: file, unattended, .. } => {
                self.file(user, id, FileInput::Take { id: file, unattended });
            }
            SessionCommand::RefuseFile { id: file, reason } => {
                self.file(user, id, FileInput::Refuse { id: file, reason });
            }
            SessionCommand::CancelFile { id: file } => {
                self.file(user, id, FileInput::Cancel { id: file });
            }
            SessionCommand::Close { reason, .. } => {
                self.file(user, id, FileInput::Close { reason });
                self.report(user, id, SessionEvent::Closing);
                self.queue.push_back((user, Step::Over(id)));
                if let Some(other) = other {
                    let reason = "the other side closed it".to_owned();
                    self.file(1 - user, other, FileInput::TalkOver { reason: reason.clone() });
                    self.report(1 - user, other, SessionEvent::TalkOver { reason });
                }
            }
            SessionCommand::HangUp => drop(self.users[user].sessions.remove(&id)),
        }
    }

    fn file(&mut self, user: usize, id: SessionNumber, input: FileInput) {
        let now = self.now;
        // Files are larger than what the buffers of the network hold.
        let Some(session) = self.session(user, id) else { return };
        for effect in session.files.handle(input, Circumstances { now, unread: 0 }) {
            self.perform_file(user, id, effect);
        }
    }

    fn later(&mut self, user: usize, id: SessionNumber, input: FileInput) {
        self.queue.push_back((user, Step::File(id, input)));
    }
}
