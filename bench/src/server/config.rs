//! The configuration of each server: what would measure a limit instead of the server is off.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::Brand;
use crate::error::{Context, Outcome};

/// How to start a server on an address, its files in `folder`.
pub(super) fn command(
    brand: Brand,
    program: &Path,
    address: SocketAddr,
    folder: &Path,
) -> Outcome<Command> {
    let mut command = Command::new(program);
    command.current_dir(folder);
    let port = address.port();
    let (file, text) = match brand {
        Brand::Bare => {
            command.args(["bare", "--listen", &address.to_string()]);
            return Ok(command);
        }
        Brand::BareEncrypted => {
            command.args(["bare", "--encrypted", "--listen", &address.to_string()]);
            return Ok(command);
        }
        Brand::Matou | Brand::MatouEncrypted => {
            command.args(["server", "-c", "server.toml", "--listen", &address.to_string()]);
            ("server.toml", MATOU.to_owned())
        }
        // Its parts have configurations of their own.
        Brand::MatouCluster => return Ok(command),
        Brand::Redis => {
            command.arg("redis.conf");
            ("redis.conf", redis(port))
        }
        Brand::Nats | Brand::NatsAll => {
            command.args(["-c", "nats.conf"]);
            ("nats.conf", nats(port))
        }
        Brand::Ngircd => {
            command.args(["-n", "-f", "ngircd.conf"]);
            ("ngircd.conf", ngircd(port))
        }
        Brand::Inspircd => {
            command.args(["--runasroot", "--nofork", "--nolog", "--config=inspircd.conf"]);
            ("inspircd.conf", inspircd(port, folder))
        }
        Brand::Mosquitto => {
            command.args(["-c", "mosquitto.conf"]);
            ("mosquitto.conf", mosquitto(port))
        }
    };
    fs::write(folder.join(file), text).context("write a configuration")?;
    Ok(command)
}

/// Only the flood limits are off, and the counts raised: every check, log and metric stays on.
const MATOU: &str = "\
[security]
key = \"server.key\"
[names]
store = \"names.redb\"
[limits]
clients = 20000
unjoined = 20000
unjoined_per_address = 20000
connects_per_minute = 0
per_address = 20000
messages_per_second = 0
bytes_per_second = 0
room_bytes_per_second = 0

[metrics]
listen = \"127.0.0.1:0\"
";

/// As [`MATOU`], for a node of a cluster.
pub(super) fn matou_of_cluster(nats: &str, number: usize) -> String {
    format!(
        "{MATOU}\n[discovery]\nannounce = false\n[cluster]\nnats = \"{nats}\"\n\
         room = \"bench\"\nnode = \"node{number}\"\n"
    )
}

fn redis(port: u16) -> String {
    format!(
        "port {port}\nbind 127.0.0.1\nsave \"\"\nappendonly no\nmaxclients 15000\n\
         tcp-backlog 4096\nprotected-mode no\n"
    )
}

fn nats(port: u16) -> String {
    format!("listen: 127.0.0.1:{port}\nmax_connections: 20000\nwrite_deadline: \"30s\"\n")
}

fn ngircd(port: u16) -> String {
    format!(
        "[Global]\nName = bench.invalid\nAdminInfo1 = bench\nAdminEMail = bench@bench.invalid\n\
         Info = bench\nListen = 127.0.0.1\nPorts = {port}\nServerUID = root\nServerGID = root\n\
         MotdPhrase = bench\n[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\n\
         MaxPenaltyTime = 0\nPingTimeout = 3600\n[Options]\nDNS = no\nIdent = no\nPAM = no\n"
    )
}

fn inspircd(port: u16, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "<server name=\"bench.invalid\" description=\"bench\" network=\"bench\">\n\
         <admin name=\"bench\" nick=\"bench\" email=\"bench@bench.invalid\">\n\
         <bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">\n\
         <path datadir=\"{folder}\" logdir=\"{folder}\" runtimedir=\"{folder}\">\n\
         <connect allow=\"*\" timeout=\"60\" pingfreq=\"1h\" hardsendq=\"100M\" softsendq=\"100M\" \
         recvq=\"1M\" threshold=\"1000000\" commandrate=\"100000000\" fakelag=\"no\" \
         localmax=\"20000\" globalmax=\"20000\" useident=\"no\" resolvehostnames=\"no\" \
         limit=\"20000\">\n\
         <performance nouserdns=\"yes\" somaxconn=\"4096\" softlimit=\"20000\" \
         netbuffersize=\"65534\" quietbursts=\"yes\">\n\
         <channels users=\"20\" opers=\"60\">\n<pid file=\"{folder}/inspircd.pid\">\n"
    )
}

fn mosquitto(port: u16) -> String {
    format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\n\
         max_queued_messages 0\nlog_type error\n"
    )
}
