use super::*;

const NONE: [&Command; 0] = [];

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn connected() -> Event {
    Event::Connected { server: "h:1".into(), username: name("Bob") }
}

fn commands(effects: &[Effect]) -> Vec<&Command> {
    let mut commands = Vec::new();
    for effect in effects {
        if let Effect::Command(command) = effect {
            commands.push(command);
        }
    }
    commands
}

#[test]
fn without_a_name_the_first_line_is_the_name() {
    let (mut conversation, effects) = Conversation::new(false, true, None);
    assert!(matches!(effects[..], [Effect::Show(Event::Notice { .. })]));
    assert_eq!(commands(&conversation.on_line("a b", false)), NONE);
    assert_eq!(commands(&conversation.on_line(" Bob ", false)), [&Command::SignIn(name("Bob"))]);
    conversation.on_event(connected());
    assert!(matches!(commands(&conversation.on_line("Bob", false))[..], [Command::Say(_)]));
}

#[test]
fn commands_work_at_the_name_prompt() {
    let (mut conversation, _) = Conversation::new(false, true, None);
    assert_eq!(commands(&conversation.on_line("/quit", false)), [&Command::Quit]);
}

#[test]
fn a_refused_name_prompts_an_interactive_user_again() {
    let (mut conversation, _) = Conversation::new(true, true, None);
    let effects = conversation.on_event(Event::Refused { username: name("Bob") });
    assert_eq!(commands(&effects), NONE);
    assert_eq!(commands(&conversation.on_line("Bob2", false)), [&Command::SignIn(name("Bob2"))]);
    conversation.on_event(connected());
    assert_eq!(conversation.ending(), Ending::Done);
}

#[test]
fn a_refused_name_ends_a_non_interactive_client() {
    let (mut conversation, _) = Conversation::new(true, false, None);
    let effects = conversation.on_event(Event::Refused { username: name("Bob") });
    assert!(matches!(effects[0], Effect::Show(Event::Refused { .. })));
    assert_eq!(commands(&effects), [&Command::Quit]);
    assert!(!conversation.accepts_lines(), "its next line is not taken as a name");
    assert_eq!(conversation.ending(), Ending::Refused(name("Bob")));
}

#[test]
fn end_of_input_finishes_pending_commands() {
    let (mut conversation, _) = Conversation::new(true, false, None);
    conversation.on_event(connected());
    assert_eq!(commands(&conversation.on_end_of_input()), [&Command::Finish]);
    assert_eq!(conversation.ending(), Ending::Done);
    let (mut conversation, _) = Conversation::new(false, true, None);
    assert_eq!(commands(&conversation.on_end_of_input()), [&Command::Quit]);
    assert_eq!(conversation.ending(), Ending::Nameless);
}

#[test]
fn end_of_input_without_a_server_is_a_failure() {
    let (mut conversation, _) = Conversation::new(true, false, None);
    conversation.on_event(connected());
    conversation.on_event(Event::Disconnected { reason: "gone".into() });
    conversation.on_end_of_input();
    assert_eq!(conversation.ending(), Ending::Unsent);
    let (mut conversation, _) = Conversation::new(true, false, None);
    conversation.on_line("/quit", false);
    assert_eq!(conversation.ending(), Ending::Done);
}

#[test]
fn messages_without_an_echo_count_as_unsent() {
    let said = |from: &str| Event::Message {
        from: name(from),
        text: matou_actors::protocol::MessageText::parse("a").unwrap(),
    };
    let typed = |heard: &[&str]| {
        let (mut conversation, _) = Conversation::new(true, false, None);
        conversation.on_event(connected());
        conversation.on_line("a", false);
        conversation.on_line("a", false);
        conversation.on_end_of_input();
        for from in heard {
            conversation.on_event(said(from));
        }
        conversation.on_event(Event::Disconnected { reason: "gone".into() });
        conversation
    };
    assert_eq!(typed(&["Bob", "Ann"]).ending(), Ending::Unsent);
    assert_eq!(typed(&["Bob", "Ann", "Bob"]).ending(), Ending::Done);
    assert!(typed(&["Bob", "Bob"]).on_timeout().is_empty());
    let mut interrupted = typed(&[]);
    assert!(matches!(&interrupted.on_timeout()[..], [Effect::Show(Event::Error { message, .. })]
        if message.starts_with('2')));
    interrupted.on_interrupt();
    assert_eq!(interrupted.ending(), Ending::Done);
}

#[test]
fn lines_of_a_program_are_read_after_the_first_event() {
    for event in
        [connected(), Event::Error { code: ErrorCode::Server, message: "cannot reach it".into() }]
    {
        let (mut conversation, _) = Conversation::new(true, false, None);
        assert!(!conversation.accepts_lines());
        conversation.on_event(event);
        assert!(conversation.accepts_lines());
    }
    assert!(Conversation::new(true, true, None).0.accepts_lines());
}

#[test]
fn an_unknown_command_is_an_error_and_not_sent() {
    let (mut conversation, _) = Conversation::new(true, false, None);
    let effects = conversation.on_line("/mgs Bob secret", false);
    assert!(matches!(&effects[..], [Effect::Show(Event::Error { message, .. })]
        if message.contains("/msg")));
}

#[test]
fn blank_lines_inside_a_paste_are_sent_and_others_are_not() {
    let lines = |lines: &[(&str, bool)]| -> Vec<String> {
        let (mut conversation, _) = Conversation::new(true, false, None);
        conversation.on_event(connected());
        let effects = lines.iter().flat_map(|(line, pasted)| conversation.on_line(line, *pasted));
        effects
            .filter_map(|effect| match effect {
                Effect::Command(Command::Say(text)) => Some(text.to_string()),
                _ => None,
            })
            .collect()
    };
    let pasted = [("", false), ("fn a() {", true), ("\tb();", true), ("", true), (" ", true)];
    let end = [("}", true), ("", true), ("", false), ("typed", false)];
    assert_eq!(
        lines(&[&pasted[..], &end[..]].concat()),
        ["fn a() {", "    b();", " ", " ", "}", "typed"]
    );
    assert_eq!(lines(&[("a", false), ("", true), ("/who", true), ("b", true)]), ["a", "b"]);
    assert_eq!(lines(&[("a", false), ("", false), ("b", true)]), ["a", "b"]);
}

#[test]
fn help_is_one_notice_per_line() {
    let (mut conversation, _) = Conversation::new(true, false, None);
    let effects = conversation.on_line("/help", false);
    assert_eq!(effects.len(), help().len());
    assert_eq!(conversation.on_line("/help send", false).len(), 1);
}
