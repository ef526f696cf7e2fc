//! The table of slash commands. Parsing, `/help` and completion all read it.

use matou_actors::client::{Command, TransferId};
use matou_actors::protocol::Username;

/// A slash command.
#[derive(Debug)]
pub(crate) struct CommandSpec {
    /// The word after the slash.
    pub(crate) name: &'static str,
    /// Alternative names, some of two words (`dcc send`).
    pub(crate) aliases: &'static [&'static str],
    /// The arguments in order; also determines completion.
    pub(crate) arguments: &'static [Argument],
    /// One line of help.
    pub(crate) help: &'static str,
    /// The effect on the client.
    pub(crate) action: CommandAction,
}

/// The kind of an argument, which determines its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Anyone in the room.
    Peer,
    /// A peer with an open, connecting or requested private session.
    Session,
    /// A peer with a pending private request.
    Asking,
    /// An ignored peer.
    Ignored,
    /// The number of an offered file.
    Offer,
    /// The number of any transfer.
    Transfer,
    /// The path of a file: the rest of the line.
    Path,
    /// The same, or several paths.
    Paths,
    /// The path of a folder: the rest of the line; optional.
    Folder,
    /// Bytes a second, such as `500k`.
    Rate,
    /// Text: the rest of the line.
    Text,
    /// The name of a server.
    Server,
    /// `yes`; optional.
    Yes,
    /// The name of a command; optional.
    Command,
}

/// How the arguments become a [`Command`].
#[derive(Debug)]
pub(crate) enum CommandAction {
    /// Text: [`Command::Act`], or [`Command::ActTo`] in a private tab.
    Act,
    /// A name, then text: [`Command::Tell`].
    Tell,
    /// A name, then a path: [`Command::Send`].
    Send,
    /// A name; defaults to the current peer.
    Peer(fn(Username) -> Command),
    /// The same, then `yes` or nothing: [`Command::Compared`] or [`Command::Verify`].
    Verify,
    /// The path of a folder: [`Command::SetDownloads`], or nothing: [`Command::ShowDownloads`].
    Downloads,
    /// The name of a server.
    Server,
    /// A number.
    Transfer(fn(TransferId) -> Command),
    /// A number, then the path of a folder or nothing: [`Command::TakeTo`] or [`Command::Take`].
    Take,
    /// A rate: [`Command::SetRate`], or nothing: [`Command::ShowRate`].
    Rate,
    /// Nothing.
    Nothing(fn() -> Command),
    /// An optional command name; rendered by the user interface.
    Help,
}

/// All commands, in the order in which `/help` shows them.
pub(crate) const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "me",
        aliases: &[],
        arguments: &[Argument::Text],
        help: "describe what you do: /me waves is shown as * Ada waves",
        action: CommandAction::Act,
    },
    CommandSpec {
        name: "msg",
        aliases: &["pv"],
        arguments: &[Argument::Peer, Argument::Text],
        help: "send a private message; requests a session first if none is open",
        action: CommandAction::Tell,
    },
    CommandSpec {
        name: "send",
        aliases: &["file", "dcc send"],
        arguments: &[Argument::Peer, Argument::Paths],
        help: "send files and folders: a path is the rest of the line; several need quotes where \
               they have spaces",
        action: CommandAction::Send,
    },
    CommandSpec {
        name: "open",
        aliases: &["query"],
        arguments: &[Argument::Peer],
        help: "request a private session",
        action: CommandAction::Peer(Command::Open),
    },
    CommandSpec {
        name: "accept",
        aliases: &[],
        arguments: &[Argument::Asking],
        help: "accept a private request",
        action: CommandAction::Peer(Command::Accept),
    },
    CommandSpec {
        name: "decline",
        aliases: &[],
        arguments: &[Argument::Asking],
        help: "decline a private request",
        action: CommandAction::Peer(Command::Decline),
    },
    CommandSpec {
        name: "allow",
        aliases: &[],
        arguments: &[Argument::Peer],
        help: "accept private requests and files of this person without asking, until they leave",
        action: CommandAction::Peer(Command::Allow),
    },
    CommandSpec {
        name: "disallow",
        aliases: &[],
        arguments: &[Argument::Peer],
        help: "ask again about requests and files of this person",
        action: CommandAction::Peer(Command::Disallow),
    },
    CommandSpec {
        name: "close",
        aliases: &[],
        arguments: &[Argument::Session],
        help: "close a private session, or withdraw your request for one",
        action: CommandAction::Peer(Command::Close),
    },
    CommandSpec {
        name: "take",
        aliases: &[],
        arguments: &[Argument::Offer, Argument::Folder],
        help: "accept what is offered under this number, into the downloads folder or another one",
        action: CommandAction::Take,
    },
    CommandSpec {
        name: "refuse",
        aliases: &[],
        arguments: &[Argument::Offer],
        help: "decline the file offered under this number; the session stays open",
        action: CommandAction::Transfer(Command::Refuse),
    },
    CommandSpec {
        name: "cancel",
        aliases: &[],
        arguments: &[Argument::Transfer],
        help: "cancel a transfer, in either direction",
        action: CommandAction::Transfer(Command::Cancel),
    },
    CommandSpec {
        name: "downloads",
        aliases: &[],
        arguments: &[Argument::Path],
        help: "save received files in this folder from now on, or show which it is",
        action: CommandAction::Downloads,
    },
    CommandSpec {
        name: "rate",
        aliases: &[],
        arguments: &[Argument::Rate],
        help: "limit the speed of encrypted files: 500k, 2M (bytes a second), or off; or show the limit",
        action: CommandAction::Rate,
    },
    CommandSpec {
        name: "transfers",
        aliases: &[],
        arguments: &[],
        help: "list offers and transfers",
        action: CommandAction::Nothing(|| Command::ListTransfers),
    },
    CommandSpec {
        name: "who",
        aliases: &["names"],
        arguments: &[],
        help: "list the people in the room",
        action: CommandAction::Nothing(|| Command::ListPresent),
    },
    CommandSpec {
        name: "topic",
        aliases: &[],
        arguments: &[],
        help: "show the topic of the room",
        action: CommandAction::Nothing(|| Command::ShowTopic),
    },
    CommandSpec {
        name: "whois",
        aliases: &[],
        arguments: &[Argument::Peer],
        help: "show what is known about a person: key, since when, compared or not",
        action: CommandAction::Peer(Command::Whois),
    },
    CommandSpec {
        name: "doctor",
        aliases: &[],
        arguments: &[Argument::Peer],
        help: "find out what prevents a private session with a person",
        action: CommandAction::Peer(Command::Diagnose),
    },
    CommandSpec {
        name: "verify",
        aliases: &[],
        arguments: &[Argument::Peer, Argument::Yes],
        help: "show the words that rule out interception; with yes: they matched",
        action: CommandAction::Verify,
    },
    CommandSpec {
        name: "trust",
        aliases: &[],
        arguments: &[Argument::Peer],
        help: "accept the new key of a person whose key has changed",
        action: CommandAction::Peer(Command::Trust),
    },
    CommandSpec {
        name: "resend",
        aliases: &[],
        arguments: &[Argument::Peer],
        help: "send the private messages that were not delivered again",
        action: CommandAction::Peer(Command::Resend),
    },
    CommandSpec {
        name: "ignore",
        aliases: &[],
        arguments: &[Argument::Peer],
        help: "hide messages, requests and offers from this person",
        action: CommandAction::Peer(Command::Ignore),
    },
    CommandSpec {
        name: "unignore",
        aliases: &[],
        arguments: &[Argument::Ignored],
        help: "stop ignoring this person",
        action: CommandAction::Peer(Command::Unignore),
    },
    CommandSpec {
        name: "server",
        aliases: &[],
        arguments: &[Argument::Server],
        help: "use another server, HOST or HOST:PORT, before you sign in",
        action: CommandAction::Server,
    },
    CommandSpec {
        name: "reconnect",
        aliases: &[],
        arguments: &[],
        help: "reconnect now instead of waiting for the next attempt",
        action: CommandAction::Nothing(|| Command::Reconnect),
    },
    CommandSpec {
        name: "help",
        aliases: &[],
        arguments: &[Argument::Command],
        help: "list all commands, or explain one",
        action: CommandAction::Help,
    },
    CommandSpec {
        name: "quit",
        aliases: &["exit"],
        arguments: &[],
        help: "sign out and exit; aborts running transfers",
        action: CommandAction::Nothing(|| Command::Quit),
    },
];

/// The command at the start of `line` (without its slash), and the rest of the line.
///
/// The error is the unknown word.
pub(crate) fn find(line: &str) -> Result<(&'static CommandSpec, &str), &str> {
    COMMANDS
        .iter()
        .find_map(|spec| {
            spec.names().find_map(|name| Some((spec, without_words(line, name)?.trim_start())))
        })
        .ok_or_else(|| line.split_whitespace().next().unwrap_or_default())
}

/// The command name or alias closest to `word`, if it is a plausible typo.
pub(crate) fn nearest(word: &str) -> Option<&'static str> {
    let word: String = word.chars().take(32).flat_map(char::to_lowercase).collect();
    let names = COMMANDS.iter().flat_map(CommandSpec::names);
    let (distance, name) =
        names.map(|name| (strsim::damerau_levenshtein(&word, name), name)).min()?;
    (distance <= (word.chars().count() / 3).max(1)).then_some(name)
}

/// The lines of `/help`: usage and explanation of each command.
pub(crate) fn help() -> Vec<String> {
    let width = COMMANDS.iter().map(|spec| spec.usage().len()).max().unwrap_or_default();
    let text = ("TEXT".to_owned(), "send to the room; //x sends \"/x\"".to_owned());
    std::iter::once(text)
        .chain(COMMANDS.iter().map(|spec| (spec.usage(), spec.explanation())))
        .map(|(usage, meaning)| format!("{usage:width$}  {meaning}"))
        .collect()
}

/// The `/help` line of one command.
pub(crate) fn help_about(name: &str) -> Vec<String> {
    let specs = COMMANDS.iter().filter(|spec| spec.name == name);
    specs.map(CommandSpec::details).collect()
}

impl CommandSpec {
    /// The name, then the aliases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The usage line: `/msg NAME TEXT`.
    pub(crate) fn usage(&self) -> String {
        let mut usage = format!("/{}", self.name);
        for argument in self.arguments {
            usage.push(' ');
            usage.push_str(argument.placeholder());
        }
        usage
    }

    /// Whether the name can be left out in a private tab.
    pub(crate) fn has_optional_name(&self) -> bool {
        matches!(
            self.action,
            CommandAction::Tell
                | CommandAction::Send
                | CommandAction::Verify
                | CommandAction::Peer(_)
        )
    }

    /// The usage, the explanation, and whether the name can be left out.
    pub(crate) fn details(&self) -> String {
        let optional =
            if self.has_optional_name() { "; NAME may be left out in a private tab" } else { "" };
        format!("{}: {}{optional}", self.usage(), self.explanation())
    }

    /// The help text and the aliases.
    pub(crate) fn explanation(&self) -> String {
        if self.aliases.is_empty() {
            return self.help.to_owned();
        }
        let aliases: Vec<_> = self.aliases.iter().map(|alias| format!("/{alias}")).collect();
        format!("{} (also {})", self.help, aliases.join(", "))
    }
}

impl Argument {
    /// The placeholder in usage lines.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            Self::Peer | Self::Session | Self::Asking | Self::Ignored => "NAME",
            Self::Offer | Self::Transfer => "ID",
            Self::Path => "[PATH]",
            Self::Paths => "PATH...",
            Self::Folder => "[FOLDER]",
            Self::Rate => "[RATE]",
            Self::Text => "TEXT",
            Self::Server => "HOST[:PORT]",
            Self::Yes => "[yes]",
            Self::Command => "[COMMAND]",
        }
    }
}

/// The rest of `line` after the words of `name`, compared case-insensitively.
fn without_words<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    name.split(' ').try_fold(line, |rest, word| {
        let rest = rest.trim_start();
        let (typed, rest) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        typed.eq_ignore_ascii_case(word).then_some(rest)
    })
}

#[cfg(test)]
mod tests;
