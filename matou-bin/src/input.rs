//! Parses a typed line into commands.

use std::path::{Path, PathBuf};

use matou_actors::client::{Command, ServerName, TransferId};
use matou_actors::protocol::{MAX_MESSAGE, Username, UsernameError};

use crate::commands::{CommandAction, CommandSpec, find, nearest};
use crate::sanitize::is_hidden;
use crate::text::split_text;
use crate::typed_path::{readings, several};

const ESCAPE: char = '\u{1b}';
/// The beginning of a command. Input methods for Chinese, Japanese and Korean type the full-width
/// one.
const SLASHES: [char; 2] = ['/', '\u{ff0f}'];
/// The longest text after `/me`, in bytes: revision 1 sends it with "* " in front.
const LONGEST_ACTION: usize = MAX_MESSAGE - 2;

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
    #[error("{0:?} is not a rate; expected a number of bytes a second, such as 500k or 2M, or off")]
    Rate(String),
    #[error("Nothing sent: the text of /me may have at most {LONGEST_ACTION} bytes")]
    LongAction,
    #[error("Nothing sent: the text contains only characters that cannot be sent")]
    NothingToSend,
}

/// Parses `line`, without its line ending. A blank line is not a command.
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
    let missing = || InputError::Missing(usage(spec, context));
    let (word, behind) = first_word(rest);
    let command = match &spec.action {
        CommandAction::Act => return act(rest, context).unwrap_or_else(|| Err(missing())),
        CommandAction::Tell => {
            let (to, text) = addressee(rest, context).ok_or_else(missing)??;
            return if text.is_empty() { Err(missing()) } else { whisper(&to, text) };
        }
        CommandAction::Send => {
            let (to, typed) = addressee(rest, context).ok_or_else(missing)??;
            let (path, or) = path(typed, context.home)?.ok_or_else(missing)?;
            Command::Send { to, path, or, several: several(typed, context.home) }
        }
        CommandAction::Downloads => match path(rest, context.home)? {
            Some((folder, or)) => Command::SetDownloads { folder, or },
            None => Command::ShowDownloads,
        },
        CommandAction::Peer(command) => {
            nothing_more(spec, behind, context)?;
            match word {
                Some(name) => command(username(name)?),
                None => command(context.talking_to.ok_or_else(missing)?.clone()),
            }
        }
        CommandAction::Verify => {
            let is_yes = |word: &str| word.eq_ignore_ascii_case("yes");
            let (name, rest) = match word {
                // In a private tab the name may be left out.
                Some(word) if is_yes(word) && context.talking_to.is_some() => (None, rest),
                Some(word) => (Some(username(word)?), behind),
                None => (None, ""),
            };
            let name = name.or_else(|| context.talking_to.cloned()).ok_or_else(missing)?;
            let (yes, extra) = first_word(rest);
            match yes {
                None => Command::Verify(name),
                Some(word) if is_yes(word) => {
                    nothing_more(spec, extra, context)?;
                    Command::Compared(name)
                }
                Some(_) => {
                    nothing_more(spec, rest, context)?;
                    Command::Verify(name)
                }
            }
        }
        CommandAction::Server => {
            nothing_more(spec, behind, context)?;
            let servers = ServerName::parse_list(word.ok_or_else(missing)?);
            Command::UseServers(servers.map_err(InputError::Server)?)
        }
        CommandAction::Take => {
            let id = number(word.ok_or_else(missing)?)?;
            match path(behind, context.home)? {
                Some((folder, _)) => Command::TakeTo { id, folder },
                None => Command::Take(id),
            }
        }
        CommandAction::Rate => {
            nothing_more(spec, behind, context)?;
            match word.map(|typed| parse_rate(typed).ok_or(typed)) {
                Some(Ok(rate)) => Command::SetRate(rate),
                Some(Err(typed)) => return Err(InputError::Rate(shortened(typed))),
                None => Command::ShowRate,
            }
        }
        CommandAction::Transfer(command) => {
            nothing_more(spec, behind, context)?;
            command(number(word.ok_or_else(missing)?)?)
        }
        CommandAction::Nothing(command) => {
            nothing_more(spec, rest, context)?;
            command()
        }
        CommandAction::Help => return help_about(rest).map(|about| vec![Input::Help(about)]),
    };
    Ok(vec![Input::Command(command)])
}

/// What the user does, in the room or in a private tab; `None` when that is missing. It is one message.
fn act(rest: &str, context: InputContext<'_>) -> Option<Result<Vec<Input>, InputError>> {
    let [text] = &split_text(rest.trim())[..] else {
        return (!rest.trim().is_empty()).then_some(Err(InputError::LongAction));
    };
    if text.as_str().len() > LONGEST_ACTION {
        return Some(Err(InputError::LongAction));
    }
    let command = match context.talking_to {
        Some(peer) => Command::ActTo { to: peer.clone(), text: text.clone() },
        None => Command::Act(text.clone()),
    };
    Some(Ok(vec![Input::Command(command)]))
}

/// The recipient and the content. The first word is a name; in a private tab it is the beginning of
/// the text for that peer, unless it is the name of a known user. `None` without any word.
fn addressee<'a>(
    rest: &'a str,
    context: InputContext<'_>,
) -> Option<Result<(Username, &'a str), InputError>> {
    let (word, behind) = first_word(rest);
    let named = username(word?);
    let Some(peer) = context.talking_to else { return Some(named.map(|name| (name, behind))) };
    // Also one who has left: a text for them must not go to another person.
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

/// The usage line, where a name may be left out for the current peer.
fn usage(spec: &CommandSpec, context: InputContext<'_>) -> String {
    let usage = spec.usage();
    if context.talking_to.is_some() && spec.has_optional_name() {
        usage.replacen("NAME", "[NAME]", 1)
    } else {
        usage
    }
}

fn nothing_more(
    spec: &CommandSpec,
    rest: &str,
    context: InputContext<'_>,
) -> Result<(), InputError> {
    match rest.trim() {
        "" => Ok(()),
        extra => Err(InputError::Extra { usage: usage(spec, context), extra: shortened(extra) }),
    }
}

fn username(typed: &str) -> Result<Username, InputError> {
    Username::parse(without_isolates(typed))
        .map_err(|error| InputError::Name(shortened(typed), error))
}

/// Bytes a second: `500k`, `2M`, `1G`, a plain number, or `off`, which is 0.
pub(crate) fn parse_rate(typed: &str) -> Option<u64> {
    if typed.eq_ignore_ascii_case("off") {
        return Some(0);
    }
    let digits = typed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match typed.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
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
mod tests;
