//! Experience that survives a power cut.
//!
//! Each finished segment of the replay buffer is written to a file of its own and the file goes
//! when the segment does, so that the folder holds what the buffer holds, except for the segment
//! that is still growing. At start the files are read back in order.
//!
//! What was read back is trained on but never held back: an earlier run may have trained on it
//! already.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::LearnerError;
use super::files::{UNFINISHED, io, remove, write_bytes};
use super::replay::Replay;
use super::segment_file::{decode, encode};

const PREFIX: &str = "experience-";
const ENDING: &str = ".segment";

/// The files behind a replay buffer.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    /// Oldest first.
    files: VecDeque<Stored>,
    /// Number of the next file.
    serial: u64,
    /// Records before this number are on disk or were given up.
    stored: u64,
}

#[derive(Debug)]
struct Stored {
    serial: u64,
    /// Number after that of its last record.
    end: u64,
}

impl Spill {
    /// Opens, and creates where needed, a folder and reads what it holds into `replay`, which must
    /// be new. Files that are damaged are removed and said in `findings`.
    pub(super) fn open(
        folder: &Path,
        replay: &mut Replay,
        findings: &mut Vec<String>,
    ) -> Result<Self, LearnerError> {
        fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        let mut spill = Self {
            folder: folder.to_owned(),
            files: VecDeque::new(),
            serial: 0,
            stored: 0,
        };
        let mut serials = Vec::new();
        for entry in fs::read_dir(folder).map_err(|source| io(folder, source))? {
            let entry = entry.map_err(|source| io(folder, source))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(UNFINISHED) {
                findings.push(format!(
                    "{}: writing was cut short; removed",
                    entry.path().display()
                ));
                remove(&entry.path())?;
            } else if let Some(serial) = number(&name) {
                serials.push(serial);
            }
        }
        serials.sort_unstable();
        for serial in serials {
            spill.serial = serial + 1;
            spill.read(serial, replay, findings)?;
        }
        replay.seal();
        spill.stored = replay.next_number();
        spill.drop_gone(replay)?;
        Ok(spill)
    }

    fn read(
        &mut self,
        serial: u64,
        replay: &mut Replay,
        findings: &mut Vec<String>,
    ) -> Result<(), LearnerError> {
        let path = self.path(serial);
        let bytes = fs::read(&path).map_err(|source| io(&path, source))?;
        match decode(&bytes) {
            Ok(records) => {
                for record in records {
                    replay.push(record);
                }
                // Two files never grow into one segment.
                replay.close();
                self.files.push_back(Stored {
                    serial,
                    end: replay.next_number(),
                });
            }
            Err(error) => {
                findings.push(format!("{}: {error}; removed", path.display()));
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Whether a finished segment waits to be written.
    pub(super) fn due(&self, replay: &Replay) -> bool {
        replay.finished_from(self.stored).is_some()
    }

    /// Writes the oldest finished segment that is not on disk yet, and removes the files of those
    /// that have left the buffer.
    pub(super) fn store(&mut self, replay: &Replay) -> Result<(), LearnerError> {
        self.drop_gone(replay)?;
        let Some((first, records)) = replay.finished_from(self.stored) else {
            return Ok(());
        };
        let end = first + records.len() as u64;
        // Given up if it fails: a full disk must not be tried again for every segment at once.
        self.stored = end;
        let serial = self.serial;
        self.serial += 1;
        write_bytes(&self.path(serial), &encode(records))?;
        self.files.push_back(Stored { serial, end });
        Ok(())
    }

    fn drop_gone(&mut self, replay: &Replay) -> Result<(), LearnerError> {
        let oldest = replay.oldest_number();
        while let Some(file) = self.files.pop_front_if(|file| file.end <= oldest) {
            remove(&self.path(file.serial))?;
        }
        Ok(())
    }

    fn path(&self, serial: u64) -> PathBuf {
        self.folder.join(format!("{PREFIX}{serial:010}{ENDING}"))
    }
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?
        .strip_suffix(ENDING)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::replay::ReplayConfig;
    use super::super::testing::record;
    use super::*;

    fn replay(max_bytes: usize) -> Replay {
        Replay::new(ReplayConfig {
            max_bytes,
            segment_ticks: 10,
            held_back_ticks: 15,
            ..ReplayConfig::default()
        })
    }

    fn live(spill: &mut Spill, replay: &mut Replay, ticks: std::ops::Range<u64>) {
        for tick in ticks {
            replay.push(record(tick, 1.0));
            while spill.due(replay) {
                spill.store(replay).unwrap();
            }
        }
    }

    fn open(folder: &Path, max_bytes: usize) -> (Spill, Replay, Vec<String>) {
        let mut replay = replay(max_bytes);
        let mut findings = Vec::new();
        let spill = Spill::open(folder, &mut replay, &mut findings).unwrap();
        (spill, replay, findings)
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn finished_segments_come_back_for_training_only() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spill, mut before, _) = open(folder.path(), 1 << 20);
        live(&mut spill, &mut before, 0..34);
        drop((spill, before));
        let (mut spill, mut after, findings) = open(folder.path(), 1 << 20);
        assert_eq!(findings, [""; 0]);
        assert_eq!(after.stats().held, 30, "the fourth segment was growing");
        assert_eq!(after.count(&after.training(), 5), 3 * 6);
        assert_eq!(after.count(&after.held_back(), 1), 0);
        // It goes on: new records are held back until they are old enough.
        live(&mut spill, &mut after, 100..120);
        assert_eq!(after.count(&after.held_back(), 1), 15);
        assert_eq!(after.training().end, 35);
    }

    #[test]
    fn the_folder_holds_what_the_buffer_holds() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spill, mut replay, _) = open(folder.path(), 40 << 10);
        live(&mut spill, &mut replay, 0..600);
        assert!(replay.stats().dropped > 100);
        let segments = replay.stats().segments as usize;
        assert!(files(folder.path()).len().abs_diff(segments) <= 1);
        // A smaller buffer gives up the oldest files.
        drop(spill);
        let (_, smaller, _) = open(folder.path(), 20 << 10);
        assert_eq!(
            files(folder.path()).len(),
            smaller.stats().segments as usize
        );
    }

    #[test]
    fn damaged_files_are_removed_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spill, mut replay, _) = open(folder.path(), 1 << 20);
        live(&mut spill, &mut replay, 0..35);
        let stored = files(folder.path());
        assert_eq!(stored.len(), 3);
        let bytes = fs::read(&stored[1]).unwrap();
        fs::write(&stored[1], &bytes[..100]).unwrap();
        fs::write(folder.path().join(".unfinished-experience-7"), b"x").unwrap();
        let (_, after, findings) = open(folder.path(), 1 << 20);
        assert_eq!(findings.len(), 2);
        assert_eq!(after.stats().held, 20);
        assert_eq!(files(folder.path()).len(), 2);
    }
}
