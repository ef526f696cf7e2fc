//! Reading the settings, at the start and again while the server runs.

use matou_actors::server::{Running, ServerSettings};
use slog::{Logger, error, info, warn};

use super::descriptors::{self, Descriptors};
use super::notify;
use crate::arguments::ServerArguments;
use crate::logging::{Log, shifted};
use crate::settings::{SettingsError, load_server};

/// Where the settings come from: the same file, environment and flags each time.
pub(super) struct Source<'a> {
    arguments: &'a ServerArguments,
    descriptors: Descriptors,
}

impl<'a> Source<'a> {
    /// `descriptors` is what the process had when it started.
    pub(super) fn new(arguments: &'a ServerArguments, descriptors: Descriptors) -> Self {
        Self { arguments, descriptors }
    }

    /// The settings as they are now.
    pub(super) fn read(&self) -> Result<ServerSettings, SettingsError> {
        let (file, flags) = (self.arguments.config.as_deref(), self.arguments.flags());
        let mut settings = load_server(file, std::env::vars_os().collect(), &flags)?;
        let steps = self.arguments.loudness.steps();
        settings.log.level = shifted(settings.log.level, steps);
        Ok(settings)
    }

    /// Lowers what the process has too few descriptors for.
    pub(super) fn fit(&self, settings: &mut ServerSettings, logger: &Logger) {
        descriptors::fit(settings, self.descriptors, logger);
    }

    /// Applies the settings as they are now: all that can change, or, when one of them is wrong,
    /// none. Returns the keys that differ and need a restart, or what is wrong.
    pub(super) fn reload(
        &self,
        running: &mut Running,
        log: &Log,
    ) -> Result<Vec<&'static str>, String> {
        notify::reloading(&log.logger);
        let outcome = self.read().map_err(|error| error.to_string()).and_then(|mut settings| {
            self.fit(&mut settings, &log.logger);
            let kept = running.reload(&settings).map_err(|error| error.to_string())?;
            Ok((kept, settings.log.level))
        });
        notify::ready(&log.logger);
        // Told at the old level: a server that becomes quiet says that first.
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
