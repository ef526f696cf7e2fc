//! New settings for a server that runs.

use actix::prelude::{Addr, Recipient};

use crate::protocol::MessageText;
use crate::server::accept::admission::AdmissionLimits;
use crate::server::accept::admitted_keys::{AdmittedKeys, AdmittedKeysError};
use crate::server::accept::password_file::PasswordFileError;
use crate::server::broker::requests::RequestLimits;
use crate::server::messages::{
    SetAccess, SetAdmission, SetLimits, SetNames, SetRequestLimits, SetRoom,
};
use crate::server::registry::access::Access;
use crate::server::registry::actor::Registry;
use crate::server::registry::bound_names::BindingRules;
use crate::server::room::history::HistoryLimits;
use crate::server::room::rates::RoomRates;
use crate::server::settings::{HistorySettings, ServerSettings, SettingError};

/// The actors that take new settings.
#[derive(Clone, Debug)]
pub(crate) struct Reloadable {
    pub(crate) listener: Recipient<SetAdmission>,
    pub(crate) registry: Addr<Registry>,
    pub(crate) room: Recipient<SetRoom>,
    pub(crate) broker: Recipient<SetRequestLimits>,
    pub(crate) shards: Vec<Recipient<SetLimits>>,
}

/// Why new settings are not taken; the old ones hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// A setting that cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A file of admitted keys that cannot be used.
    #[error(transparent)]
    AdmittedKeys(#[from] AdmittedKeysError),
    /// A file of a password that cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordFileError),
}

/// Reads the admitted keys.
pub(crate) fn access(settings: &ServerSettings) -> Result<Access, AdmittedKeysError> {
    let admitted = &settings.security.admitted_keys;
    let is_set = !admitted.as_os_str().is_empty();
    Ok(Access { admitted: is_set.then(|| AdmittedKeys::load(admitted)).transpose()? })
}

impl Reloadable {
    /// Applies what can change while the server runs and is found in `new`; the keys that differ
    /// and need a restart keep what `current` has, and are returned. With an error nothing
    /// changes.
    pub(crate) fn apply(
        &self,
        current: &mut ServerSettings,
        new: &ServerSettings,
    ) -> Result<Vec<&'static str>, ReloadError> {
        new.check()?;
        let access = access(new)?;
        let kept = keys_for_restart(current, new);
        current.room.replay_roster = new.room.replay_roster;
        current.room.motd.clone_from(&new.room.motd);
        current.room.replay = new.room.replay;
        let file = std::mem::take(&mut current.history.file);
        current.history = HistorySettings { file, ..new.history.clone() };
        current.private = new.private.clone();
        current.limits = new.limits.clone();
        current.names.keep_days = new.names.keep_days;
        current.names.new_per_hour = new.names.new_per_hour;
        current.log.level = new.log.level;
        // Cannot flood: an operator's doing, once in a while.
        self.listener.do_send(SetAdmission(AdmissionLimits::new(&new.limits)));
        current.security.admitted_keys.clone_from(&new.security.admitted_keys);
        self.registry.do_send(SetAccess(access));
        self.registry.do_send(SetNames(BindingRules::new(&new.names)));
        self.broker.do_send(SetRequestLimits(RequestLimits::new(&new.private)));
        self.room.do_send(SetRoom {
            replay_roster: new.room.replay_roster,
            motd: motd_lines(&new.room.motd),
            rates: RoomRates::new(&new.limits),
            history: HistoryLimits::new(&new.history, &new.room),
        });
        for shard in &self.shards {
            shard.do_send(SetLimits(new.limits.clone()));
        }
        Ok(kept)
    }
}

/// The lines of a message of the day that was checked.
pub(crate) fn motd_lines(motd: &str) -> Vec<MessageText> {
    motd.lines().filter_map(|line| MessageText::parse(line).ok()).collect()
}

fn keys_for_restart(current: &ServerSettings, new: &ServerSettings) -> Vec<&'static str> {
    let differ = [
        ("network.listen", current.network.listen != new.network.listen),
        ("network.arbiters", current.network.arbiters != new.network.arbiters),
        ("network.backlog", current.network.backlog != new.network.backlog),
        ("discovery.announce", current.discovery.announce != new.discovery.announce),
        ("discovery.name", current.discovery.name != new.discovery.name),
        ("room.motd_name", current.room.motd_name != new.room.motd_name),
        ("history.file", current.history.file != new.history.file),
        ("cluster.nats", current.cluster.nats != new.cluster.nats),
        ("cluster.room", current.cluster.room != new.cluster.room),
        ("cluster.node", current.cluster.node != new.cluster.node),
        ("cluster.credentials", current.cluster.credentials != new.cluster.credentials),
        ("cluster.replicas", current.cluster.replicas != new.cluster.replicas),
        ("log.format", current.log.format != new.log.format),
        ("admin.socket", current.admin.socket != new.admin.socket),
        ("admin.bans", current.admin.bans != new.admin.bans),
        ("security.key", current.security.key != new.security.key),
        ("security.plain", current.security.plain != new.security.plain),
        ("security.password_file", current.security.password_file != new.security.password_file),
        ("names.store", current.names.store != new.names.store),
        ("metrics.listen", current.metrics.listen != new.metrics.listen),
    ];
    differ.into_iter().filter(|&(_, differs)| differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_need_a_restart_are_named() {
        let current = ServerSettings::default();
        let mut new = current.clone();
        new.limits.clients = 1;
        new.room.motd = "hello".into();
        assert!(keys_for_restart(&current, &new).is_empty());
        new.network.listen = "[::]:1".into();
        new.log.format = crate::server::LogFormat::Json;
        assert_eq!(keys_for_restart(&current, &new), ["network.listen", "log.format"]);
    }

    #[test]
    fn the_lines_of_a_message_of_the_day_are_messages() {
        let lines = motd_lines("Welcome.\n\nBe kind.\n");
        assert_eq!(
            lines.iter().map(MessageText::as_str).collect::<Vec<_>>(),
            ["Welcome.", "Be kind."]
        );
    }
}
