//! Three nodes of Matou that share one room through a NATS server of their own, as one server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{START_LIMIT, config, free_address, installed, stop};
use crate::error::{BenchError, Context, Outcome};

const NODES: usize = 3;
/// What a node logs when it serves clients.
const SERVES: &str = "this node serves clients";

/// NATS and the nodes, and where the nodes listen.
pub(super) fn start(matou: &Path, folder: &Path) -> Outcome<(Vec<Child>, Vec<SocketAddr>)> {
    let mut children = Vec::new();
    match start_all(matou, folder, &mut children) {
        Ok(addresses) => Ok((children, addresses)),
        Err(error) => {
            children.iter_mut().for_each(stop);
            Err(error)
        }
    }
}

fn start_all(matou: &Path, folder: &Path, children: &mut Vec<Child>) -> Outcome<Vec<SocketAddr>> {
    let nats = free_address()?;
    let store = folder.join("jetstream");
    let mut command = Command::new(installed("nats-server")?);
    let port = nats.port().to_string();
    command.args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"]).arg(store);
    children.push(spawn(command, &folder.join("nats.log"))?);
    let mut addresses = Vec::new();
    for number in 0..NODES {
        let (address, home) = (free_address()?, folder.join(format!("node{number}")));
        fs::create_dir(&home).context("make a folder for a node")?;
        let settings = config::matou_of_cluster(&format!("nats://{nats}"), number);
        fs::write(home.join("server.toml"), settings).context("write a configuration")?;
        let mut command = Command::new(matou);
        command.current_dir(&home);
        command.args(["server", "-c", "server.toml", "--listen", &address.to_string()]);
        children.push(spawn(command, &home.join("log"))?);
        addresses.push(address);
    }
    for number in 0..NODES {
        wait_for(&folder.join(format!("node{number}")).join("log"))?;
    }
    Ok(addresses)
}

fn spawn(mut command: Command, log: &Path) -> Outcome<Child> {
    let log = fs::File::create(log).context("open a log")?;
    let log_too = log.try_clone().context("open a log")?;
    command.stdin(Stdio::null()).stdout(log_too).stderr(log);
    command.spawn().context("start a part of the cluster")
}

fn wait_for(log: &Path) -> Outcome<()> {
    let start = Instant::now();
    while !fs::read_to_string(log).unwrap_or_default().contains(SERVES) {
        if start.elapsed() > START_LIMIT {
            let seconds = START_LIMIT.as_secs();
            return Err(BenchError::Deadline { what: "serving clients".into(), seconds });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
