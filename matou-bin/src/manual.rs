//! The sections of the man pages that the command line definition does not have.

use crate::client::json::error_codes;
use crate::commands::COMMANDS;
use crate::screen::KEYS;
use crate::settings::{CLIENT_FILE, SERVER_FILE};

/// A whole page: the one that clap renders, with its exit codes under their usual title, and the
/// sections that belong to it.
pub(crate) fn complete(name: &str, rendered: &str) -> String {
    let (extra, exit) = (".SH EXTRA\nExit codes:\n", ".SH \"EXIT STATUS\"\n");
    rendered.replacen(extra, exit, 1) + &sections(name)
}

/// The sections of the page with this file name, as roff; empty for pages that need none.
fn sections(page: &str) -> String {
    let mut roff = Roff::default();
    match page {
        "matou-bin.1" => main(&mut roff),
        "matou-bin-server.1" => server(&mut roff),
        "matou-bin-client.1" => client(&mut roff),
        "matou-bin-send.1" => send(&mut roff),
        "matou-bin-receive.1" => receive(&mut roff),
        "matou-bin-doctor.1" => doctor(&mut roff),
        "matou-bin-admin.1" => admin(&mut roff),
        _ => {}
    }
    roff.0
}

fn main(roff: &mut Roff) {
    roff.title("EXAMPLES");
    roff.entry("matou-bin server", "Run a server on port 6286 of all addresses.");
    roff.entry("matou-bin client", "Join the room of a server in the local network.");
    roff.entry("matou-bin client --server 192.0.2.5", "Join the room of that server.");
    roff.title("SEE ALSO");
    roff.text(
        "matou-bin-server(1), matou-bin-client(1), matou-bin-send(1), matou-bin-receive(1), \
         matou-bin-doctor(1), matou-bin-admin(1)",
    );
}

fn server(roff: &mut Roff) {
    settings(roff, SERVER_FILE);
    roff.title("ENVIRONMENT");
    roff.entry(
        "MATOU_SERVER__SECTION__KEY",
        "A setting; overrides the configuration file, and is overridden by flags.",
    );
    roff.entry("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by the service manager; see sd_notify(3).");
    roff.title("FILES");
    roff.entry("admin.socket", "The operators' socket of matou-bin-admin(1), if configured.");
    roff.entry("admin.bans", "The bans, if configured.");
    roff.entry("security.key", "The private key; generated at the first start.");
    roff.title("SIGNALS");
    roff.entry("SIGINT, SIGTERM", "Shut down cleanly.");
    roff.entry("SIGHUP", "Reload the settings; shut down if the terminal was closed.");
    roff.title("EXAMPLES");
    roff.entry("matou-bin server --listen 127.0.0.1:0", "Serve this machine on any free port.");
    roff.entry("matou-bin server --check-config -c server.toml", "Check a configuration file.");
    roff.entry("MATOU_SERVER__ROOM__MOTD=Welcome matou-bin server", "Greet new users.");
}

fn client(roff: &mut Roff) {
    roff.title("COMMANDS");
    roff.text(
        "Text is sent to the room, or to the peer of a private tab, where NAME may be left out. //x \
         sends \"/x\".",
    );
    for spec in COMMANDS {
        roff.entry(&spec.usage(), &spec.explanation());
    }
    roff.title("KEYS");
    roff.text("In the full-screen interface; section screen.keys of the settings changes them.");
    for spec in KEYS.iter().filter(|spec| !spec.help.is_empty()) {
        roff.entry(&spec.keys.join(", "), spec.help);
    }
    settings(roff, CLIENT_FILE);
    roff.title("ENVIRONMENT");
    roff.entry(
        "MATOU_CLIENT__SECTION__KEY",
        "A setting; overrides the configuration file, and is overridden by flags.",
    );
    roff.entry(
        "MATOU_CLIENT_PASSWORD",
        "The server's password; used instead of the file that client.password_file names.",
    );
    roff.entry("NO_COLOR", "If not empty, no colours.");
    roff.entry("TERM", "With \"dumb\", plain lines instead of the full screen.");
    roff.entry(
        "XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME",
        "Replace ~/.config, ~/.local/share and ~/.local/state.",
    );
    roff.title("ERROR CODES");
    roff.text("The code of an error that --json reports:");
    for (code, meaning) in error_codes() {
        roff.entry(&code, meaning);
    }
    roff.title("FILES");
    client_files(roff);
    roff.entry("~/.local/state/matou", "The input history, and the chat log if configured.");
    roff.entry("~/Downloads", "Received files; NAME.part while incomplete.");
    roff.title("EXAMPLES");
    roff.entry("matou-bin client --username Ada --server 192.0.2.5", "Join a room.");
    roff.entry(
        "echo hello | matou-bin client --json --username Bot",
        "Send one message and exit, with events as JSON.",
    );
}

fn send(roff: &mut Roff) {
    join(roff);
    roff.title("EXAMPLES");
    roff.entry("matou-bin send Bea photo.jpg trip/", "Send a file and a folder to Bea.");
    roff.entry(
        "matou-bin send --server 192.0.2.5 --wait 600 Bea report.pdf",
        "Wait up to ten minutes for Bea.",
    );
    roff.entry(
        "tar -c trip | matou-bin send --name trip.tar Bea -",
        "Send what another program writes. A pipe cannot be resumed: after an interruption it \
         starts from the beginning.",
    );
}

fn receive(roff: &mut Roff) {
    roff.title("OUTPUT");
    roff.text(
        "The path of each received file or folder on a line of standard output; with --to - \
               the content of one \
         file and nothing else, once it is complete and checked: until then it grows in the \
         downloads folder.",
    );
    join(roff);
    roff.title("EXAMPLES");
    roff.entry("matou-bin receive --once", "Receive one file or folder from anyone.");
    roff.entry(
        "matou-bin receive --from Ada --to /srv/drop",
        "Receive files from Ada into a folder.",
    );
    roff.entry("matou-bin receive --to - | tar -x", "Hand one file to another program.");
}

fn doctor(roff: &mut Roff) {
    roff.title("OUTPUT");
    roff.text(
        "One line per address and side with the result (reached, refused, silent), then what prevents \
         a connection and what to do.",
    );
    join(roff);
    roff.title("EXAMPLES");
    roff.entry("matou-bin doctor", "Show how the server sees this computer.");
    roff.entry(
        "matou-bin doctor --server 192.0.2.5 Bea",
        "Find out what prevents a private session with Bea.",
    );
}

/// The files that every command with a client reads.
fn client_files(roff: &mut Roff) {
    roff.entry("~/.config/matou/client.toml", "The configuration file, unless --config is given.");
    roff.entry(
        "~/.local/share/matou/identity.key",
        "Your private key; generated at the first start.",
    );
    roff.entry("~/.local/share/matou/known_servers", "The keys of servers that you know.");
    roff.entry("~/.local/share/matou/known_people", "The keys of people that you know.");
}

/// What the one-shot commands have in common with the client.
fn join(roff: &mut Roff) {
    roff.title("SETTINGS");
    roff.text(
        "Those of matou-bin-client(1), from the same configuration file and variables; flags override \
         them.",
    );
    roff.title("FILES");
    client_files(roff);
}

fn admin(roff: &mut Roff) {
    roff.title("ENVIRONMENT");
    roff.entry("MATOU_SERVER__ADMIN__SOCKET", "The socket, unless --socket or --config name it.");
    roff.title("EXAMPLES");
    roff.entry("matou-bin admin --socket /run/matou/admin status", "Show the server's status.");
    roff.entry("matou-bin admin --socket /run/matou/admin ban 192.0.2.7 --for 7d spam", "Ban.");
}

/// The keys of a shipped configuration file, each with its default and its comment.
fn settings(roff: &mut Roff, shipped: &str) {
    roff.title("SETTINGS");
    let (mut section, mut comment) = ("", Vec::new());
    for line in shipped.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else if let Some((key, default)) = line.split_once(" = ") {
            roff.entry(&format!("{section}.{key} = {default}"), &comment.join(" "));
            comment.clear();
        } else {
            section = line.trim_matches(['[', ']']);
            comment.clear();
        }
    }
}

/// A man page in the making.
#[derive(Default)]
struct Roff(String);

impl Roff {
    fn title(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    fn text(&mut self, text: &str) {
        self.line(&escaped(text));
    }

    /// A term and its explanation.
    fn entry(&mut self, term: &str, text: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR", escaped(term)));
        self.line(&escaped(text));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// Text without meaning to roff: no escapes, no requests, and hyphens that can be copied.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_page_has_every_command_key_error_code_and_setting() {
        let page = sections("matou-bin-client.1");
        for spec in COMMANDS {
            assert!(page.contains(&escaped(&spec.usage())), "{}", spec.name);
        }
        for spec in KEYS {
            assert!(page.contains(&escaped(spec.help)), "{}", spec.name);
        }
        for (code, meaning) in error_codes() {
            let entry = format!(".TP\n\\fB{code}\\fR\n{}\n", escaped(meaning));
            assert!(page.contains(&entry), "{code}");
        }
        for text in ["files.reserve = 67108864", "screen.theme", "~/.config/matou/client.toml"] {
            assert!(page.contains(&escaped(text)), "{text}");
        }
    }

    #[test]
    fn no_text_is_a_request_of_roff() {
        assert_eq!(escaped(".part of a\\b -x"), "\\&.part of a\\eb \\-x");
        for page in [
            "matou-bin.1",
            "matou-bin-server.1",
            "matou-bin-send.1",
            "matou-bin-receive.1",
            "matou-bin-doctor.1",
            "matou-bin-admin.1",
        ] {
            let requests = sections(page);
            let requests = requests.lines().filter(|line| line.starts_with('.'));
            assert!({ requests }.all(|line| line == ".TP" || line.starts_with(".SH ")));
        }
    }
}
