//! Updates of long vectors in one pass over memory, as optimisers need them.

use burn::backend::{Flex, flex::FlexTensor};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{plain, with_values};
use super::lanes::{sum_pairs, widest};

/// Numbers per parallel piece. Sums are taken piece by piece, so that they do not depend on the
/// number of threads.
const PIECE: usize = 32 * 1024;

/// Calls `f` on pieces of the `changed` vectors, which it writes to, and of the `read` ones; all are
/// equally long. Nothing is copied that nobody else holds. The vectors come back untouched, as an
/// error, if they are not on the CPU. `f` must be `#[inline(always)]`-able: see [`widest`].
pub fn in_place<const N: usize, const M: usize>(
    changed: [Tensor<1>; N],
    read: [&Tensor<1>; M],
    f: impl Fn([&mut [f32]; N], [&[f32]; M]) + Sync + Send,
) -> Result<[Tensor<1>; N], [Tensor<1>; N]> {
    let inputs = read.map(|tensor| plain(tensor).map(|tensor| tensor.to_contiguous()));
    let on_cpu = changed.iter().all(|tensor| plain(tensor).is_some());
    if !on_cpu || inputs.iter().any(Option::is_none) {
        return Err(changed);
    }
    let mut values = changed.map(|tensor| match tensor.try_into_primitive::<Flex>() {
        Ok(values) if values.is_contiguous() => values,
        Ok(values) => values.to_contiguous(),
        // Looked at above.
        Err(_) => FlexTensor::zeros([0].into(), burn::tensor::DType::F32),
    });
    let mut writes = values.each_mut().map(|values| {
        let range = values.layout().contiguous_offsets();
        let storage = values.storage_mut::<f32>();
        match range {
            Some((start, end)) => &mut storage[start..end],
            None => storage,
        }
        .chunks_mut(PIECE)
    });
    let mut reads = inputs.each_ref().map(|input| {
        let values = input.as_ref().and_then(FlexTensor::as_slice::<f32>);
        values.unwrap_or_default().chunks(PIECE)
    });
    let mut pieces = Vec::new();
    loop {
        let write = writes
            .each_mut()
            .map(|write| write.next().unwrap_or_default());
        let read = reads.each_mut().map(|read| read.next().unwrap_or_default());
        if write.iter().all(|write| write.is_empty()) {
            break;
        }
        pieces.push((write, read));
    }
    if pieces.len() > 1 {
        pieces
            .into_par_iter()
            .for_each(|(write, read)| widest(|| f(write, read)));
    } else {
        for (write, read) in pieces {
            widest(|| f(write, read));
        }
    }
    Ok(values.map(Tensor::from_primitive::<Flex>))
}

/// Sum of squares; `None` if the vector is not on the CPU.
pub fn square_sum(vector: &Tensor<1>) -> Option<f64> {
    let sum = |values: &[f32]| f64::from(widest(|| sum_pairs(values, values, |a, b| a * b)));
    let sums = with_values(&plain(vector)?, |values| {
        if values.len() <= PIECE {
            vec![sum(values)]
        } else {
            values.par_chunks(PIECE).map(sum).collect::<Vec<_>>()
        }
    });
    Some(sums.into_iter().sum())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use burn::tensor::Device;

    use super::*;
    use crate::golden::vec;

    fn counting(count: usize) -> Tensor<1> {
        Tensor::arange(0..count as i64, &Device::flex()).float()
    }

    #[test]
    fn pieces_are_updated_where_they_lie_and_others_keep_what_they_hold() {
        let count = 2 * PIECE + 3;
        let (first, second) = (counting(count), counting(count));
        let held = second.clone();
        let [first, second] = in_place([first, second], [&held], |[a, b], [read]| {
            for ((a, b), read) in a.iter_mut().zip(b).zip(read) {
                *a += 2.0 * read;
                *b = -*b;
            }
        })
        .unwrap();
        let last = (count - 1) as f32;
        assert_eq!(vec(first).last(), Some(&(3.0 * last)));
        assert_eq!(vec(second).last(), Some(&-last));
        assert_eq!(vec(held).last(), Some(&last));
    }

    #[test]
    fn views_are_updated_where_they_begin() {
        let view = counting(9).reshape([3, 3]).narrow(0, 1, 2).reshape([6]);
        let [view] = in_place([view], [], |[values], []: [&[f32]; 0]| {
            for value in values {
                *value += 1.0;
            }
        })
        .unwrap();
        assert_eq!(vec(view), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    }

    #[test]
    fn squares_by_hand() {
        assert_eq!(square_sum(&counting(4)), Some(14.0));
    }
}
