//! `sensor_msgs/Image`.

use super::pixels::{Encoding, to_rgb8};
use super::std_msgs::{read_header, write_header};
use crate::cdr::{DecodeError, Reader, Writer};
use crate::limits::{MAX_IMAGE_BYTES, MAX_IMAGE_SIDE, MAX_TEXT_BYTES};
use crate::{Frame, Message, Stamp};

/// Writes the fields of an image, header first.
pub(super) fn write_image(writer: &mut Writer<'_>, frame: &Frame) {
    write_header(writer, frame.stamp, &frame.camera);
    writer.u32(frame.height);
    writer.u32(frame.width);
    writer.text("rgb8");
    writer.u8(0);
    // Saturates only for a width that no receiver accepts.
    writer.u32(frame.width.saturating_mul(3));
    writer.bytes(&frame.data);
}

/// An image as it lies in a payload, not yet checked.
#[derive(Debug)]
pub(super) struct RawImage<'a> {
    message: &'static str,
    stamp: Stamp,
    camera: &'a str,
    width: u32,
    height: u32,
    encoding: &'a str,
    step: u32,
    data: &'a [u8],
}

impl<'a> RawImage<'a> {
    /// Reads the fields of an image, header first. Allocates nothing.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let message = reader.message();
        let (stamp, camera) = read_header(reader)?;
        let height = reader.u32("height")?;
        let width = reader.u32("width")?;
        let encoding = reader.text("encoding", MAX_TEXT_BYTES)?;
        // Samples are single bytes, so their order does not matter.
        reader.u8("is_bigendian")?;
        let step = reader.u32("step")?;
        let data = reader.bytes("data", MAX_IMAGE_BYTES)?;
        Ok(Self {
            message,
            stamp,
            camera,
            width,
            height,
            encoding,
            step,
            data,
        })
    }

    /// The image as `rgb8` without padding, if its sizes agree and its encoding is known.
    pub(super) fn into_frame(self) -> Result<Frame, DecodeError> {
        let message = self.message;
        let encoding = Encoding::from_name(self.encoding).ok_or_else(|| DecodeError::Encoding {
            message,
            found: self.encoding.chars().take(32).collect(),
        })?;
        self.check_limits()?;
        // Both sides are at most 2^14, so the products of two below do not overflow.
        let (columns, rows, step) = (
            self.width as usize,
            self.height as usize,
            self.step as usize,
        );
        let row = columns * encoding.channels();
        if step < row {
            return Err(DecodeError::Value {
                message,
                field: "step",
                found: step as u64,
                expected: "at least the bytes of one row",
            });
        }
        // The padding of the last row may be left out.
        let full = step.saturating_mul(rows);
        let least = full.saturating_sub(if rows == 0 { 0 } else { step - row });
        if !(least..=full).contains(&self.data.len()) {
            return Err(DecodeError::Value {
                message,
                field: "data",
                found: self.data.len() as u64,
                expected: "height * step bytes",
            });
        }
        Ok(Frame {
            camera: self.camera.to_owned(),
            stamp: self.stamp,
            width: self.width,
            height: self.height,
            data: to_rgb8(encoding, columns, step, self.data),
        })
    }

    fn check_limits(&self) -> Result<(), DecodeError> {
        let check = |field, found: u64, limit: usize| {
            if found > limit as u64 {
                return Err(DecodeError::TooLong {
                    message: self.message,
                    field,
                    found,
                    limit,
                });
            }
            Ok(())
        };
        check("width", self.width.into(), MAX_IMAGE_SIDE as usize)?;
        check("height", self.height.into(), MAX_IMAGE_SIDE as usize)?;
        let kept = Frame::expected_len(self.width, self.height);
        check("data", kept as u64, MAX_IMAGE_BYTES)
    }
}

impl Message for Frame {
    const ROS_TYPE: &'static str = "sensor_msgs/msg/Image";
    const TYPE_HASH: &'static str =
        "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47";

    fn encode_into(&self, buffer: &mut Vec<u8>) {
        write_image(&mut Writer::new(buffer), self);
    }

    /// Accepts `rgb8`, `bgr8`, `rgba8`, `bgra8` and `mono8`, rows padded or not; all become `rgb8`.
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::ROS_TYPE, payload)?;
        let image = RawImage::read(&mut reader)?;
        reader.finish()?;
        image.into_frame()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;

    /// An image message with any encoding and step.
    fn image(width: u32, height: u32, encoding: &str, step: u32, data: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        let mut writer = Writer::new(&mut buffer);
        write_header(&mut writer, Stamp::from_nanos(7), "front");
        writer.u32(height);
        writer.u32(width);
        writer.text(encoding);
        writer.u8(0);
        writer.u32(step);
        writer.bytes(data);
        buffer
    }

    /// Worked out by hand: offsets in the comments count from the end of the CDR header.
    #[test]
    fn bytes_of_an_image() {
        let frame = Frame {
            camera: "cam".to_owned(),
            stamp: Stamp::from_nanos(1_000_000_002),
            width: 2,
            height: 1,
            data: Arc::from([1, 2, 3, 4, 5, 6]),
        };
        #[rustfmt::skip]
        let expected = [
            0x00, 0x01, 0x00, 0x00,
            0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, // 0: stamp
            0x04, 0x00, 0x00, 0x00, b'c', b'a', b'm', 0x00, // 12: frame id
            0x01, 0x00, 0x00, 0x00,                         // 20: height
            0x02, 0x00, 0x00, 0x00,                         // 24: width
            0x05, 0x00, 0x00, 0x00, b'r', b'g', b'b', b'8', 0x00, // 28: encoding
            0x00, 0x00, 0x00,                               // 37: is_bigendian, gap to 40
            0x06, 0x00, 0x00, 0x00,                         // 40: step
            0x06, 0x00, 0x00, 0x00, 1, 2, 3, 4, 5, 6,       // 44: data
        ];
        assert_eq!(frame.encode(), expected);
        assert_eq!(Frame::decode(&expected), Ok(frame));
    }

    #[test]
    fn all_encodings_become_rgb() {
        let pixels = |encoding, step, data: &[u8]| {
            let frame = Frame::decode(&image(2, 1, encoding, step, data)).unwrap();
            frame.data.to_vec()
        };
        let rgb = [1, 2, 3, 4, 5, 6];
        assert_eq!(pixels("rgb8", 6, &rgb), rgb);
        assert_eq!(pixels("bgr8", 6, &[3, 2, 1, 6, 5, 4]), rgb);
        assert_eq!(pixels("rgba8", 8, &[1, 2, 3, 9, 4, 5, 6, 9]), rgb);
        assert_eq!(pixels("bgra8", 8, &[3, 2, 1, 9, 6, 5, 4, 9]), rgb);
        assert_eq!(pixels("mono8", 2, &[1, 2]), [1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn rows_may_be_padded() {
        for encoding in ["rgb8", "mono8"] {
            let whole = [1, 2, 3, 0, 0, 4, 5, 6, 0, 0];
            let width = if encoding == "rgb8" { 1 } else { 3 };
            let expected = Frame::decode(&image(width, 2, encoding, 5, &whole)).unwrap();
            assert_eq!(expected.data.len(), Frame::expected_len(width, 2));
            assert_eq!(expected.data[expected.data.len() - 1], 6);
            // The last row's padding may be missing, and no more.
            assert_eq!(
                Frame::decode(&image(width, 2, encoding, 5, &whole[..8])),
                Ok(expected)
            );
            assert!(Frame::decode(&image(width, 2, encoding, 5, &whole[..7])).is_err());
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let error = Frame::decode(&image(2, 1, "16UC1", 4, &[0; 4])).unwrap_err();
        assert!(error.to_string().contains("`16UC1`"), "{error}");
        let error = Frame::decode(&image(2, 1, "rgb8", 5, &[0; 5])).unwrap_err();
        assert!(error.to_string().contains("step"), "{error}");
        let error = Frame::decode(&image(2, 1, "rgb8", 6, &[0; 7])).unwrap_err();
        assert!(error.to_string().contains("height * step"), "{error}");
        let error = Frame::decode(&image(20_000, 0, "rgb8", 60_000, &[])).unwrap_err();
        assert!(error.to_string().contains("16384"), "{error}");
    }

    #[test]
    fn a_small_payload_cannot_make_a_large_image() {
        // One byte per pixel on the wire, three in memory.
        let data = vec![0; 16_384 * 2_048];
        let error = Frame::decode(&image(16_384, 2_048, "mono8", 16_384, &data)).unwrap_err();
        assert!(matches!(error, DecodeError::TooLong { .. }), "{error}");
        let error = Frame::decode(&image(16_384, 1_000, "mono8", 16_384, &[])).unwrap_err();
        assert!(matches!(error, DecodeError::Value { .. }), "{error}");
    }

    #[test]
    fn an_image_without_pixels_is_empty() {
        for (width, height, step) in [(0, 0, 0), (0, 3, 0), (3, 0, 9), (0, 3, 8)] {
            let frame = Frame::decode(&image(width, height, "rgb8", step, &[]));
            let expected_ok = height == 0 || step == 0;
            assert_eq!(
                frame.is_ok(),
                expected_ok,
                "{width} x {height}, step {step}"
            );
            if let Ok(frame) = frame {
                assert!(frame.data.is_empty());
            }
        }
    }
}
