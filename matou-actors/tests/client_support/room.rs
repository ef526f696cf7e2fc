//! A room that keeps the protocol, unless the test breaks it.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use matou_actors::protocol::{ClientFrame, Decode, Encode, ServerFrame, Username};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub struct FakeRoom {
    pub address: SocketAddr,
    state: Rc<RefCell<State>>,
    seen: mpsc::UnboundedReceiver<(Option<Username>, ClientFrame)>,
}

struct State {
    members: Vec<MemberRevision>,
    held: Vec<Username>,
    /// Frames of a private set-up are seen, and not passed on.
    deaf: bool,
    seen: mpsc::UnboundedSender<(Option<Username>, ClientFrame)>,
    accepting: Option<actix_rt::task::JoinHandle<()>>,
}

struct MemberRevision {
    name: Username,
    out: mpsc::UnboundedSender<Bytes>,
}

impl FakeRoom {
    pub async fn open() -> Self {
        Self::open_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn open_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        let state = Rc::new(RefCell::new(State {
            members: Vec::new(),
            held: Vec::new(),
            deaf: false,
            seen: sender,
            accepting: None,
        }));
        let serving = Rc::clone(&state);
        let accepting = actix_rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix_rt::spawn(serve(stream, Rc::clone(&serving)));
            }
        });
        state.borrow_mut().accepting = Some(accepting);
        Self { address, state, seen }
    }

    /// Refuses this name from now on.
    pub fn hold(&self, name: &Username) {
        self.state.borrow_mut().held.push(name.clone());
    }

    /// Refuses no name any more.
    pub fn release(&self) {
        self.state.borrow_mut().held.clear();
    }

    /// Passes nothing private on from now on.
    pub fn go_deaf(&self) {
        self.state.borrow_mut().deaf = true;
    }

    /// Sends any frame to one member.
    pub fn inject(&self, to: &Username, frame: &ServerFrame) {
        self.state.borrow().send(to, frame);
    }

    /// Sends raw bytes to one member.
    pub fn inject_bytes(&self, to: &Username, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let state = self.state.borrow();
        for member in state.members.iter().filter(|member| member.name == *to) {
            member.out.send(bytes.clone()).unwrap();
        }
    }

    /// Drops all connections without a word; accepts new ones.
    pub fn drop_everybody(&self) {
        self.state.borrow_mut().members.clear();
    }

    /// Ends for good.
    pub fn close(self) {
        let mut state = self.state.borrow_mut();
        state.members.clear();
        if let Some(accepting) = state.accepting.take() {
            accepting.abort();
        }
    }

    /// The next frame that is `wanted`, and who sent it.
    pub async fn saw(
        &mut self,
        what: &str,
        wanted: impl Fn(&ClientFrame) -> bool,
    ) -> (Option<Username>, ClientFrame) {
        super::within(what, async {
            loop {
                let (who, frame) = self.seen.recv().await.unwrap();
                if wanted(&frame) {
                    return (who, frame);
                }
            }
        })
        .await
    }

    /// Whether a frame that is `wanted` was seen by now.
    pub fn has_seen(&mut self, wanted: impl Fn(&ClientFrame) -> bool) -> bool {
        std::iter::from_fn(|| self.seen.try_recv().ok()).any(|(_, frame)| wanted(&frame))
    }
}

impl State {
    fn send(&self, to: &Username, frame: &ServerFrame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        let bytes = bytes.freeze();
        for member in self.members.iter().filter(|member| member.name.folded() == to.folded()) {
            let _ = member.out.send(bytes.clone());
        }
    }

    fn send_all(&self, frame: &ServerFrame) {
        for member in &self.members {
            self.send(&member.name, frame);
        }
    }

    fn handle(
        &mut self,
        me: &mut Option<Username>,
        out: &mpsc::UnboundedSender<Bytes>,
        frame: ClientFrame,
    ) {
        let localhost = IpAddr::from([127, 0, 0, 1]);
        let _ = self.seen.send((me.clone(), frame.clone()));
        let parse = |name: &matou_actors::protocol::ClaimedName| name.parse().unwrap();
        let answer = |frame: ServerFrame| {
            let mut bytes = BytesMut::new();
            frame.encode(&mut bytes);
            let _ = out.send(bytes.freeze());
        };
        match (frame, me.clone()) {
            (ClientFrame::Join(name), _) => {
                let name: Username = parse(&name);
                let taken = self.members.iter().map(|member| &member.name).chain(&self.held);
                if taken.map(Username::folded).any(|key| key == name.folded()) {
                    return answer(ServerFrame::JoinAnswer { accepted: false });
                }
                answer(ServerFrame::JoinAnswer { accepted: true });
                for member in &self.members {
                    answer(ServerFrame::Joined(member.name.clone()));
                }
                self.members.push(MemberRevision { name: name.clone(), out: out.clone() });
                self.send_all(&ServerFrame::Joined(name.clone()));
                *me = Some(name);
            }
            (ClientFrame::Say(text), Some(from)) => {
                self.send_all(&ServerFrame::Message { from, text });
            }
            (ClientFrame::RequestPrivate { to }, Some(from)) if !self.deaf => {
                self.send(&parse(&to), &ServerFrame::PrivateRequested { from });
            }
            (ClientFrame::AcceptPrivate { from }, Some(by)) if !self.deaf => {
                self.send(&parse(&from), &ServerFrame::PeerAccepted { by, address: localhost });
            }
            (ClientFrame::OfferPorts { to, ports }, Some(who)) if !self.deaf => {
                let frame = ServerFrame::PeerListening { who, address: localhost, ports };
                self.send(&parse(&to), &frame);
            }
            _ => {}
        }
    }
}

async fn serve(mut stream: TcpStream, state: Rc<RefCell<State>>) {
    let (out, mut queue) = mpsc::unbounded_channel::<Bytes>();
    // Once joined only the room holds the sender: when it drops it the connection ends.
    let mut unjoined = Some(out);
    let mut me = None;
    let mut input = BytesMut::new();
    loop {
        tokio::select! {
            bytes = queue.recv() => match bytes {
                Some(bytes) if stream.write_all(&bytes).await.is_ok() => {}
                _ => break,
            },
            read = stream.read_buf(&mut input) => {
                if matches!(read, Ok(0) | Err(_)) || take(&mut input, &mut me, &mut unjoined, &state) {
                    break;
                }
            }
        }
    }
    if let Some(me) = me {
        let mut state = state.borrow_mut();
        state.members.retain(|member| member.name != me);
        state.send_all(&ServerFrame::Left(me));
    }
}

/// Handles whole frames; whether the member left.
fn take(
    input: &mut BytesMut,
    me: &mut Option<Username>,
    unjoined: &mut Option<mpsc::UnboundedSender<Bytes>>,
    state: &Rc<RefCell<State>>,
) -> bool {
    let mut state = state.borrow_mut();
    while let Ok(Some((frame, length))) = ClientFrame::decode(input) {
        let _ = input.split_to(length);
        if frame == ClientFrame::Leave {
            let _ = state.seen.send((me.clone(), frame));
            return true;
        }
        let own = state.members.iter().find(|member| Some(&member.name) == me.as_ref());
        let Some(out) = unjoined.clone().or(own.map(|member| member.out.clone())) else {
            return true;
        };
        state.handle(me, &out, frame);
        if me.is_some() {
            *unjoined = None;
        }
    }
    false
}
