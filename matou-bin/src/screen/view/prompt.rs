//! The question above the status line: a request of others, or a confirmation of the user's own
//! action.

use ratatui::layout::Rect;
use ratatui::text::Span;

use super::paint::Painter;
use crate::client::sizes::{size as bytes, total};
use crate::sanitize::sanitize;
use crate::screen::config::keymap::KeyAction;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::input_line::MAX_INPUT;
use crate::screen::state::modal::{Modal, Paste, PasteChoice};
use crate::screen::state::prompts::Prompt;
use crate::screen::text::bidi::sentence;
use crate::screen::text::width::{cells, shorten, width, wrap};
use crate::text::{lines_of, split_line};

/// What a click on the prompt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::screen) enum Button {
    Accept,
    Decline,
    Later,
}

/// The question, and the answers.
struct QuestionView {
    text: String,
    answers: Vec<AnswerKey>,
}

struct AnswerKey {
    key: String,
    label: &'static str,
    button: Option<Button>,
}

/// Rows of a question without its answers.
const MOST_ROWS: usize = 2;

/// Rows that the question takes; none without one.
pub(super) fn rows(app: &App, columns: u16) -> u16 {
    match question(app) {
        None => 0,
        Some(question) if question.width() <= columns.into() => 1,
        Some(question) => cells(question.rows(columns.into()).len()) + 1,
    }
}

/// Where the answers stand.
pub(in crate::screen) fn prompt_buttons(app: &App, area: Rect) -> Vec<(Rect, Button)> {
    let Some(question) = question(app) else {
        return Vec::new();
    };
    let mut x = question.answers_at(area);
    let y = area.bottom().saturating_sub(1);
    let mut buttons = Vec::new();
    for answer in &question.answers {
        let wide = cells(answer.width());
        let place = Rect { x, y, width: wide, height: 1 };
        buttons.extend(answer.button.map(|button| (place, button)));
        x = x.saturating_add(wide);
    }
    buttons
}

pub(super) fn draw(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let Some(question) = question(app) else {
        return;
    };
    let (style, key_style) =
        (app.theme.style(StyleRole::Prompt), app.theme.style(StyleRole::PromptKey));
    painter.fill(area, style);
    let room = if area.height > 1 { area.width } else { question.answers_at(area) };
    let rows = question.rows(room.into());
    for (row, y) in rows.iter().zip(area.y..area.bottom()) {
        painter.text(area.x, y, area.right(), &sentence(row), style);
    }
    let mut x = question.answers_at(area);
    let y = area.bottom().saturating_sub(1);
    for answer in &question.answers {
        let spans = [
            Span::styled(" ", style),
            Span::styled(answer.key.as_str(), key_style),
            Span::styled(" ", style),
            Span::styled(answer.label, style),
            Span::styled(" ", style),
        ];
        x = painter.spans(x, y, area.right(), &spans);
    }
}

impl QuestionView {
    /// The question for this many columns; what does not fit into its last row is left out.
    fn rows(&self, columns: usize) -> Vec<String> {
        let room = columns.saturating_sub(1);
        let text = self.text.trim_start();
        let mut rows: Vec<_> = wrap(text, room, room);
        if let Some(last) = rows.get_mut(MOST_ROWS - 1) {
            last.end = text.len();
        }
        rows.truncate(MOST_ROWS);
        let row = |range| format!(" {}", shorten(text.get(range).unwrap_or(""), room));
        rows.into_iter().map(row).collect()
    }

    fn width(&self) -> usize {
        width(&self.text) + self.answers_width()
    }

    fn answers_width(&self) -> usize {
        self.answers.iter().map(AnswerKey::width).sum()
    }

    fn answers_at(&self, area: Rect) -> u16 {
        if area.height > 1 {
            return area.x;
        }
        area.right().saturating_sub(cells(self.answers_width()))
    }
}

impl AnswerKey {
    fn width(&self) -> usize {
        width(&self.key) + width(self.label) + 3
    }
}

fn question(app: &App) -> Option<QuestionView> {
    match &app.modal {
        Some(Modal::Paste(open)) => return Some(paste(app, open)),
        Some(Modal::Leave) => {
            let text = app.under_way().unwrap_or_else(|| "Transfers are running".into());
            let quit = app.keys.key(KeyAction::Quit).unwrap_or_default();
            return Some(QuestionView {
                text: format!(" {text}."),
                answers: vec![
                    fixed(&quit, "cancels them and quits"),
                    fixed("any other key", "stays"),
                ],
            });
        }
        Some(Modal::CloseTab { peer, .. }) => {
            return Some(QuestionView {
                text: format!(" Close the private session with {peer}?"),
                answers: vec![
                    fixed(&submit_key(app), "closes it"),
                    fixed("any other key", "keeps it"),
                ],
            });
        }
        Some(Modal::Servers(_) | Modal::SignIn(_)) => return None,
        _ => {}
    }
    app.prompts.first().map(|ask| asked(app, ask))
}

fn asked(app: &App, ask: &Prompt) -> QuestionView {
    let from = ask.from();
    let (text, yes, no) = match ask {
        Prompt::Private { .. } => {
            (format!(" {from} requests a private session; a file may follow"), "accept", "decline")
        }
        Prompt::Move { address, .. } => {
            let text = format!(" {from} is said to be at {address} now. Talk with that address?");
            (text, "accept", "decline")
        }
        Prompt::File { id, what, size, address, free, .. } => {
            let free = match free {
                Some(free) if size.is_some_and(|size| *free < size) => {
                    format!(", but only {} free", bytes(*free))
                }
                Some(free) => format!(", {} free", bytes(*free)),
                None => String::new(),
            };
            let what = sanitize(what);
            let text =
                format!(" {from} offers {what}#{id}, {}{free}, from {address}", total(*size));
            (text, "take", "refuse")
        }
    };
    let key = |action| app.keys.key(action).unwrap_or_default();
    let answer =
        |action, label, button| AnswerKey { key: key(action), label, button: Some(button) };
    let mut answers = vec![
        answer(KeyAction::Accept, yes, Button::Accept),
        answer(KeyAction::Decline, no, Button::Decline),
    ];
    let others = app.prompts.count() - 1;
    let text = if others > 0 {
        answers.push(answer(KeyAction::Later, "next", Button::Later));
        format!("{text} (+{others})")
    } else {
        text
    };
    QuestionView { text, answers }
}

fn paste(app: &App, paste: &Paste) -> QuestionView {
    let text = paste.text.as_str();
    let (mut count, mut messages) = (0, 0);
    for line in lines_of(text) {
        count += 1;
        messages += split_line(line).len();
    }
    let things = match (count, messages) {
        (1, _) => format!("1 line as {messages} messages"),
        (lines, messages) if lines == messages => format!("{lines} lines"),
        (lines, messages) => format!("{lines} lines as {messages} messages"),
    };
    let choices = app.paste_choices(paste);
    let asked = if let Some(file) = &paste.file {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name = sanitize(&name);
        match app.tab().and_then(|tab| tab.peer()) {
            Some(peer) => format!(" That is a file. Send {name} to {peer}, or its path as text?"),
            None => format!(
                " {name} is a file, which can only be sent to one person. Send it, or its path as text?"
            ),
        }
    } else if text.len() > MAX_INPUT {
        let hint = if choices.is_empty() { "; a private tab can send it as a file" } else { "" };
        format!(" {} pasted, too much to send as messages{hint}.", bytes_of(text))
    } else if choices.contains(&PasteChoice::Send) {
        format!(" Send {things}?")
    } else {
        format!(" {count} lines pasted.")
    };
    let selected = choices.iter().position(|choice| Some(*choice) == paste.choice);
    let next = selected.map_or(0, |at| (at + 1) % choices.len().max(1));
    let mut answers: Vec<_> = choices
        .iter()
        .enumerate()
        .map(|(at, choice)| {
            let key = match at {
                at if Some(at) == selected => submit_key(app),
                at if at == next => "Tab".into(),
                _ => String::new(),
            };
            fixed(&key, choice.label())
        })
        .collect();
    answers.push(fixed("Esc", "cancel"));
    QuestionView { text: asked, answers }
}

fn submit_key(app: &App) -> String {
    app.keys.key(KeyAction::Submit).unwrap_or_default()
}

fn bytes_of(text: &str) -> String {
    bytes(u64::try_from(text.len()).unwrap_or(u64::MAX))
}

fn fixed(key: &str, label: &'static str) -> AnswerKey {
    AnswerKey { key: key.to_owned(), label, button: None }
}
