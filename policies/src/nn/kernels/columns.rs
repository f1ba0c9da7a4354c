//! Patches of an image as rows of a matrix, and back.

use super::conv::ConvShape;

impl ConvShape {
    /// For output row `row` and kernel row `tap`: the input row, if inside the image.
    fn input_row(&self, row: usize, tap: usize) -> Option<usize> {
        (row * self.stride + tap)
            .checked_sub(self.padding)
            .filter(|&row| row < self.height)
    }

    /// For output column `column`: first input column inside the image, first kernel column that
    /// meets it, and how many do.
    fn input_columns(&self, column: usize) -> (usize, usize, usize) {
        let start = column * self.stride;
        let skipped = self.padding.saturating_sub(start);
        let first = (start + skipped).saturating_sub(self.padding);
        let count = (self.kernel - skipped.min(self.kernel)).min(self.width.saturating_sub(first));
        (first, skipped, count)
    }

    /// Calls `f(column range, image range)` for every run of values that a patch shares with the
    /// image.
    fn runs(&self, mut f: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
        let channels = self.channels;
        let tap_len = self.kernel * channels;
        let mut patch = 0;
        for row in 0..self.out_height() {
            for column in 0..self.out_width() {
                let (first, skipped, count) = self.input_columns(column);
                for tap in 0..self.kernel {
                    if let Some(input) = self.input_row(row, tap) {
                        let from = (input * self.width + first) * channels;
                        let to = patch + tap * tap_len + skipped * channels;
                        let len = count * channels;
                        f(to..to + len, from..from + len);
                    }
                }
                patch += self.patch();
            }
        }
    }

    /// Writes the patches of `image` (`height, width, channels`) into `columns`
    /// (`out pixels, kernel * kernel * channels`), which holds zeros.
    pub fn gather(&self, image: &[f32], columns: &mut [f32]) {
        self.runs(|column, pixel| columns[column].copy_from_slice(&image[pixel]));
    }

    /// Adds the patches in `columns` to `image`: the transpose of [`ConvShape::gather`].
    pub fn scatter(&self, columns: &[f32], image: &mut [f32]) {
        self.runs(|column, pixel| {
            for (pixel, column) in image[pixel].iter_mut().zip(&columns[column]) {
                *pixel += column;
            }
        });
    }
}
