//! What a sensor message must satisfy beyond being well-formed.

use cerebellum_messages::{Frame, JointState};

/// Checks that an image has as many bytes as its size says.
///
/// # Errors
/// What was expected and found, for a log.
pub fn check_frame(frame: &Frame) -> Result<(), String> {
    let (width, height) = (frame.width, frame.height);
    // In u64: a product of two hostile u32 and 3 fits except at the very top.
    let expected = u64::from(width)
        .saturating_mul(u64::from(height))
        .saturating_mul(3);
    if width == 0 || height == 0 {
        return Err(format!("an image of {width}x{height} pixels"));
    }
    if frame.data.len() as u64 != expected {
        let found = frame.data.len();
        return Err(format!(
            "{found} bytes in an rgb8 image of {width}x{height}, expected {expected}"
        ));
    }
    Ok(())
}

/// Checks that every joint has a name, a finite position, and a finite velocity and effort where
/// those are given.
///
/// # Errors
/// What was expected and found, for a log.
pub fn check_joints(joints: &JointState) -> Result<(), String> {
    let names = joints.names.len();
    if joints.position.len() != names {
        let found = joints.position.len();
        return Err(format!("{found} positions for {names} joint names"));
    }
    let optional = [
        ("velocities", &joints.velocity),
        ("efforts", &joints.effort),
    ];
    for (what, values) in optional {
        if !values.is_empty() && values.len() != names {
            let found = values.len();
            return Err(format!("{found} {what} for {names} joint names"));
        }
    }
    let mut all = joints.position.iter().chain(&joints.velocity);
    if all.any(|x| !x.is_finite()) {
        return Err("a joint position or velocity that is not finite".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cerebellum_messages::Stamp;

    use super::*;

    fn frame(width: u32, height: u32, bytes: usize) -> Frame {
        Frame {
            camera: "front".to_owned(),
            stamp: Stamp::default(),
            width,
            height,
            data: Arc::from(vec![0; bytes]),
        }
    }

    #[test]
    fn images_must_fill_their_size() {
        assert_eq!(check_frame(&frame(2, 2, 12)), Ok(()));
        assert!(check_frame(&frame(2, 2, 11)).is_err());
        assert!(check_frame(&frame(0, 2, 0)).is_err());
        assert!(check_frame(&frame(u32::MAX, u32::MAX, 12)).is_err());
    }

    #[test]
    fn joints_must_be_complete_and_finite() {
        let good = JointState {
            names: vec!["joint1".to_owned()],
            position: vec![0.0],
            ..JointState::default()
        };
        assert_eq!(check_joints(&good), Ok(()));
        let mut bad = good.clone();
        bad.velocity = vec![0.0, 0.0];
        assert!(check_joints(&bad).is_err());
        bad.velocity = vec![f64::INFINITY];
        assert!(check_joints(&bad).is_err());
        bad = good;
        bad.position.clear();
        assert!(check_joints(&bad).is_err());
    }
}
