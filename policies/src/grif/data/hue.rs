//! Hue and saturation of a color.

/// Hue in [0, 1), saturation and value of red, green and blue in [0, 1].
pub fn to_hsv([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let value = red.max(green).max(blue);
    let range = value - red.min(green).min(blue);
    let saturation = if value > 0.0 { range / value } else { 0.0 };
    let sixth = if range > 0.0 {
        1.0 / (6.0 * range)
    } else {
        0.0
    };
    let hue = if range <= 0.0 {
        0.0
    } else if red == value {
        sixth * (green - blue)
    } else if green == value {
        sixth * (blue - red) + 2.0 / 6.0
    } else {
        sixth * (red - green) + 4.0 / 6.0
    };
    [if hue < 0.0 { hue + 1.0 } else { hue }, saturation, value]
}

/// Red, green and blue of a hue, saturation and value.
pub fn to_rgb([hue, saturation, value]: [f32; 3]) -> [f32; 3] {
    let chroma = saturation * value;
    let low = value - chroma;
    let ramp = [
        (hue * 6.0 - 3.0).abs() - 1.0,
        2.0 - (hue * 6.0 - 2.0).abs(),
        2.0 - (hue * 6.0 - 4.0).abs(),
    ];
    ramp.map(|ramp| ramp.clamp(0.0, 1.0) * chroma + low)
}

/// A color with its hue turned by `delta` (a full turn is 1).
pub fn turn_hue(rgb: [f32; 3], delta: f32) -> [f32; 3] {
    let [hue, saturation, value] = to_hsv(rgb);
    let turned = hue + delta;
    to_rgb([turned - turned.floor(), saturation, value])
}

/// A color with its saturation times `factor`, at most 1.
pub fn scale_saturation(rgb: [f32; 3], factor: f32) -> [f32; 3] {
    let [hue, saturation, value] = to_hsv(rgb);
    to_rgb([hue, (saturation * factor).clamp(0.0, 1.0), value])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: [f32; 3], want: [f32; 3]) {
        assert!(
            got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6),
            "{got:?} {want:?}"
        );
    }

    #[test]
    fn known_colors() {
        close(to_hsv([1.0, 0.5, 0.5]), [0.0, 0.5, 1.0]);
        close(to_hsv([0.0, 0.0, 0.8]), [4.0 / 6.0, 1.0, 0.8]);
        close(to_hsv([0.5, 0.5, 0.5]), [0.0, 0.0, 0.5]);
        close(to_hsv([0.0; 3]), [0.0; 3]);
    }

    #[test]
    fn colors_come_back() {
        for color in [[0.2, 0.9, 0.4], [0.7, 0.1, 0.6], [0.3, 0.3, 0.31]] {
            close(to_rgb(to_hsv(color)), color);
        }
    }

    #[test]
    fn changes() {
        // A third of a turn makes red green.
        close(turn_hue([1.0, 0.0, 0.0], 1.0 / 3.0), [0.0, 1.0, 0.0]);
        close(scale_saturation([1.0, 0.5, 0.5], 0.0), [1.0; 3]);
        close(scale_saturation([1.0, 0.5, 0.5], 9.0), [1.0, 0.0, 0.0]);
    }
}
