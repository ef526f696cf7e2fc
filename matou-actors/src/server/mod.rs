//! The chat server.

mod settings;

pub use settings::{
    Admin, Limits, Log, LogFormat, LogLevel, Metrics, Network, Private, Room, ServerSettings,
    SettingError,
};
