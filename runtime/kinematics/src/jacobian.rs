//! How the tool moves when the joints do.

use crate::MAX_DOF;

/// Number of arm joints a Jacobian has room for.
pub(crate) const ARM: usize = MAX_DOF - 1;

/// Tool velocity per joint velocity: one column per arm joint, each `vx vy vz wx wy wz` in the base
/// frame (m/rad and rad/rad). Columns of joints that the robot does not have are zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jacobian {
    /// The columns.
    pub columns: [[f64; 6]; ARM],
}

impl Jacobian {
    /// Tool velocity that goes with joint velocities.
    pub fn apply(&self, joints: &[f64; ARM]) -> [f64; 6] {
        let mut tool = [0.0; 6];
        for (column, speed) in self.columns.iter().zip(joints) {
            for (sum, value) in tool.iter_mut().zip(column) {
                *sum += value * speed;
            }
        }
        tool
    }

    /// Joint torques that go with a wrench at the tool: the transpose applied.
    pub fn apply_transposed(&self, wrench: &[f64; 6]) -> [f64; ARM] {
        let mut joints = [0.0; ARM];
        for (torque, column) in joints.iter_mut().zip(&self.columns) {
            *torque = column.iter().zip(wrench).map(|(a, b)| a * b).sum();
        }
        joints
    }

    /// `J Jᵀ + damping² I`, the matrix of damped least squares.
    pub(crate) fn damped_square(&self, damping: f64) -> [[f64; 6]; 6] {
        let mut square = [[0.0; 6]; 6];
        for (row, line) in square.iter_mut().enumerate() {
            for (col, slot) in line.iter_mut().enumerate() {
                *slot = self.columns.iter().map(|c| c[row] * c[col]).sum();
                if row == col {
                    *slot += damping * damping;
                }
            }
        }
        square
    }
}

/// Cholesky factor of a symmetric positive definite matrix.
pub(crate) struct Cholesky {
    lower: [[f64; 6]; 6],
}

impl Cholesky {
    /// Factors `matrix`. Pivots are kept above a tiny number, so the result is always usable.
    pub(crate) fn new(matrix: &[[f64; 6]; 6]) -> Self {
        let mut lower = [[0.0; 6]; 6];
        for row in 0..6 {
            for col in 0..=row {
                let mut sum = matrix[row][col];
                for (a, b) in lower[row].iter().zip(&lower[col]).take(col) {
                    sum -= a * b;
                }
                lower[row][col] = if row == col {
                    sum.max(1e-18).sqrt()
                } else {
                    sum / lower[col][col]
                };
            }
        }
        Self { lower }
    }

    /// Solves `matrix * x = right`.
    pub(crate) fn solve(&self, right: &[f64; 6]) -> [f64; 6] {
        let mut x = *right;
        for row in 0..6 {
            for col in 0..row {
                x[row] -= self.lower[row][col] * x[col];
            }
            x[row] /= self.lower[row][row];
        }
        for row in (0..6).rev() {
            for col in row + 1..6 {
                x[row] -= self.lower[col][row] * x[col];
            }
            x[row] /= self.lower[row][row];
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cholesky_solves() {
        let mut jacobian = Jacobian {
            columns: [[0.0; 6]; ARM],
        };
        for (i, column) in jacobian.columns.iter_mut().enumerate() {
            for (j, value) in column.iter_mut().enumerate() {
                *value = ((i * 7 + j * 3) % 11) as f64 * 0.1 - 0.4;
            }
        }
        let matrix = jacobian.damped_square(0.1);
        let right = [1.0, -2.0, 0.5, 0.3, 0.0, 4.0];
        let x = Cholesky::new(&matrix).solve(&right);
        for (row, wanted) in matrix.iter().zip(right) {
            let got: f64 = row.iter().zip(x).map(|(a, b)| a * b).sum();
            assert!((got - wanted).abs() < 1e-9);
        }
    }
}
