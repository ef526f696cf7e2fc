//! Which of the servers that were found is joined.

use super::found::FoundServer;

/// What to do after a search.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SearchChoice {
    /// This one, without a question.
    Join(usize),
    /// The user chooses.
    Ask,
    /// There is nothing to choose from.
    NoServer,
}

/// Chooses by itself only where there is one server, and never one whose key was not seen before
/// once the user knows others: it may be there to be mistaken for them.
pub(crate) fn choose(found: &[FoundServer], knows_servers: bool) -> SearchChoice {
    match found {
        [] => SearchChoice::NoServer,
        [only] if only.is_known() || !knows_servers => SearchChoice::Join(0),
        _ => SearchChoice::Ask,
    }
}

/// The number of the server that was typed, counted from 1 as in the list.
pub(crate) fn pick(typed: &str, found: &[FoundServer]) -> Option<usize> {
    let number: usize = typed.trim().parse().ok()?;
    let index = number.checked_sub(1)?;
    (index < found.len()).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::super::found::Place;
    use super::*;

    fn server(is_known: bool) -> FoundServer {
        let place = Place::new(([192, 0, 2, 1], 7).into());
        let known = if is_known { vec![place.clone()] } else { vec![] };
        FoundServer {
            name: "ship".into(),
            id: String::new(),
            cluster: String::new(),
            places: vec![place],
            known,
            keys: vec![],
            others: vec![],
        }
    }

    #[test]
    fn the_only_server_is_joined_if_it_is_known_or_none_is() {
        assert_eq!(choose(&[server(true)], true), SearchChoice::Join(0));
        assert_eq!(choose(&[server(false)], false), SearchChoice::Join(0));
    }

    #[test]
    fn an_unknown_server_is_never_joined_without_a_question_once_others_are_known() {
        assert_eq!(choose(&[server(false)], true), SearchChoice::Ask);
    }

    #[test]
    fn several_servers_are_a_question() {
        assert_eq!(choose(&[server(true), server(false)], true), SearchChoice::Ask);
        assert_eq!(choose(&[server(false), server(false)], false), SearchChoice::Ask);
    }

    #[test]
    fn without_a_server_there_is_no_choice() {
        assert_eq!(choose(&[], true), SearchChoice::NoServer);
    }

    #[test]
    fn numbers_count_from_1() {
        let found = [server(true), server(false)];
        assert_eq!(pick(" 2\n", &found), Some(1));
        for wrong in ["0", "3", "", "ship", "-1"] {
            assert_eq!(pick(wrong, &found), None, "{wrong}");
        }
    }
}
