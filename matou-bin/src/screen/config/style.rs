//! What is drawn, and in how many colours.

use serde::Deserialize;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(crate) enum Role {
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
pub(crate) const ROLES: &[(Role, &str)] = &[
    (Role::Text, "text"),
    (Role::Dim, "dim"),
    (Role::Own, "own"),
    (Role::Mention, "mention"),
    (Role::Notice, "notice"),
    (Role::Error, "error"),
    (Role::Presence, "presence"),
    (Role::Day, "day"),
    (Role::Unread, "unread"),
    (Role::Tab, "tab"),
    (Role::TabActive, "tab_active"),
    (Role::TabUnread, "tab_unread"),
    (Role::TabUrgent, "tab_urgent"),
    (Role::Status, "status"),
    (Role::StatusWarning, "status_warning"),
    (Role::Prompt, "prompt"),
    (Role::PromptKey, "prompt_key"),
    (Role::Gauge, "gauge"),
    (Role::Match, "match"),
    (Role::Selected, "selected"),
    (Role::Heading, "heading"),
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
