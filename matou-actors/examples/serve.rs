//! temp
use matou_actors::server::{self, ServerSettings};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let listen = args
        .windows(2)
        .find(|w| w[0] == "--listen")
        .map(|w| w[1].clone())
        .unwrap_or("127.0.0.1:6286".into());
    let mut settings = ServerSettings::default();
    settings.limits.messages_per_second = 0;
    settings.limits.bytes_per_second = 0;
    settings.limits.clients = 50000;
    settings.limits.unjoined = 50000;
    settings.limits.unjoined_per_address = 50000;
    settings.limits.per_address = 50000;
    if let Ok(a) = std::env::var("ARB") {
        settings.network.arbiters = a.parse().unwrap();
    }
    let l = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    l.set_reuse_address(true).unwrap();
    l.bind(&listen.parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    l.listen(4096).unwrap();
    actix::System::new().block_on(async move {
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let mut r = server::start(&settings, vec![l.into()], logger).unwrap();
        r.failed().await;
    });
}
