//! One port for both revisions: the first byte shows which one a client speaks.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use actix::prelude::Context;

use super::actor::Connection;
use super::pause::Pause;
use crate::server::reason::Reason;
use crate::server::room::event::Dialect;
use crate::trust::ServerTls;

/// The first byte of a TLS record that holds a `ClientHello` (RFC 8446, section 5.1). Every frame of
/// revision 1 begins with 0.
const HANDSHAKE: u8 = 0x16;

impl Connection {
    /// Looks at the first bytes of a client; whether they are frames of revision 1. Those of a
    /// handshake are used up, or kept for later when there are too many handshakes at once.
    pub(super) fn begin(&mut self, input: &[u8], ctx: &mut Context<Self>) -> bool {
        let config = self.shared.uplinks.security.config.clone();
        match (input.first(), config) {
            (Some(&HANDSHAKE), Some(config)) => {
                let now = Instant::now();
                let turn = if self.may_begin { None } else { self.shared.handshakes.enter(now) };
                if let Some(turn) = turn {
                    self.unread = input.to_vec();
                    self.starved = false;
                    self.pause = Some(Box::new(Pause::Queue(turn)));
                    return false;
                }
                self.unread = Vec::new();
                self.starved = true;
                self.inbound.speaks(Dialect::V2);
                self.await_handshake(ctx);
                self.deadlines.begin_handshake(now);
                let exporters = self.shared.uplinks.security.exporters.clone();
                let begun =
                    ServerTls::new(config, exporters).map_err(io::Error::other).and_then(|tls| {
                        let mut output = self.output.borrow_mut();
                        output.socket_mut().encrypt(tls, Rc::clone(&self.shared.records));
                        output.socket_mut().take_ciphertext(&mut input.to_vec())
                    });
                if let Err(error) = begun {
                    self.close(&Reason::Encryption(error), ctx);
                }
                false
            }
            (None, _) => false,
            (Some(_), _) => {
                if let Some(setting) = self.shared.uplinks.security.plain_refused_by {
                    self.close(&Reason::PlainRefused(setting), ctx);
                    return false;
                }
                self.inbound.speaks(Dialect::V1);
                true
            }
        }
    }
}
