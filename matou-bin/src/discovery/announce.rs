//! The server announces itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use matou_actors::server::DiscoverySettings;
use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use slog::{Logger, info, warn};

use super::daemon::{SERVICE, daemon};

/// How often new addresses of this machine are looked for.
const ADDRESS_CHECK_SECONDS: u32 = 15;
/// How long the last packet may take, which withdraws the announcement.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// A server that is announced, until [`Announcement::end`].
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

/// The announced properties.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    port: u16,
    addresses: Addresses,
}

#[derive(Debug, PartialEq, Eq)]
enum Addresses {
    /// All of this machine, also those that it gets later.
    All,
    /// All IPv4 addresses of this machine.
    AllV4,
    /// Only these.
    Only(Vec<IpAddr>),
}

impl Announcement {
    /// Announces a server that listens on `listening`, if the settings say so and others can reach
    /// it; `cluster` is the room that it serves together with others, or empty. A server that cannot be announced works all the same.
    pub(crate) fn start(
        settings: &DiscoverySettings,
        cluster: &str,
        listening: &[SocketAddr],
        logger: &Logger,
    ) -> Option<Self> {
        if !settings.announce {
            return None;
        }
        let plan = Plan::new(listening)?;
        let name =
            instance_name(&settings.name, &rustix::system::uname().nodename().to_string_lossy());
        match announce(&plan, &name, cluster) {
            Ok(announcement) => {
                info!(logger, "announced in the local network"; "name" => name);
                Some(announcement)
            }
            Err(error) => {
                warn!(logger, "cannot announce the server in the local network";
                    "reason" => %error, "next" => "clients need its address");
                None
            }
        }
    }

    /// Withdraws the announcement; waits only a moment.
    pub(crate) fn end(self) {
        if let Ok(done) = self.daemon.unregister(&self.full_name) {
            let _ = done.recv_timeout(GOODBYE_TIMEOUT);
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = done.recv_timeout(GOODBYE_TIMEOUT);
        }
    }
}

impl Plan {
    /// `None` for a server that listens on loopback addresses only.
    fn new(listening: &[SocketAddr]) -> Option<Self> {
        let reachable: Vec<_> = listening.iter().filter(|it| !it.ip().is_loopback()).collect();
        let port = reachable.first()?.port();
        let any =
            |is_v6| reachable.iter().any(|it| it.ip().is_unspecified() && it.is_ipv6() == is_v6);
        let addresses = if any(true) {
            Addresses::All
        } else if any(false) {
            Addresses::AllV4
        } else {
            // A record has one port.
            let same_port = reachable.iter().filter(|it| it.port() == port);
            Addresses::Only(same_port.map(|it| it.ip()).collect())
        };
        Some(Self { port, addresses })
    }
}

fn announce(plan: &Plan, name: &str, cluster: &str) -> mdns_sd::Result<Announcement> {
    let daemon = daemon()?;
    daemon.set_ip_check_interval(ADDRESS_CHECK_SECONDS)?;
    // Says nothing about who the server is: its key does, when it is reached.
    let id = format!("{:016x}", fastrand::u64(..));
    // A separate name, so that it never contends with another program for the machine's.
    let host = format!("matou-{id}.local.");
    let revisions = "1,2";
    let mut properties = vec![("revisions", revisions), ("id", id.as_str())];
    if !cluster.is_empty() {
        properties.push(("cluster", cluster));
    }
    let no_address: &[IpAddr] = &[];
    let service =
        |addresses| ServiceInfo::new(SERVICE, name, &host, addresses, plan.port, &properties[..]);
    let service = match &plan.addresses {
        Addresses::All => service(no_address)?.enable_addr_auto(),
        Addresses::AllV4 => {
            daemon.disable_interface(IfKind::IPv6)?;
            service(no_address)?.enable_addr_auto()
        }
        Addresses::Only(addresses) => service(addresses.as_slice())?,
    };
    let full_name = service.get_fullname().to_owned();
    daemon.register(service)?;
    Ok(Announcement { daemon, full_name })
}

/// The configured name, or that of the machine without its domain.
fn instance_name(configured: &str, machine: &str) -> String {
    let machine = machine.split('.').next().unwrap_or_default();
    let name = [configured, machine].into_iter().find(|name| !name.is_empty());
    name.unwrap_or("Matou").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(listening: &[&str]) -> Option<Plan> {
        let listening: Vec<SocketAddr> = listening.iter().map(|it| it.parse().unwrap()).collect();
        Plan::new(&listening)
    }

    #[test]
    fn a_server_on_loopback_only_is_not_announced() {
        assert_eq!(plan(&["127.0.0.1:6286", "[::1]:6286"]), None);
        assert_eq!(plan(&["127.0.0.2:6286"]), None);
    }

    #[test]
    fn the_addresses_on_which_it_listens_are_announced() {
        let all = Some(Plan { port: 7, addresses: Addresses::All });
        assert_eq!(plan(&["[::]:7"]), all);
        let v4 = Some(Plan { port: 7, addresses: Addresses::AllV4 });
        assert_eq!(plan(&["0.0.0.0:7"]), v4);
        let one = Addresses::Only(vec!["192.0.2.1".parse().unwrap()]);
        let one = Some(Plan { port: 7, addresses: one });
        assert_eq!(plan(&["127.0.0.1:7", "192.0.2.1:7"]), one);
    }

    #[test]
    fn without_a_configured_name_it_is_that_of_the_machine() {
        assert_eq!(instance_name("Kitchen", "host"), "Kitchen");
        assert_eq!(instance_name("", "host.example.org"), "host");
        assert_eq!(instance_name("", ""), "Matou");
    }
}
