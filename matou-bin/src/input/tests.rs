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
    for front in
        ["\u{feff}", "\u{1}", "\u{200b} ", "\u{1b}[A", "\u{1b}[1;5C\u{1b}[B", "\u{1b}OA", "\u{1b}"]
    {
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
    let send = |to: &str, path: &str| {
        let (words, or): (Vec<_>, _) = (path.split(' ').map(Into::into).collect(), Vec::new());
        let several = if words.len() > 1 { words } else { Vec::new() };
        Command::Send { to: name(to), path: path.into(), or, several }
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
    for (line, usage) in [
        ("/send", "Usage: /send [NAME] PATH..."),
        ("/msg", "Usage: /msg [NAME] TEXT"),
        ("/close a b", "Unexpected \"b\". Usage: /close [NAME]"),
        ("/cancel 1 2", "Unexpected \"2\". Usage: /cancel ID"),
    ] {
        assert_eq!(parse(line, context).unwrap_err().to_string(), usage);
        let elsewhere = parsed(line).unwrap_err().to_string();
        assert_eq!(elsewhere, usage.replace("[NAME]", "NAME"), "a name is required in the room");
    }
}

#[test]
fn quoted_paths_have_a_second_reading() {
    let command = command("/send Bob '/tmp/a b'");
    let (path, or) = ("'/tmp/a b'".into(), vec!["/tmp/a b".into()]);
    assert_eq!(command, Command::Send { to: name("Bob"), path, or, several: Vec::new() });
    let command = self::command(r"/downloads /tmp/a\ b");
    let (folder, or) = (r"/tmp/a\ b".into(), vec!["/tmp/a b".into()]);
    assert_eq!(command, Command::SetDownloads { folder, or });
}

#[test]
fn every_command_parses() {
    let tell = Command::Tell { to: name("Bob"), text: text("hi  there") };
    let send = Command::Send {
        to: name("Bob"),
        path: "/tmp/my file".into(),
        or: Vec::new(),
        several: vec!["/tmp/my".into(), "file".into()],
    };
    let id = TransferId(7);
    let table = [
        ("/msg Bob hi  there", tell.clone()),
        ("/pv Bob hi  there", tell),
        ("/send Bob /tmp/my file", send.clone()),
        ("/file Bob /tmp/my file", send.clone()),
        ("/dcc send Bob /tmp/my file", send),
        (
            "/send Bob ~/x",
            Command::Send {
                to: name("Bob"),
                path: "/home/me/x".into(),
                or: Vec::new(),
                several: Vec::new(),
            },
        ),
        ("/open Bob", Command::Open(name("Bob"))),
        ("/query Bob", Command::Open(name("Bob"))),
        ("/accept Bob", Command::Accept(name("Bob"))),
        ("/decline Bob", Command::Decline(name("Bob"))),
        ("/close Bob", Command::Close(name("Bob"))),
        ("/take 7", Command::Take(id)),
        ("/take #7", Command::Take(id)),
        ("/take 7 /x/a folder", Command::TakeTo { id, folder: "/x/a folder".into() }),
        ("/verify Bob", Command::Verify(name("Bob"))),
        ("/verify Bob YES", Command::Compared(name("Bob"))),
        ("/rate 500k", Command::SetRate(500_000)),
        ("/rate 2M", Command::SetRate(2_000_000)),
        ("/rate off", Command::SetRate(0)),
        ("/rate", Command::ShowRate),
        ("/downloads", Command::ShowDownloads),
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
        ("/me waves  at you", Command::Act(text("waves  at you"))),
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
    for line in ["/who all", "/quit now", "/cancel 1 2", "/open Bob Carol"] {
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
    let act = Command::ActTo { to: bob.clone(), text: text("waves") };
    assert_eq!(one("/me waves"), Input::Command(act));
    assert_eq!(one("/close"), Input::Command(Command::Close(bob.clone())));
}
