use super::*;

/// A line from text in which `|` is the cursor.
fn line(text: &str) -> InputLine {
    let cursor = text.find('|').unwrap();
    InputLine { text: text.replacen('|', "", 1), cursor, unsent: false }
}

fn shown(line: &InputLine) -> String {
    let mut text = line.text.clone();
    text.insert(line.cursor, '|');
    text
}

/// What `edit` makes of `before`.
fn after(before: &str, edit: impl FnOnce(&mut InputLine)) -> String {
    let mut line = line(before);
    edit(&mut line);
    shown(&line)
}

#[test]
fn moving_and_deleting_goes_by_graphemes() {
    assert_eq!(after("a👩\u{200d}👧|b", InputLine::left), "a|👩\u{200d}👧b");
    assert_eq!(after("a|e\u{301}b", InputLine::right), "ae\u{301}|b");
    assert_eq!(after("ae\u{301}|b", InputLine::backspace), "a|b");
    assert_eq!(after("a|👍🏽b", InputLine::delete), "a|b");
    assert_eq!(after("|a", InputLine::backspace), "|a");
    assert_eq!(after("a|", InputLine::delete), "a|");
}

#[test]
fn a_combining_mark_joins_the_letter_before_it() {
    assert_eq!(after("e|x", |l| assert!(l.insert("\u{301}"))), "e\u{301}|x");
}

#[test]
fn words_are_those_of_unicode() {
    assert_eq!(after("one two|", InputLine::word_left), "one |two");
    assert_eq!(after("one |two", InputLine::word_left), "|one two");
    assert_eq!(after("one| two, x", InputLine::word_right), "one two|, x");
    assert_eq!(after("one, two|", |l| assert_eq!(l.kill_word_left(), "two")), "one, |");
    assert_eq!(after("|one two", |l| assert_eq!(l.kill_word_right(), "one")), "| two");
}

#[test]
fn killing_returns_the_cut_text() {
    assert_eq!(after("ab|cd", |l| assert_eq!(l.kill_to_end(), "cd")), "ab|");
    assert_eq!(after("ab|cd", |l| assert_eq!(l.kill_to_start(), "ab")), "|cd");
    assert_eq!(after("a /b-c  |d", |l| assert_eq!(l.kill_blank_word(), "/b-c  ")), "a |d");
    assert_eq!(after("ab|\ncd", |l| assert_eq!(l.kill_to_end(), "\n")), "ab|cd");
}

#[test]
fn transposing_exchanges_graphemes() {
    assert_eq!(after("ab|", InputLine::transpose), "ba|");
    assert_eq!(after("a|bc", InputLine::transpose), "ba|c");
    assert_eq!(after("|ab", InputLine::transpose), "|ab");
    assert_eq!(after("a|", InputLine::transpose), "a|");
    assert_eq!(after("日e\u{301}|", InputLine::transpose), "e\u{301}日|");
}

#[test]
fn lines_are_walked_up_and_down() {
    assert_eq!(after("ab\nc|d", |l| assert!(l.up())), "a|b\ncd");
    assert_eq!(after("abc|\nd", |l| assert!(l.down())), "abc\nd|");
    assert_eq!(after("a|b", |l| assert!(!l.up() && !l.down())), "a|b");
    assert_eq!(after("ab\ncd|", InputLine::home), "ab\n|cd");
    assert_eq!(after("|ab\ncd", InputLine::end), "ab|\ncd");
}

#[test]
fn inserted_text_is_bounded_and_has_no_control_characters() {
    assert_eq!(
        after("|", |l| assert!(l.insert("a\tb\r\nc\rd\n\u{1b}[2Je"))),
        "a    b\nc\nd\n[2Je|"
    );
    let mut line = InputLine::default();
    assert!(!line.insert(&"é".repeat(MAX_INPUT)));
    assert!(line.text().len() <= MAX_INPUT);
}

#[test]
fn rows_break_at_the_width_and_follow_the_cursor() {
    let rows = line("日本|語\nab").rows(5);
    assert_eq!(
        rows,
        InputRows { rows: vec!["日本".into(), "語".into(), "ab".into()], cursor: (0, 1) }
    );
    assert_eq!(line("abcd|").rows(4).cursor, (0, 1));
    assert_eq!(line("a\n|").rows(4).cursor, (0, 1));
    assert_eq!(line("a\u{202e}|b").rows(20).rows, ["a<U+202E>b"]);
    assert_eq!(line("a\u{202e}|b").rows(20).cursor, (9, 0));
}

#[test]
fn a_click_puts_the_cursor_there() {
    assert_eq!(after("ab|cdef", |l| l.click(4, 1, 1)), "abcde|f");
    assert_eq!(after("|日本", |l| l.click(10, 3, 0)), "日本|");
    assert_eq!(after("|ab", |l| l.click(10, 9, 0)), "ab|");
}

proptest::proptest! {
    #[test]
    fn the_cursor_always_stands_between_graphemes(
        start in "[a-z \n日👩🏽\u{301}\u{200d}]{0,12}", edits in proptest::collection::vec(0u8..18, 0..30),
    ) {
        let mut line = InputLine::default();
        line.insert(&start);
        for edit in edits {
            match edit {
                0 => line.left(),
                1 => line.right(),
                2 => line.word_left(),
                3 => line.word_right(),
                4 => line.backspace(),
                5 => line.delete(),
                6 => line.transpose(),
                7 => drop(line.kill_to_end()),
                8 => drop(line.kill_to_start()),
                9 => drop(line.kill_blank_word()),
                10 => drop(line.kill_word_left()),
                11 => drop(line.kill_word_right()),
                12 => drop(line.up()),
                13 => drop(line.down()),
                14 => drop(line.insert("\u{301}")),
                15 => drop(line.insert("👩\u{200d}")),
                16 => line.home(),
                _ => line.end(),
            }
            let at = line.cursor;
            let boundary = at == line.text.len()
                || line.text.grapheme_indices(true).any(|(start, _)| start == at);
            proptest::prop_assert!(boundary, "{:?} {}", line.text, at);
            line.rows(7);
        }
    }
}
