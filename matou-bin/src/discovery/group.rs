//! Servers of one room, found as one.

use matou_actors::client::ServerName;
use matou_actors::trust::Fingerprint;

use super::found::{FoundServer, Place};

/// Joins the servers that announce the same cluster, in the order of the first of each.
pub(super) fn group(servers: Vec<FoundServer>) -> Vec<FoundServer> {
    let mut groups: Vec<FoundServer> = Vec::new();
    for server in servers {
        let same = |group: &&mut FoundServer| group.cluster == server.cluster;
        match groups.iter_mut().find(same).filter(|_| !server.cluster.is_empty()) {
            Some(group) => group.others.push(server),
            None => groups.push(server),
        }
    }
    groups
}

impl FoundServer {
    /// The servers that may be joined, the best one first.
    ///
    /// Anybody can announce that a server belongs to a cluster. So once one of a cluster is known, others are used
    /// only if they have its key.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Self> {
        let only_known = self.is_known() && self.key().is_none();
        self.all().filter(move |member| !only_known || !member.known.is_empty())
    }

    /// What the client is given: one address of each server, first the one that was `reached` there.
    pub(crate) fn servers(&self, reached: Option<(&Self, &Place)>) -> Vec<ServerName> {
        let first = reached.map(|(member, place)| (member, Some(place)));
        let is_other = |member: &&Self| reached.is_none_or(|(first, _)| first.id != member.id);
        let others = self.members().filter(is_other).map(|it| (it, it.candidates().first()));
        let all = first.into_iter().chain(others);
        all.filter_map(|(member, place)| self.server(member, place?)).collect()
    }

    /// All of one room.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    fn server(&self, member: &Self, place: &Place) -> Option<ServerName> {
        let name = match self.key().filter(|_| member.known.is_empty()) {
            Some(key) => format!("{place}#{key}"),
            None => place.to_string(),
        };
        ServerName::parse(&name).ok()
    }

    /// The key of all known servers of the room; `None` if there are several, or none.
    fn key(&self) -> Option<Fingerprint> {
        let mut keys = self.all().flat_map(|member| &member.keys);
        let first = keys.next()?;
        keys.all(|key| key == first).then_some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    const OTHER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn server(last: u8, cluster: &str, key: Option<&str>) -> FoundServer {
        let place = Place::new(([192, 0, 2, last], 7).into());
        FoundServer {
            name: format!("ship{last}"),
            id: last.to_string(),
            cluster: cluster.into(),
            known: key.iter().map(|_| place.clone()).collect(),
            keys: key.iter().filter_map(|key| Fingerprint::parse(key)).collect(),
            places: vec![place],
            others: vec![],
        }
    }

    fn named(text: &str) -> ServerName {
        ServerName::parse(text).unwrap()
    }

    #[test]
    fn servers_of_one_cluster_are_one_entry() {
        let all = [server(1, "a", None), server(2, "", None), server(3, "a", None)];
        let all = [&all[..], &[server(4, "b", None), server(5, "", None)]].concat();
        let found = group(all);
        let ids: Vec<Vec<&str>> =
            found.iter().map(|it| it.all().map(|member| &*member.id).collect()).collect();
        assert_eq!(ids, [vec!["1", "3"], vec!["2"], vec!["4"], vec!["5"]]);
        assert_eq!(found[0].servers(None), [named("192.0.2.1:7"), named("192.0.2.3:7")]);
    }

    #[test]
    fn the_server_that_was_reached_comes_first() {
        let found = group(vec![server(1, "a", None), server(2, "a", None)]);
        let place = Place::new(([192, 0, 2, 99], 7).into());
        let servers = found[0].servers(Some((&found[0].others[0], &place)));
        assert_eq!(servers, [named("192.0.2.99:7"), named("192.0.2.1:7")]);
    }

    #[test]
    fn a_server_that_joins_a_known_cluster_needs_its_key() {
        let found = group(vec![server(1, "a", Some(KEY)), server(2, "a", None)]);
        assert!(found[0].is_known());
        let pinned = named(&format!("192.0.2.2:7#{KEY}"));
        assert_eq!(found[0].servers(None), [named("192.0.2.1:7"), pinned]);
    }

    #[test]
    fn only_known_servers_of_a_cluster_with_several_keys_are_used() {
        let known = [server(1, "a", Some(KEY)), server(2, "a", Some(OTHER))];
        let found = group([&known[..], &[server(3, "a", None)]].concat());
        assert_eq!(found[0].servers(None), [named("192.0.2.1:7"), named("192.0.2.2:7")]);
    }
}
