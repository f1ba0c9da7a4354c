//! A segment of experience as bytes.
//!
//! CDR fields, as on the wire, then the BLAKE3 hash of all that came before. Images that several
//! records share are stored once. The number of records comes from the file, so reading one never
//! trusts a length: the hash is checked first, and the reader checks every length against what is
//! there.

use std::sync::Arc;

use cerebellum_messages::cdr::{Reader, Writer};
use cerebellum_messages::{
    DecodeError, Frame, Goal, JointState, Message as _, Observation, Stamp, TcpPose, Tick, limits,
};

use super::record::Record;

/// First field of every file; another format would have another.
const FORMAT: &str = "cerebellum experience 1";
/// Most records and images of a file, and cameras of a record.
const MOST: usize = 1 << 20;
const HASH: usize = blake3::OUT_LEN;

/// Why bytes are not a segment.
#[derive(Debug, thiserror::Error)]
pub(super) enum SegmentError {
    #[error("cut short or changed: its hash is not that of its content")]
    Hash,
    #[error("of another format: `{0}`")]
    Format(String),
    #[error("image {0} is not in the file")]
    Image(u32),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// The segment as bytes. All records have the goal and episode of the first.
pub(super) fn encode(records: &[Record]) -> Vec<u8> {
    let mut images: Vec<&Arc<[u8]>> = Vec::new();
    let mut buffer = Vec::new();
    let mut writer = Writer::new(&mut buffer);
    writer.text(FORMAT);
    let (goal, episode) = records.first().map_or_else(
        || (Vec::new(), 0),
        |first| (first.goal.encode(), first.episode),
    );
    writer.bytes(&goal);
    writer.u64(episode);
    writer.length(records.len());
    let mut scratch = Vec::new();
    for record in records {
        let seen = &record.observation;
        writer.u64(seen.tick.0);
        writer.u64(seen.stamp.nanos().cast_unsigned());
        seen.joints.encode_into(&mut scratch);
        writer.bytes(&scratch);
        write_pose(&mut writer, seen.tcp.as_ref());
        writer.f32s(&record.action);
        writer.length(seen.frames.len());
        for frame in &seen.frames {
            // Shared images are those of neighbours: the newest are looked at first.
            let known = images
                .iter()
                .rposition(|image| Arc::ptr_eq(image, &frame.data));
            let index = known.unwrap_or_else(|| {
                images.push(&frame.data);
                images.len() - 1
            });
            writer.text(&frame.camera);
            writer.u64(frame.stamp.nanos().cast_unsigned());
            writer.u32(frame.width);
            writer.u32(frame.height);
            writer.u32(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }
    writer.length(images.len());
    for image in images {
        writer.bytes(image);
    }
    let hash = blake3::hash(&buffer);
    buffer.extend_from_slice(hash.as_bytes());
    buffer
}

/// The records of a segment.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Record>, SegmentError> {
    let (content, hash) = bytes.split_last_chunk::<HASH>().ok_or(SegmentError::Hash)?;
    if blake3::hash(content) != *hash {
        return Err(SegmentError::Hash);
    }
    let mut reader = Reader::new("experience", content)?;
    let format = reader.text("format", limits::MAX_TEXT_BYTES)?;
    if format != FORMAT {
        return Err(SegmentError::Format(format.to_owned()));
    }
    let goal = reader.bytes("goal", limits::MAX_IMAGE_BYTES)?;
    let episode = reader.u64("episode")?;
    let count = reader.length("records", 1, MOST)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let goal = Arc::new(Goal::decode(goal)?);
    let mut drafts = Vec::new();
    for _ in 0..count {
        drafts.push(read_record(&mut reader)?);
    }
    let count = reader.length("images", 4, MOST)?;
    let images = (0..count)
        .map(|_| Ok(Arc::from(reader.bytes("image", limits::MAX_IMAGE_BYTES)?)))
        .collect::<Result<Vec<Arc<[u8]>>, DecodeError>>()?;
    reader.finish()?;
    drafts
        .into_iter()
        .map(|draft| {
            let Draft {
                mut observation,
                action,
                images: wanted,
            } = draft;
            for (frame, index) in observation.frames.iter_mut().zip(wanted) {
                let image = images.get(index as usize);
                frame.data = Arc::clone(image.ok_or(SegmentError::Image(index))?);
            }
            Ok(Record {
                observation: Arc::new(observation),
                action: action.into(),
                goal: Arc::clone(&goal),
                episode,
            })
        })
        .collect()
}

/// A record whose images have not been read yet.
struct Draft {
    observation: Observation,
    action: Vec<f32>,
    /// Per frame, the index of its image.
    images: Vec<u32>,
}

fn read_record(reader: &mut Reader<'_>) -> Result<Draft, DecodeError> {
    let tick = Tick(reader.u64("tick")?);
    let stamp = read_stamp(reader)?;
    let joints = JointState::decode(reader.bytes("joints", limits::MAX_IMAGE_BYTES)?)?;
    let tcp = read_pose(reader)?;
    let action = reader.f32s("action", limits::MAX_ACTION_VALUES)?;
    let count = reader.length("frames", 4, MOST)?;
    let (mut frames, mut images) = (Vec::new(), Vec::new());
    for _ in 0..count {
        frames.push(Frame {
            camera: reader.text("camera", limits::MAX_TEXT_BYTES)?.to_owned(),
            stamp: read_stamp(reader)?,
            width: reader.u32("width")?,
            height: reader.u32("height")?,
            data: Arc::default(),
        });
        images.push(reader.u32("image index")?);
    }
    Ok(Draft {
        observation: Observation {
            tick,
            stamp,
            frames,
            joints,
            tcp,
            world: Vec::new(),
        },
        action,
        images,
    })
}

fn read_stamp(reader: &mut Reader<'_>) -> Result<Stamp, DecodeError> {
    Ok(Stamp(reader.u64("stamp")?.cast_signed()))
}

fn write_pose(writer: &mut Writer<'_>, pose: Option<&TcpPose>) {
    let Some(pose) = pose else {
        return writer.f64s(&[]);
    };
    let [x, y, z] = pose.position;
    let [i, j, k, w] = pose.orientation;
    writer.f64s(&[x, y, z, i, j, k, w]);
}

fn read_pose(reader: &mut Reader<'_>) -> Result<Option<TcpPose>, DecodeError> {
    let numbers = reader.f64s("tool pose", 7)?;
    let Ok([x, y, z, i, j, k, w]) = <[f64; 7]>::try_from(numbers) else {
        return Ok(None);
    };
    Ok(Some(TcpPose {
        position: [x, y, z],
        orientation: [i, j, k, w],
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::super::testing::record;
    use super::*;

    fn segment() -> Vec<Record> {
        let mut records: Vec<_> = (0..6).map(|tick| record(tick, 1.0)).collect();
        // The second record shows the images of the first.
        let mut seen = (*records[1].observation).clone();
        seen.frames.clone_from(&records[0].observation.frames);
        seen.tcp = Some(TcpPose {
            position: [0.1, 0.2, 0.3],
            orientation: [0.0, 0.0, 0.6, 0.8],
        });
        records[1].observation = Arc::new(seen);
        records
    }

    #[test]
    fn experience_survives_bit_for_bit() {
        let records = segment();
        let bytes = encode(&records);
        let again = decode(&bytes).unwrap();
        assert_eq!(again.len(), records.len());
        for (a, b) in records.iter().zip(&again) {
            assert_eq!(a.observation, b.observation);
            assert_eq!(
                (&a.action, &a.goal, a.episode),
                (&b.action, &b.goal, b.episode)
            );
        }
        let image = |index: usize| &again[index].observation.frames[0].data;
        assert!(Arc::ptr_eq(image(0), image(1)));
        assert!(decode(&encode(&[])).unwrap().is_empty());
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let bytes = encode(&segment());
        for end in [0, 5, HASH, bytes.len() / 2, bytes.len() - 1] {
            assert!(matches!(decode(&bytes[..end]), Err(SegmentError::Hash)));
        }
    }

    proptest! {
        /// Even content with a right hash may make no sense: it is refused without a panic.
        #[test]
        fn nonsense_with_a_right_hash_is_no_panic(at in 0usize..400, value in any::<u8>()) {
            let mut bytes = encode(&segment());
            bytes.truncate(bytes.len() - HASH);
            let index = at % bytes.len();
            bytes[index] = value;
            let hash = blake3::hash(&bytes);
            bytes.extend_from_slice(hash.as_bytes());
            drop(decode(&bytes));
        }
    }
}
