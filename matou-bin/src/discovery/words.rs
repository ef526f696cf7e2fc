//! What a search has found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::found::{FoundServer, Place};

/// Why a search may find no server, and what to do then.
pub(crate) const NONE_FOUND: &str = "\
no server was found on this machine or in the local network. If there is one, it may be in another \
network, a guest Wi-Fi may isolate its devices, a firewall may block UDP port 5353, or the server \
may run in a container
to join a server by its address: matou-bin client --server HOST
to start one: matou-bin server";

/// A numbered line for each server.
pub(crate) fn list(found: &[FoundServer]) -> String {
    let width = found.iter().map(|server| server.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (number, server) in (1..).zip(found) {
        let (name, address) = (&server.name, places(server));
        let standing = if server.is_known() { "known" } else { "not known yet" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{number:>2}  {name:<width$}  {address}  {standing}");
    }
    text
}

/// Its address, and how many other servers there are of the same room.
pub(crate) fn places(server: &FoundServer) -> String {
    match server.others.len() {
        0 => server.address(),
        1 => format!("{} and 1 other", server.address()),
        others => format!("{} and {others} others", server.address()),
    }
}

/// One object with all servers.
pub(crate) fn json(found: &[FoundServer]) -> Value {
    let servers: Vec<Value> = found
        .iter()
        .map(|server| {
            let places = server.all().flat_map(|member| &member.places);
            let addresses: Vec<String> = places.map(Place::to_string).collect();
            json!({
                "name": server.name,
                "address": server.address(),
                "addresses": addresses,
                "known": server.is_known(),
                "id": server.id,
                "cluster": server.cluster,
            })
        })
        .collect();
    json!({ "servers": servers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> [FoundServer; 2] {
        let place = |last| Place::new(([192, 0, 2, last], 7).into());
        let server = |name: &str, last, known| FoundServer {
            name: name.into(),
            id: "1".into(),
            cluster: String::new(),
            places: vec![place(last)],
            known,
            keys: vec![],
            others: vec![],
        };
        [server("ship", 1, vec![place(1)]), server("kitchen", 2, vec![])]
    }

    #[test]
    fn servers_are_numbered_lines() {
        let expected = " 1  ship     192.0.2.1:7  known\n 2  kitchen  192.0.2.2:7  not known yet\n";
        assert_eq!(list(&servers()), expected);
    }

    #[test]
    fn other_servers_of_the_room_are_counted_and_their_addresses_listed() {
        let [mut ship, kitchen] = servers();
        ship.others = vec![kitchen.clone()];
        assert!(list(std::slice::from_ref(&ship)).contains("ship  192.0.2.1:7 and 1 other  known"));
        let addresses = json(std::slice::from_ref(&ship))["servers"][0]["addresses"].clone();
        assert_eq!(addresses, json!(["192.0.2.1:7", "192.0.2.2:7"]));
        ship.others.push(kitchen);
        assert!(places(&ship).ends_with("192.0.2.1:7 and 2 others"));
    }

    #[test]
    fn programs_read_one_object() {
        let [ship, _] = servers();
        let expected = json!({"servers": [{
            "name": "ship", "address": "192.0.2.1:7", "addresses": ["192.0.2.1:7"],
            "known": true, "id": "1", "cluster": "",
        }]});
        assert_eq!(json(&[ship]), expected);
    }
}
