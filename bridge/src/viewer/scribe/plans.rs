//! Plans.

use cerebellum_messages::ActionChunk;
use rerun::{Scalars, Tensor, TensorBuffer, TensorData, TimeColumn};

use super::curves::action_names;
use super::{Scribe, Written, path};

/// Plans overlap; each goes to the next of this many entities, so that a line is not joined to
/// that of the plan before.
const SLOTS: usize = 8;

impl Scribe {
    /// A plan as lines from its tick into the future, and as a table of steps by numbers.
    pub(super) fn chunk(&mut self, chunk: &ActionChunk) -> Written {
        let width = chunk.action_dim as usize;
        let horizon = chunk.horizon();
        if width == 0 || horizon == 0 {
            return Ok(());
        }
        let actions = chunk.actions.get(..horizon * width).unwrap_or_default();

        let slot = self.plans % SLOTS;
        self.plans = self.plans.wrapping_add(1);
        let entity = format!("{}/{slot}", path::PLAN_AHEAD);
        self.name_lines(&entity, &action_names(width))?;
        let first = i64::try_from(chunk.observed.0).unwrap_or(i64::MAX);
        // One tick more, with no values: the line ends there.
        let ticks = (0..=horizon as i64).map(|step| first.saturating_add(step));
        let lengths = std::iter::repeat_n(width, horizon).chain([0]);
        let values = actions.iter().copied().map(f64::from);
        self.stream.send_columns(
            entity,
            [TimeColumn::new_sequence(path::TICK, ticks)],
            Scalars::new(values).columns(lengths)?,
        )?;

        let table = TensorData::new(
            vec![horizon as u64, width as u64],
            TensorBuffer::F32(actions.to_vec().into()),
        );
        let table = Tensor::new(table).with_dim_names(["step", "number"]);
        self.stream.log(format!("{}/table", path::PLAN), &table)?;
        self.scalar(path::PLAN, "denoise_steps", f64::from(chunk.denoise_steps))?;
        self.scalar(path::PLAN, "generation", chunk.generation as f64)
    }
}
