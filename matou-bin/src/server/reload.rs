//! Reads the settings, at start and on reload.

use matou_actors::server::{RunningServer, ServerSettings};
use slog::{Logger, error, info, warn};

use super::descriptors::{self, Descriptors};
use super::notify;
use crate::arguments::ServerArguments;
use crate::input::home;
use crate::logging::{Log, shifted};
use crate::settings::{SettingsError, load_server};

/// The sources of the settings: the same file, environment and flags each time.
pub(super) struct ReloadSource<'a> {
    arguments: &'a ServerArguments,
    descriptors: Descriptors,
}

impl<'a> ReloadSource<'a> {
    /// `descriptors` is the state at process start.
    pub(super) fn new(arguments: &'a ServerArguments, descriptors: Descriptors) -> Self {
        Self { arguments, descriptors }
    }

    /// Reads the current settings.
    pub(super) fn read(&self) -> Result<ServerSettings, SettingsError> {
        let (file, flags) = (self.arguments.config.as_deref(), self.arguments.flags());
        let mut settings =
            load_server(file, std::env::vars_os().collect(), &flags, home().as_deref())?;
        let steps = self.arguments.verbosity.steps();
        settings.log.level = shifted(settings.log.level, steps);
        Ok(settings)
    }

    /// Lowers the limits that exceed the available descriptors.
    pub(super) fn fit(&self, settings: &mut ServerSettings, logger: &Logger) {
        descriptors::fit(settings, self.descriptors, logger);
    }

    /// Applies the current settings: everything that can change at runtime, or, if any setting is
    /// invalid, nothing. Returns the changed keys that need a restart, or the error.
    pub(super) fn reload(
        &self,
        running: &mut RunningServer,
        log: &Log,
    ) -> Result<Vec<&'static str>, String> {
        notify::reloading(&log.logger);
        let outcome = self.read().map_err(|error| error.to_string()).and_then(|mut settings| {
            self.fit(&mut settings, &log.logger);
            let kept = running.reload(&settings).map_err(|error| error.to_string())?;
            Ok((kept, settings.log.level))
        });
        notify::ready(&log.logger);
        // Logged at the old level, so that a change to a quieter level is still reported.
        match outcome.as_ref().map(|(kept, _)| kept) {
            Ok(kept) if kept.is_empty() => info!(log.logger, "reloaded"),
            Ok(kept) => warn!(log.logger, "reloaded; some keys need a restart";
                "keys" => kept.join(", ")),
            Err(reason) => error!(log.logger, "not reloaded; the old settings stay";
                "reason" => reason),
        }
        let (kept, level) = outcome?;
        log.set_level(level);
        Ok(kept)
    }
}
