//! Matou's movers and the bare loop in short turns, many times: their ratio, on a machine whose
//! speed changes from second to second.
//!
//! A single move of 2 GiB takes long enough for the machine to be another one at its end. Here a
//! turn takes a fraction of a second, its neighbours are what it is compared with, and the bare
//! loop takes a second turn in every round: what that differs from the first is what this machine
//! cannot tell apart.

use std::fs::File;
use std::io::Seek;
use std::time::Instant;

use nix::sys::resource::UsageWho;

use super::mover::{self, Mover};
use super::{Extent, Ground, cpu};
use crate::error::{BenchError, Context, Outcome};
use crate::scenario::Figures;
use crate::session::{Run, Session};

/// The scenario's name among the results.
pub(crate) const PAIRED: &str = "files-paired";
/// The bare loop's second turn in a round.
const CONTROL: &str = "bare, once more";
/// Rounds for each round of the large file.
const TURNS: usize = 30;
const MOST_MEBIBYTES: u64 = 512;

/// Bare, Matou, bare again, in changing order.
pub(super) fn run(session: &mut Session, extent: Extent) -> Outcome<()> {
    let ground = Ground::new(extent.mebibytes.min(MOST_MEBIBYTES))?;
    let turns = [
        (Mover::Splice, Mover::Splice.title()),
        (Mover::Matou, Mover::Matou.title()),
        (Mover::Splice, CONTROL),
    ];
    // The copy stays, and is written over: memory that the kernel has to find, and perhaps the
    // hypervisor to give, is nothing that the movers differ in.
    move_over(Mover::Splice, &ground)?;
    for round in 0..extent.rounds * TURNS {
        for (mover, subject) in turns.iter().cycle().skip(round % turns.len()).take(turns.len()) {
            let (figures, failure) = match move_over(*mover, &ground) {
                Ok(figures) => (figures, None),
                Err(error) => (Figures::default(), Some(error.to_string())),
            };
            let (scenario, subject) = (PAIRED.to_owned(), (*subject).to_owned());
            session.runs.push(Run { scenario, subject, round, figures, failure });
        }
    }
    Ok(())
}

fn move_over(mover: Mover, ground: &Ground) -> Outcome<Figures> {
    let copy = File::options().write(true).create(true).truncate(false).open(ground.copy(0));
    let mut copy = copy.context("open the copy")?;
    let (start, before) = (Instant::now(), cpu(UsageWho::RUSAGE_SELF)?);
    mover::pair(mover, &ground.source(), &copy, ground.size())?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu(UsageWho::RUSAGE_SELF)? - before;
    // The length says nothing: the copy was there before.
    let written = copy.stream_position().context("look at the copy")?;
    if written != ground.size() {
        return Err(BenchError::Invalid(format!("{written} bytes came of {}", ground.size())));
    }
    Ok(ground.figures(seconds, cpu))
}
