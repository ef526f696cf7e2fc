//! Two deciding sides, without any file or socket, in every order of inputs.

mod disk;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use self::disk::Chosen;
use self::world::World;
use crate::exchange::messages::Report;
use crate::protocol::v2::MAX_DATA;

const SEEDS: u64 = 200;

fn some() -> [Chosen; 4] {
    [
        Chosen::file("film", 400_000),
        Chosen::file("empty", 0),
        Chosen::folder("trip", &[0, 1, 70_000, 4096, 200_000]),
        Chosen::folder("nothing", &[]),
    ]
}

/// Everything of `chosen` has arrived unchanged, each transfer has ended once, and no file is open.
fn check(world: &World, side: usize, chosen: &[Chosen], seed: u64) {
    for it in chosen {
        let there = world.sides[side].disk.whole.get(it.name);
        assert!(there == Some(&it.files), "{} with the seed {seed}", it.name);
    }
    ended_once(world, &format!("seed {seed}"));
}

fn ended_once(world: &World, what: &str) {
    for side in &world.sides {
        for transfer in side.begun() {
            assert_eq!(side.ends(transfer), 1, "{what}: {transfer}: {:?}", side.reports);
        }
        assert_eq!(side.open_files(), 0, "{what}");
    }
}

#[test]
fn everything_arrives_whatever_the_delays_of_the_two_connections() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for chosen in some() {
            world.offer(0, &chosen);
            world.offer(1, &chosen);
        }
        world.run();
        check(&world, 0, &some(), seed);
        check(&world, 1, &some(), seed);
    }
}

#[test]
fn an_interrupted_transfer_resumes_without_resending_present_pages() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let both = [Chosen::file("film", 400_000), Chosen::folder("trip", &[70_000; 9])];
        for _ in 0..3 {
            world.offer_missing(&both);
            for _ in 0..world.rng.usize(..400) {
                world.step();
            }
            world.cut();
        }
        let there: usize = both.iter().map(|chosen| world.sides[1].disk.size(chosen.name)).sum();
        let missing = both.iter().map(Chosen::size).sum::<usize>() - there;
        world.data = 0;
        world.offer_missing(&both);
        world.run();
        check(&world, 1, &both, seed);
        assert!(world.data <= missing + 4096, "{} of {missing}, seed {seed}", world.data);
    }
}

/// Runs a transfer of a file and a folder that are partly present, with an event at a step.
fn interrupted(at: usize, happens: impl Fn(&mut World)) -> World {
    let mut world = World::new(5);
    world.step = Duration::from_millis(10);
    let both = [Chosen::file("film", 600_000), Chosen::folder("trip", &[70_000; 8])];
    world.offer_missing(&both);
    while both.iter().any(|chosen| world.sides[1].come(chosen.name) < 130_000) {
        world.step();
    }
    world.cut();
    assert_eq!(world.sides[1].disk.parts.len(), 2, "both are there in part");
    world.offer_missing(&both);
    for _ in 0..at {
        world.step();
    }
    happens(&mut world);
    world.run();
    world
}

#[test]
fn a_cancel_at_any_step_ends_the_transfer_once_on_each_side_and_no_other() {
    for at in 0..200 {
        for side in 0..2 {
            for (cancelled, other) in [(1, "trip"), (3, "film")] {
                let world = interrupted(at, |world| world.cancel(side, cancelled));
                ended_once(&world, &format!("step {at}, side {side}, transfer {cancelled}"));
                assert!(world.sides[1].disk.whole.contains_key(other), "step {at}");
            }
        }
    }
}

#[test]
fn a_file_that_fails_at_any_job_ends_its_transfer_once_on_each_side_and_no_other() {
    let mut ended = BTreeMap::new();
    for job in 0..60 {
        let world = interrupted(0, |world| world.failing_job = Some(job));
        ended_once(&world, &format!("job {job}"));
        *ended.entry(world.sides[1].disk.whole.len()).or_insert(0) += 1;
    }
    // One that failed, or none where the failure only meant that something was sent again.
    assert!(ended.keys().all(|whole| [1, 2].contains(whole)), "{ended:?}");
    assert!(ended[&1] > 30, "{ended:?}");
}

#[test]
fn progress_is_reported_at_most_eight_times_a_second_and_at_the_end() {
    let mut world = World::new(1);
    world.step = Duration::from_millis(7);
    let film = Chosen::file("film", 200 * MAX_DATA);
    world.offer(0, &film);
    world.run();
    for side in &world.sides {
        let moved = side.reports.iter().filter_map(|(at, report)| match report {
            Report::Moved { moved, .. } => Some((*at, moved.bytes)),
            _ => None,
        });
        let moved: Vec<_> = moved.collect();
        let often = moved.windows(2).filter(|two| two[1].0 - two[0].0 < Duration::from_millis(125));
        assert!(moved.len() > 5 && often.count() <= 1, "all but the last: {moved:?}");
        assert_eq!(moved.last().unwrap().1, u64::try_from(film.size()).unwrap());
    }
}
