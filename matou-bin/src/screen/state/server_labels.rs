//! Names of servers on the screen.

use std::collections::BTreeMap;

use matou_actors::client::ServerName;

use super::modal::server_names;

/// Under which names servers were found in the local network. Anybody there can choose any name, so the
/// address stays with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerLabels(BTreeMap<String, String>);

impl ServerLabels {
    /// These servers, all of one room, were found under `name`.
    pub(crate) fn add(&mut self, servers: &[ServerName], name: &str) {
        let each = servers.iter().map(ToString::to_string);
        for shown in each.chain([server_names(servers)]) {
            self.0.insert(shown, name.to_owned());
        }
    }

    /// What the server, or the servers of a room, are called that are shown as `server`.
    pub(crate) fn label(&self, server: &str) -> String {
        match self.0.get(server) {
            Some(name) => format!("{name} ({server})"),
            None => server.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_room_stands_before_the_address_of_each_of_its_servers() {
        let mut labels = ServerLabels::default();
        let servers = ServerName::parse_list("192.0.2.1:7, [2001:db8::1]:7").unwrap();
        labels.add(&servers, "Kitchen");
        let both = "192.0.2.1:7, [2001:db8::1]:7";
        for shown in ["192.0.2.1:7", "[2001:db8::1]:7", both] {
            assert_eq!(labels.label(shown), format!("Kitchen ({shown})"));
        }
        assert_eq!(labels.label("192.0.2.2:7"), "192.0.2.2:7");
    }
}
