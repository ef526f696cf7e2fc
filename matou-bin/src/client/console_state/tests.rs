use super::*;

const NONE: [&Command; 0] = [];

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn connected() -> Event {
    Event::Connected { server: "h:1".into(), username: name("Bob") }
}

fn commands(effects: &[ConsoleEffect]) -> Vec<&Command> {
    let mut commands = Vec::new();
    for effect in effects {
        if let ConsoleEffect::Command(command) = effect {
            commands.push(command);
        }
    }
    commands
}

#[test]
fn without_a_name_the_first_line_is_the_name() {
    let (mut state, effects) = ConsoleState::new(false, true, None);
    assert!(matches!(effects[..], [ConsoleEffect::Show(Event::Notice { .. })]));
    assert_eq!(commands(&state.on_line("a b", false)), NONE);
    assert_eq!(commands(&state.on_line(" Bob ", false)), [&Command::SignIn(name("Bob"))]);
    state.on_event(connected());
    assert!(matches!(commands(&state.on_line("Bob", false))[..], [Command::Say(_)]));
}

#[test]
fn commands_work_at_the_name_prompt() {
    let (mut state, _) = ConsoleState::new(false, true, None);
    assert_eq!(commands(&state.on_line("/quit", false)), [&Command::Quit]);
}

#[test]
fn a_refused_name_prompts_an_interactive_user_again() {
    let (mut state, _) = ConsoleState::new(true, true, None);
    let effects = state.on_event(Event::Refused { username: name("Bob"), reason: None });
    assert_eq!(commands(&effects), NONE);
    assert_eq!(commands(&state.on_line("Bob2", false)), [&Command::SignIn(name("Bob2"))]);
    state.on_event(connected());
    assert_eq!(state.ending(), ConsoleEnding::Done);
}

#[test]
fn a_refused_name_ends_a_non_interactive_client() {
    let (mut state, _) = ConsoleState::new(true, false, None);
    let effects = state.on_event(Event::Refused { username: name("Bob"), reason: None });
    assert!(matches!(effects[0], ConsoleEffect::Show(Event::Refused { .. })));
    assert_eq!(commands(&effects), [&Command::Quit]);
    assert!(!state.accepts_lines(), "its next line is not taken as a name");
    assert_eq!(state.ending(), ConsoleEnding::Refused(name("Bob"), None));
}

#[test]
fn end_of_input_finishes_pending_commands() {
    let (mut state, _) = ConsoleState::new(true, false, None);
    state.on_event(connected());
    assert_eq!(commands(&state.on_end_of_input()), [&Command::Finish]);
    assert_eq!(state.ending(), ConsoleEnding::Done);
    let (mut state, _) = ConsoleState::new(false, true, None);
    assert_eq!(commands(&state.on_end_of_input()), [&Command::Quit]);
    assert_eq!(state.ending(), ConsoleEnding::Nameless);
}

#[test]
fn end_of_input_without_a_server_is_a_failure() {
    let (mut state, _) = ConsoleState::new(true, false, None);
    state.on_event(connected());
    state.on_event(Event::Disconnected { reason: "gone".into() });
    state.on_end_of_input();
    let reason = Some("gone".to_owned());
    assert_eq!(state.ending(), ConsoleEnding::Unsent { messages: false, reason });
    let (mut state, _) = ConsoleState::new(true, false, None);
    state.on_line("/quit", false);
    assert_eq!(state.ending(), ConsoleEnding::Done);
}

#[test]
fn messages_without_an_echo_count_as_unsent() {
    let said = |from: &str| Event::Message {
        from: name(from),
        text: matou_actors::protocol::MessageText::parse("a").unwrap(),
        action: false,
    };
    let typed = |received: &[&str]| {
        let (mut state, _) = ConsoleState::new(true, false, None);
        state.on_event(connected());
        state.on_line("a", false);
        state.on_line("/me a", false);
        state.on_end_of_input();
        for from in received {
            state.on_event(said(from));
        }
        state.on_event(Event::Disconnected { reason: "gone".into() });
        state
    };
    let reason = Some("gone".to_owned());
    assert_eq!(typed(&["Bob", "Ann"]).ending(), ConsoleEnding::Unsent { messages: true, reason });
    assert_eq!(typed(&["Bob", "Ann", "Bob"]).ending(), ConsoleEnding::Done);
    assert!(typed(&["Bob", "Bob"]).on_timeout().is_empty());
    let mut interrupted = typed(&[]);
    assert!(
        matches!(&interrupted.on_timeout()[..], [ConsoleEffect::Show(Event::Error { message, .. })]
        if message.starts_with('2'))
    );
    interrupted.on_interrupt();
    assert_eq!(interrupted.ending(), ConsoleEnding::Done);
}

#[test]
fn lines_of_a_program_are_read_after_the_first_event() {
    for event in
        [connected(), Event::Error { code: ErrorCode::Server, message: "cannot reach it".into() }]
    {
        let (mut state, _) = ConsoleState::new(true, false, None);
        assert!(!state.accepts_lines());
        state.on_event(event);
        assert!(state.accepts_lines());
    }
    assert!(ConsoleState::new(true, true, None).0.accepts_lines());
}

#[test]
fn an_unknown_command_is_an_error_and_not_sent() {
    let (mut state, _) = ConsoleState::new(true, false, None);
    let effects = state.on_line("/mgs Bob secret", false);
    assert!(matches!(&effects[..], [ConsoleEffect::Show(Event::Error { message, .. })]
        if message.contains("/msg")));
}

#[test]
fn blank_lines_inside_a_paste_are_sent_and_others_are_not() {
    let lines = |lines: &[(&str, bool)]| -> Vec<String> {
        let (mut state, _) = ConsoleState::new(true, false, None);
        state.on_event(connected());
        let effects = lines.iter().flat_map(|(line, pasted)| state.on_line(line, *pasted));
        effects
            .filter_map(|effect| match effect {
                ConsoleEffect::Command(Command::Say(text)) => Some(text.to_string()),
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
    let (mut state, _) = ConsoleState::new(true, false, None);
    let effects = state.on_line("/help", false);
    assert_eq!(effects.len(), help().len());
    assert_eq!(state.on_line("/help send", false).len(), 1);
}

#[test]
fn quit_close_and_cancel_pass_other_lines_and_nothing_else_does() {
    let (state, _) = ConsoleState::new(true, true, None);
    let passes = |line: &str| {
        state.passes_others(Some(&TypedLine { text: Ok(line.into()), at_once: false }))
    };
    for line in ["/quit", "/exit", " /close Bea", "/cancel 7"] {
        assert!(passes(line), "{line}");
    }
    for line in ["quit", "//quit", "/msg Bea /quit", "/close", "/cancel x", "/take 7", ""] {
        assert!(!passes(line), "{line}");
    }
    assert!(!state.passes_others(None));
}
