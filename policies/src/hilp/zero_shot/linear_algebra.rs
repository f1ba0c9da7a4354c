//! Small dense matrices in double precision, row-major.

/// Sweeps after which the rotations below have long converged.
const SWEEPS: usize = 60;

/// Eigenvalues of a symmetric matrix with `size` rows, and eigenvectors as the columns of a second
/// matrix: cyclic Jacobi rotations.
pub fn symmetric_eigen(matrix: &[f64], size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut vectors = vec![0.0; size * size];
    for index in 0..size {
        vectors[index * size + index] = 1.0;
    }
    let total = a.iter().map(|value| value * value).sum::<f64>();
    for _ in 0..SWEEPS {
        let mut off = 0.0;
        for row in 0..size {
            for column in row + 1..size {
                off += a[row * size + column].powi(2);
            }
        }
        if off <= total * 1e-30 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut a, &mut vectors, size, p, q);
            }
        }
    }
    let values = (0..size).map(|index| a[index * size + index]).collect();
    (values, vectors)
}

/// Makes the entry (p, q) zero.
fn rotate(a: &mut [f64], vectors: &mut [f64], size: usize, p: usize, q: usize) {
    let entry = a[p * size + q];
    if entry == 0.0 {
        return;
    }
    let ratio = (a[q * size + q] - a[p * size + p]) / (2.0 * entry);
    let tangent = ratio.signum() / (ratio.abs() + (ratio * ratio + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for k in 0..size {
        let (left, right) = (a[k * size + p], a[k * size + q]);
        a[k * size + p] = cosine * left - sine * right;
        a[k * size + q] = sine * left + cosine * right;
    }
    for k in 0..size {
        let (upper, lower) = (a[p * size + k], a[q * size + k]);
        a[p * size + k] = cosine * upper - sine * lower;
        a[q * size + k] = sine * upper + cosine * lower;
    }
    for k in 0..size {
        let (left, right) = (vectors[k * size + p], vectors[k * size + q]);
        vectors[k * size + p] = cosine * left - sine * right;
        vectors[k * size + q] = sine * left + cosine * right;
    }
}

/// Pseudo-inverse of a symmetric matrix: eigenvalues of at most `cut` times the greatest one count
/// as zero.
pub fn pseudo_inverse(matrix: &[f64], size: usize, cut: f64) -> Vec<f64> {
    let (values, vectors) = symmetric_eigen(matrix, size);
    let greatest = values
        .iter()
        .fold(0f64, |most, value| most.max(value.abs()));
    let mut inverse = vec![0.0; size * size];
    for (index, value) in values.iter().enumerate() {
        if value.abs() <= cut * greatest {
            continue;
        }
        for row in 0..size {
            let factor = vectors[row * size + index] / value;
            for column in 0..size {
                inverse[row * size + column] += factor * vectors[column * size + index];
            }
        }
    }
    inverse
}

/// `rowsᵀ rows` of rows of `width` numbers.
pub fn gram(rows: &[f32], width: usize) -> Vec<f64> {
    let mut gram = vec![0.0; width * width];
    for row in rows.chunks_exact(width.max(1)) {
        for (index, &left) in row.iter().enumerate() {
            let line = &mut gram[index * width..(index + 1) * width];
            for (sum, &right) in line.iter_mut().zip(row) {
                *sum += f64::from(left) * f64::from(right);
            }
        }
    }
    gram
}

/// `matrix vector`, the matrix square.
pub fn apply(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    let rows = matrix.chunks_exact(vector.len().max(1));
    rows.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
        .collect()
}

/// The shortest vector `x` with the least `‖rows x − targets‖`. Directions in which the rows hardly
/// differ (singular values below `rows · 2⁻²³` of the greatest, single precision's noise) get
/// nothing.
pub fn least_squares(rows: &[f32], width: usize, targets: &[f32]) -> Vec<f64> {
    let count = targets.len().max(width);
    let mut right = vec![0.0; width];
    for (row, &target) in rows.chunks_exact(width.max(1)).zip(targets) {
        for (sum, &value) in right.iter_mut().zip(row) {
            *sum += f64::from(value) * f64::from(target);
        }
    }
    let cut = (count as f64 * f64::from(f32::EPSILON)).powi(2);
    apply(&pseudo_inverse(&gram(rows, width), width, cut), &right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: &[f64], want: &[f64]) {
        let pairs = got.iter().zip(want);
        assert!(got.len() == want.len() && pairs.clone().all(|(a, b)| (a - b).abs() < 1e-9));
    }

    #[test]
    fn eigenvalues_by_hand() {
        let (mut values, vectors) = symmetric_eigen(&[2.0, 1.0, 1.0, 2.0], 2);
        values.sort_by(f64::total_cmp);
        close(&values, &[1.0, 3.0]);
        // Columns are orthogonal and of length one.
        let product = vectors[0] * vectors[1] + vectors[2] * vectors[3];
        assert!(
            product.abs() < 1e-12 && (vectors[0].powi(2) + vectors[2].powi(2) - 1.0).abs() < 1e-12
        );
        assert_eq!(symmetric_eigen(&[], 0).0, Vec::<f64>::new());
    }

    #[test]
    fn inverses() {
        let inverse = pseudo_inverse(&[2.0, 1.0, 1.0, 2.0], 2, 1e-9);
        close(&inverse, &[2.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0]);
        // A matrix of rank one.
        let inverse = pseudo_inverse(&[1.0, 1.0, 1.0, 1.0], 2, 1e-9);
        close(&inverse, &[0.25; 4]);
        close(&pseudo_inverse(&[0.0], 1, 1e-9), &[0.0]);
    }

    #[test]
    fn least_squares_by_hand() {
        // Targets are twice the first number minus the second.
        let rows = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 3.0, 2.0];
        close(
            &least_squares(&rows, 2, &[2.0, -1.0, 1.0, 4.0]),
            &[2.0, -1.0],
        );
        // Both numbers always equal: the shortest solution shares.
        close(
            &least_squares(&[1.0, 1.0, 2.0, 2.0], 2, &[4.0, 8.0]),
            &[2.0, 2.0],
        );
    }
}
