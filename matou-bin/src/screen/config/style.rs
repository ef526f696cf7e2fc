//! What is drawn, and in how many colours.

use serde::Deserialize;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(crate) enum StyleRole {
    Text,
    Dim,
    Own,
    Mention,
    Notice,
    Error,
    Presence,
    Day,
    Unread,
    Tab,
    TabActive,
    TabUnread,
    TabUrgent,
    Status,
    StatusWarning,
    Prompt,
    PromptKey,
    Gauge,
    Match,
    Selected,
    Heading,
}

/// The roles with their names in the configuration.
pub(crate) const ROLES: &[(StyleRole, &str)] = &[
    (StyleRole::Text, "text"),
    (StyleRole::Dim, "dim"),
    (StyleRole::Own, "own"),
    (StyleRole::Mention, "mention"),
    (StyleRole::Notice, "notice"),
    (StyleRole::Error, "error"),
    (StyleRole::Presence, "presence"),
    (StyleRole::Day, "day"),
    (StyleRole::Unread, "unread"),
    (StyleRole::Tab, "tab"),
    (StyleRole::TabActive, "tab_active"),
    (StyleRole::TabUnread, "tab_unread"),
    (StyleRole::TabUrgent, "tab_urgent"),
    (StyleRole::Status, "status"),
    (StyleRole::StatusWarning, "status_warning"),
    (StyleRole::Prompt, "prompt"),
    (StyleRole::PromptKey, "prompt_key"),
    (StyleRole::Gauge, "gauge"),
    (StyleRole::Match, "match"),
    (StyleRole::Selected, "selected"),
    (StyleRole::Heading, "heading"),
];

/// How many colours may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Colors {
    /// What the terminal says of itself; none with `NO_COLOR`.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// None at all.
    #[serde(rename = "none")]
    None,
    /// The 16 of the terminal's own palette.
    #[serde(rename = "16")]
    Sixteen,
    /// The 256 of xterm.
    #[serde(rename = "256")]
    TwoHundred,
    /// Any.
    #[serde(rename = "true")]
    True,
}
