//! Parses a typed line into commands.

use std::path::{Path, PathBuf};

use matou_actors::client::{Command, ServerName, TransferId};
use matou_actors::protocol::{Username, UsernameError};

use crate::commands::{Action, CommandSpec, find, nearest};
use crate::sanitize::is_hidden;
use crate::text::split_text;
use crate::typed_path::readings;

const ESCAPE: char = '\u{1b}';
/// What begins a command. Input methods for Chinese, Japanese and Korean type the full-width one.
const SLASHES: [char; 2] = ['/', '\u{ff0f}'];

/// The meaning of a line; a long line of text becomes several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    /// A command for the client.
    Command(Command),
    /// The help page, or the help for the command of this name.
    Help(Option<&'static str>),
}

/// The context in which a line is parsed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InputContext<'a> {
    /// The current private peer: receives text, and is the default for commands without a name.
    /// `None` is the public room.
    pub(crate) talking_to: Option<&'a Username>,
    /// The users whom this client knows.
    pub(crate) known: Option<&'a dyn KnownUsers>,
    /// The home directory, for `~`.
    pub(crate) home: Option<&'a Path>,
}

/// The users whom a client knows: those in the room, and those it had to do with before.
pub(crate) trait KnownUsers: std::fmt::Debug {
    /// Whether one of them has that name, without regard to case.
    fn knows(&self, name: &Username) -> bool;
}

/// Why a line was rejected. Quotes the input, so it must be sanitized before display.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InputError {
    #[error("Unknown command /{typed}{}; /help lists all commands, // in front sends it as text",
        .nearest.map(|name| format!(": did you mean /{name}?")).unwrap_or_default())]
    Unknown { typed: String, nearest: Option<&'static str> },
    #[error("Usage: {0}")]
    Missing(String),
    #[error("Unexpected {extra:?}. Usage: {usage}")]
    Extra { usage: String, extra: String },
    #[error("{0:?} is not a valid name: {1}")]
    Name(String, UsernameError),
    #[error("{0:?} is not a path: {1}")]
    Path(String, String),
    #[error("{0}")]
    Server(String),
    #[error("{0:?} is not a transfer number; /transfers lists them")]
    Number(String),
    #[error("Nothing sent: the text contains only characters that cannot be sent")]
    NothingToSend,
}

/// Parses `line`, without its line ending. A blank line is no command.
pub(crate) fn parse(line: &str, context: InputContext<'_>) -> Result<Vec<Input>, InputError> {
    let trimmed = front(line);
    if line.trim().is_empty() {
        return Ok(Vec::new());
    }
    let Some(command) = trimmed.strip_prefix(SLASHES) else { return say(line, context) };
    if command.starts_with(SLASHES) {
        return say(command, context);
    }
    match find(command) {
        Ok((spec, rest)) => run(spec, rest, context),
        Err(word) => Err(InputError::Unknown { typed: shortened(word), nearest: nearest(word) }),
    }
}

/// Whether `line` begins with one slash, as its user sees it.
pub(crate) fn begins_command(line: &str) -> bool {
    let command = front(line).strip_prefix(SLASHES);
    command.is_some_and(|command| !command.starts_with(SLASHES))
}

/// A name as it may have been copied from the screen, where isolates stand around some names.
pub(crate) fn without_isolates(typed: &str) -> &str {
    typed.trim_matches(['\u{2068}', '\u{2069}'])
}

/// `line` from its first visible character on. A command must not become a public message because
/// of leading whitespace or invisible input, such as a byte order mark or the escape sequence of
/// an arrow key.
fn front(line: &str) -> &str {
    let mut rest = line;
    loop {
        rest =
            rest.trim_start_matches(|c: char| c.is_whitespace() || (c != ESCAPE && is_hidden(c)));
        let Some(sequence) = rest.strip_prefix(ESCAPE) else { return rest };
        rest = match sequence.strip_prefix('[') {
            // Parameters, then one final character (ECMA-48, 5.4).
            Some(parameters) => {
                let last = parameters.trim_start_matches(|c| matches!(c, '\u{20}'..='\u{3f}'));
                last.strip_prefix(|c| matches!(c, '\u{40}'..='\u{7e}')).unwrap_or(last)
            }
            // Arrow keys in application cursor mode (single shift three).
            None => match sequence.strip_prefix('O') {
                Some(key) => key.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(key),
                None => sequence,
            },
        };
    }
}

/// The user's home, from the environment.
pub(crate) fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()
}

/// A blank line between others.
pub(crate) fn blank(context: InputContext<'_>) -> Result<Vec<Input>, InputError> {
    say(" ", context)
}

fn say(text: &str, context: InputContext<'_>) -> Result<Vec<Input>, InputError> {
    match context.talking_to {
        Some(peer) => whisper(peer, text),
        None => messages(text, Command::Say),
    }
}

fn whisper(to: &Username, text: &str) -> Result<Vec<Input>, InputError> {
    messages(text, |text| Command::Tell { to: to.clone(), text })
}

fn messages(
    text: &str,
    command: impl Fn(matou_actors::protocol::MessageText) -> Command,
) -> Result<Vec<Input>, InputError> {
    let messages: Vec<_> =
        split_text(text).into_iter().map(|text| Input::Command(command(text))).collect();
    if messages.is_empty() { Err(InputError::NothingToSend) } else { Ok(messages) }
}

fn run(
    spec: &'static CommandSpec,
    rest: &str,
    context: InputContext<'_>,
) -> Result<Vec<Input>, InputError> {
    let missing = || InputError::Missing(spec.usage());
    let (word, behind) = first_word(rest);
    let command = match &spec.action {
        Action::Tell => {
            let (to, text) = addressee(rest, context).ok_or_else(missing)??;
            return if text.is_empty() { Err(missing()) } else { whisper(&to, text) };
        }
        Action::Send => {
            let (to, typed) = addressee(rest, context).ok_or_else(missing)??;
            let (path, or) = path(typed, context.home)?.ok_or_else(missing)?;
            Command::Send { to, path, or }
        }
        Action::Downloads => {
            let (folder, or) = path(rest, context.home)?.ok_or_else(missing)?;
            Command::SetDownloads { folder, or }
        }
        Action::Peer(command) => {
            nothing_more(spec, behind)?;
            match word {
                Some(name) => command(username(name)?),
                None => command(context.talking_to.ok_or_else(missing)?.clone()),
            }
        }
        Action::Server => {
            nothing_more(spec, behind)?;
            let server = ServerName::parse(word.ok_or_else(missing)?);
            Command::UseServer(server.map_err(InputError::Server)?)
        }
        Action::Transfer(command) => {
            nothing_more(spec, behind)?;
            command(number(word.ok_or_else(missing)?)?)
        }
        Action::Nothing(command) => {
            nothing_more(spec, rest)?;
            command()
        }
        Action::Help => return help_about(rest).map(|about| vec![Input::Help(about)]),
    };
    Ok(vec![Input::Command(command)])
}

/// To whom something goes, and what. The first word is a name; in a private tab it is the beginning
/// of what goes to that peer, unless it is the name of a known user. `None` when there is no word.
fn addressee<'a>(
    rest: &'a str,
    context: InputContext<'_>,
) -> Option<Result<(Username, &'a str), InputError>> {
    let (word, behind) = first_word(rest);
    let named = username(word?);
    let Some(peer) = context.talking_to else { return Some(named.map(|name| (name, behind))) };
    // Also one who has left: what was meant for them must not go to another person.
    let is_known = |name: &Username| {
        name.folded() == peer.folded() || context.known.is_some_and(|users| users.knows(name))
    };
    match named {
        // Alone it is what to send, even if a user has that name.
        Ok(name) if is_known(&name) && !behind.is_empty() => Some(Ok((name, behind))),
        _ => Some(Ok((peer.clone(), rest))),
    }
}

fn help_about(rest: &str) -> Result<Option<&'static str>, InputError> {
    let name = rest.trim().trim_start_matches('/');
    if name.is_empty() {
        return Ok(None);
    }
    match find(name) {
        Ok((spec, _)) => Ok(Some(spec.name)),
        Err(word) => Err(InputError::Unknown { typed: shortened(word), nearest: nearest(word) }),
    }
}

/// The first word, and the rest without the whitespace between them.
fn first_word(text: &str) -> (Option<&str>, &str) {
    let (word, behind) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    ((!word.is_empty()).then_some(word), behind.trim_start())
}

fn nothing_more(spec: &CommandSpec, rest: &str) -> Result<(), InputError> {
    match rest.trim() {
        "" => Ok(()),
        extra => Err(InputError::Extra { usage: spec.usage(), extra: shortened(extra) }),
    }
}

fn username(typed: &str) -> Result<Username, InputError> {
    Username::parse(without_isolates(typed))
        .map_err(|error| InputError::Name(shortened(typed), error))
}

fn number(typed: &str) -> Result<TransferId, InputError> {
    typed.parse().map_err(|_| InputError::Number(shortened(typed)))
}

/// The first reading of a path, and the others; `None` when nothing is typed.
fn path(typed: &str, home: Option<&Path>) -> Result<Option<(PathBuf, Vec<PathBuf>)>, InputError> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let wrong = |reason| InputError::Path(shortened(typed.trim_end()), reason);
    let mut readings = readings(typed, home).map_err(wrong)?.into_iter();
    Ok(readings.next().map(|first| (first, readings.collect())))
}

/// Shortens quoted input to a recognisable length.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use matou_actors::protocol::MessageText;

    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn text(text: &str) -> MessageText {
        MessageText::parse(text).unwrap()
    }

    fn parsed(line: &str) -> Result<Vec<Input>, InputError> {
        let home = Path::new("/home/me");
        parse(line, InputContext { home: Some(home), ..InputContext::default() })
    }

    #[test]
    fn invisible_leading_characters_do_not_make_a_command_public() {
        let tell = Command::Tell { to: name("ann"), text: text("secret") };
        for front in [
            "\u{feff}",
            "\u{1}",
            "\u{200b} ",
            "\u{1b}[A",
            "\u{1b}[1;5C\u{1b}[B",
            "\u{1b}OA",
            "\u{1b}",
        ] {
            assert_eq!(command(&format!("{front}/msg ann secret")), tell, "{front:?}");
        }
        assert_eq!(command("\u{feff}//x"), Command::Say(text("/x")));
        assert!(matches!(command("\u{1b}[A is up"), Command::Say(_)));
    }

    fn command(line: &str) -> Command {
        let mut inputs = parsed(line).unwrap();
        assert_eq!(inputs.len(), 1, "{line}");
        match inputs.remove(0) {
            Input::Command(command) => command,
            Input::Help(_) => panic!("{line} parsed as help"),
        }
    }

    #[test]
    fn a_full_width_slash_begins_a_command() {
        let tell = Command::Tell { to: name("ann"), text: text("secret") };
        assert_eq!(command("\u{ff0f}msg ann secret"), tell);
        assert!(parsed("\u{ff0f}mgs ann secret").is_err());
        assert_eq!(command("\u{ff0f}\u{ff0f}x"), Command::Say(text("\u{ff0f}x")));
        assert!(begins_command(" \u{ff0f}who") && !begins_command("\u{ff0f}/who"));
    }

    #[test]
    fn names_are_understood_with_the_isolates_around_them() {
        let open = Command::Open(name("שרה"));
        assert_eq!(command("/open \u{2068}שרה\u{2069}"), open);
        assert_eq!(command("/open \u{2068}שרה"), open);
        assert!(parsed("/open ש\u{2068}רה").is_err());
    }

    #[derive(Debug)]
    struct Only(&'static str);

    impl KnownUsers for Only {
        fn knows(&self, other: &Username) -> bool {
            other.folded() == name(self.0).folded()
        }
    }

    #[test]
    fn in_a_private_tab_commands_without_a_name_mean_its_peer() {
        let (bob, known) = (name("Bob"), Only("Cy"));
        let context =
            InputContext { talking_to: Some(&bob), known: Some(&known), ..InputContext::default() };
        let tell = |to: &str, said: &str| Command::Tell { to: name(to), text: text(said) };
        let send = |to: &str, path: &str| Command::Send {
            to: name(to),
            path: path.into(),
            or: Vec::new(),
        };
        for (line, command) in [
            ("/msg hello there", tell("Bob", "hello there")),
            ("/msg bob hello", tell("bob", "hello")),
            ("/msg cy hello", tell("cy", "hello")),
            ("/send my file.txt", send("Bob", "my file.txt")),
            ("/send /tmp/a", send("Bob", "/tmp/a")),
            ("/send notes", send("Bob", "notes")),
            ("/send Cy notes", send("Cy", "notes")),
        ] {
            assert_eq!(parse(line, context).unwrap(), [Input::Command(command)], "{line}");
        }
        assert!(parse("/send", context).is_err() && parse("/msg", context).is_err());
    }

    #[test]
    fn quoted_paths_have_a_second_reading() {
        let command = command("/send Bob '/tmp/a b'");
        let (path, or) = ("'/tmp/a b'".into(), vec!["/tmp/a b".into()]);
        assert_eq!(command, Command::Send { to: name("Bob"), path, or });
        let command = self::command(r"/downloads /tmp/a\ b");
        let (folder, or) = (r"/tmp/a\ b".into(), vec!["/tmp/a b".into()]);
        assert_eq!(command, Command::SetDownloads { folder, or });
    }

    #[test]
    fn every_command_parses() {
        let tell = Command::Tell { to: name("Bob"), text: text("hi  there") };
        let send = Command::Send { to: name("Bob"), path: "/tmp/my file".into(), or: Vec::new() };
        let id = TransferId(7);
        let table = [
            ("/msg Bob hi  there", tell.clone()),
            ("/pv Bob hi  there", tell),
            ("/send Bob /tmp/my file", send.clone()),
            ("/file Bob /tmp/my file", send.clone()),
            ("/dcc send Bob /tmp/my file", send),
            (
                "/send Bob ~/x",
                Command::Send { to: name("Bob"), path: "/home/me/x".into(), or: Vec::new() },
            ),
            ("/open Bob", Command::Open(name("Bob"))),
            ("/query Bob", Command::Open(name("Bob"))),
            ("/accept Bob", Command::Accept(name("Bob"))),
            ("/decline Bob", Command::Decline(name("Bob"))),
            ("/close Bob", Command::Close(name("Bob"))),
            ("/take 7", Command::Take(id)),
            ("/take #7", Command::Take(id)),
            ("/refuse 7", Command::Refuse(id)),
            ("/cancel 7", Command::Cancel(id)),
            ("/transfers", Command::ListTransfers),
            ("/who", Command::ListPresent),
            ("/names", Command::ListPresent),
            ("/ignore Bob", Command::Ignore(name("Bob"))),
            ("/allow Bob", Command::Allow(name("Bob"))),
            ("/disallow Bob", Command::Disallow(name("Bob"))),
            ("/unignore Bob", Command::Unignore(name("Bob"))),
            ("/reconnect", Command::Reconnect),
            ("/quit", Command::Quit),
            ("/exit", Command::Quit),
            ("  /QUIT  ", Command::Quit),
            ("hello", Command::Say(text("hello"))),
            ("//x y", Command::Say(text("/x y"))),
        ];
        for (line, expected) in table {
            assert_eq!(command(line), expected, "{line}");
        }
        assert_eq!(parsed("/help"), Ok(vec![Input::Help(None)]));
        assert_eq!(parsed("/help /pv"), Ok(vec![Input::Help(Some("msg"))]));
    }

    #[test]
    fn an_unknown_command_is_an_error_that_suggests_the_nearest_name() {
        let error = parsed("/mgs Bob secret").unwrap_err();
        assert_eq!(error, InputError::Unknown { typed: "mgs".into(), nearest: Some("msg") });
        assert!(error.to_string().contains("did you mean /msg?"));
        assert!(parsed(" /mgs Bob secret").is_err());
        assert!(parsed("/ x").is_err());
        assert!(parsed("/").is_err());
    }

    #[test]
    fn missing_or_extra_arguments_are_errors() {
        for line in ["/msg", "/msg Bob", "/send Bob ", "/open", "/take", "/close"] {
            assert!(matches!(parsed(line), Err(InputError::Missing(_))), "{line}");
        }
        for line in ["/who all", "/quit now", "/take 1 2", "/open Bob Carol"] {
            assert!(matches!(parsed(line), Err(InputError::Extra { .. })), "{line}");
        }
        assert!(matches!(parsed("/open a_b"), Err(InputError::Name(..))));
        assert!(matches!(parsed("/send Bob ~no-such-user/x"), Err(InputError::Path(..))));
        assert!(matches!(parsed("/take x"), Err(InputError::Number(_))));
        assert!(matches!(parsed("/help nonsense"), Err(InputError::Unknown { .. })));
    }

    #[test]
    fn unsendable_text_is_an_error() {
        assert_eq!(parsed(""), Ok(vec![]));
        assert_eq!(parsed("   "), Ok(vec![]));
        assert_eq!(parsed("\u{1}\u{2}"), Err(InputError::NothingToSend));
        assert_eq!(parsed("/msg Bob \u{1}"), Err(InputError::NothingToSend));
    }

    #[test]
    fn long_text_becomes_several_messages_in_order() {
        let line = format!("/msg Bob {}", "word ".repeat(300));
        let inputs = parsed(&line).unwrap();
        assert_eq!(inputs.len(), 3);
        assert!(inputs.iter().all(|input| matches!(input, Input::Command(Command::Tell { .. }))));
    }

    #[test]
    fn in_a_private_tab_text_and_nameless_commands_address_the_peer() {
        let bob = name("Bob");
        let context = InputContext { talking_to: Some(&bob), ..InputContext::default() };
        let one = |line| parse(line, context).unwrap().remove(0);
        let tell = Command::Tell { to: bob.clone(), text: text("psst") };
        assert_eq!(one("psst"), Input::Command(tell));
        assert_eq!(one("/close"), Input::Command(Command::Close(bob.clone())));
    }
}
