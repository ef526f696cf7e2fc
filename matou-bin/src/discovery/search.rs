//! The client searches for servers.

use std::io;
use std::net::{SocketAddr, SocketAddrV6, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use matou_actors::trust::KnownServers;
use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceEvent};
use slog::{Logger, warn};

use super::daemon::{SERVICE, daemon};
use super::found::{Collection, FoundServer, Place};
use super::group::group;
use super::loopback;
use crate::interfaces::own_addresses;

/// How long answers are waited for.
const SEARCH_TIME: Duration = Duration::from_millis(1500);
/// How long after the first answer of a server its other addresses may arrive.
const COLLECT_TIME: Duration = Duration::from_millis(200);
/// How long an address has for itself before the next one is tried.
const HEAD_START: Duration = Duration::from_millis(150);
/// How long the addresses of a server may take to answer.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// The servers of this machine and of the local network. Blocks for 1.5 s.
pub(crate) fn search(known: &KnownServers, logger: &Logger) -> Vec<FoundServer> {
    let started = Instant::now();
    let daemon = daemon();
    let browsing = daemon.as_ref().map_err(Clone::clone).and_then(|it| it.browse(SERVICE));
    let mut collection = Collection::default();
    match browsing {
        Ok(events) => collect(&events, started + SEARCH_TIME, &mut collection),
        Err(error) => warn!(logger, "cannot search the local network"; "reason" => %error),
    }
    if let Ok(daemon) = daemon {
        // It ends with the process at the latest.
        let _ = daemon.shutdown();
    }
    let own = own_addresses();
    let local = loopback::listeners(&collection.ports_at(&own));
    group(collection.finish(local, &own, known))
}

/// Connects to the addresses of `server`, the best one first and each next one a moment later, or as
/// soon as one has failed (RFC 8305): the first that answers, or the last error.
pub(crate) fn reach(server: &FoundServer) -> io::Result<Place> {
    let (sender, answers) = mpsc::channel();
    let mut last = io::Error::other("it has no address");
    let mut open = 0;
    for place in server.candidates() {
        let (sender, place) = (sender.clone(), place.clone());
        std::thread::spawn(move || {
            let outcome = TcpStream::connect_timeout(&place.address, REACH_TIMEOUT);
            // The receiver is gone once another one was faster.
            let _ = sender.send(outcome.map(|_| place));
        });
        open += 1;
        match answers.recv_timeout(HEAD_START) {
            Ok(Ok(place)) => return Ok(place),
            Ok(Err(error)) => (last, open) = (error, open - 1),
            Err(_) => {}
        }
    }
    for outcome in answers.iter().take(open) {
        match outcome {
            Ok(place) => return Ok(place),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn collect(events: &Receiver<ServiceEvent>, end: Instant, collection: &mut Collection) {
    let mut end = end;
    let latest = end + COLLECT_TIME;
    while let Ok(event) = events.recv_deadline(end) {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let name = instance_name(&service.fullname);
                let id = service.get_property_val_str("id").unwrap_or_default();
                let cluster = service.get_property_val_str("cluster").unwrap_or_default();
                collection.add(&service.fullname, &name, id, cluster, places(&service));
                end = end.max(Instant::now() + COLLECT_TIME).min(latest);
            }
            ServiceEvent::ServiceRemoved(_, full_name) => collection.remove(&full_name),
            _ => {}
        }
    }
}

fn places(service: &ResolvedService) -> impl Iterator<Item = Place> {
    service.addresses.iter().filter_map(|address| place(address, service.port))
}

/// `None` for an address at which the server cannot be reached from here.
fn place(address: &ScopedIp, port: u16) -> Option<Place> {
    match address {
        ScopedIp::V4(v4) => {
            let address = *v4.addr();
            // A loopback address that another machine announces would lead back to this one.
            let is_here = || v4.interface_ids().iter().any(|it| is_loopback_interface(&it.name));
            (!address.is_loopback() || is_here())
                .then(|| Place::new(SocketAddr::new(address.into(), port)))
        }
        ScopedIp::V6(v6) => {
            let (address, scope) = (*v6.addr(), v6.scope_id());
            if address.is_loopback() && !is_loopback_interface(&scope.name) {
                return None;
            }
            if !address.is_unicast_link_local() {
                return Some(Place::new(SocketAddr::new(address.into(), port)));
            }
            let address = SocketAddrV6::new(address, port, 0, scope.index);
            (scope.index > 0)
                .then(|| Place { address: address.into(), interface: Some(scope.name.clone()) })
        }
        _ => None,
    }
}

fn is_loopback_interface(name: &str) -> bool {
    name.strip_prefix("lo").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The name of a server within its full name, in which dots and backslashes are escaped or not.
fn instance_name(full_name: &str) -> String {
    let name = full_name.strip_suffix(SERVICE).unwrap_or(full_name);
    let name = name.strip_suffix('.').unwrap_or(name);
    name.replace("\\.", ".").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_server_is_its_full_name_without_the_service() {
        assert_eq!(instance_name("ship._matou._tcp.local."), "ship");
        assert_eq!(instance_name("Dr\\. No's ship._matou._tcp.local."), "Dr. No's ship");
    }

    #[test]
    fn loopback_interfaces_are_known_by_name() {
        assert!(is_loopback_interface("lo") && is_loopback_interface("lo0"));
        assert!(!is_loopback_interface("longhaul0") && !is_loopback_interface("eth0"));
    }

    #[test]
    fn a_loopback_address_of_another_machine_is_ignored() {
        let ip = ScopedIp::from(std::net::IpAddr::from([127, 0, 0, 1]));
        assert_eq!(place(&ip, 7), None);
    }

    #[test]
    fn the_first_address_that_answers_is_used() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let open = Place::new(listener.local_addr().unwrap());
        let server = |places| FoundServer {
            name: "ship".into(),
            id: String::new(),
            cluster: String::new(),
            places,
            known: vec![],
            keys: vec![],
            others: vec![],
        };
        let both = server(vec![Place::new(closed), open.clone()]);
        assert_eq!(reach(&both).unwrap(), open);
        assert!(reach(&server(vec![Place::new(closed)])).is_err());
    }
}
