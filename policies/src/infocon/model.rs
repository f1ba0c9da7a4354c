//! All networks together.

use burn::module::Module;
use burn::tensor::Device;

use super::codebook::Codebook;
use super::config::InfoConConfig;
use super::error::InfoConError;
use super::future_net::FutureNet;
use super::key_net::KeyNet;
use super::rec_net::RecNet;
use super::sa_net::ScoreActionNet;

/// The discovery model. Field names are those of the authors' files.
#[derive(Module, Debug)]
pub struct InfoCon {
    /// From trajectories to keys.
    pub key_net: KeyNet,
    /// From keys to concepts.
    pub key_book: Codebook,
    /// From concepts back to states.
    pub rec_net: RecNet,
    /// From concepts to key states.
    pub future_net: FutureNet,
    /// From concepts to scores and actions.
    pub sa_net: ScoreActionNet,
}

impl InfoCon {
    /// A fresh model.
    ///
    /// # Errors
    /// If the sizes do not go together.
    pub fn new(config: &InfoConConfig, device: &Device) -> Result<Self, InfoConError> {
        config.check()?;
        Ok(Self {
            key_net: KeyNet::new(config, device),
            key_book: Codebook::new(config, device),
            rec_net: RecNet::new(config, device),
            future_net: FutureNet::new(config, device),
            sa_net: ScoreActionNet::new(config, device),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_model_has_the_published_number_of_parameters() -> Result<(), InfoConError> {
        let model = InfoCon::new(&InfoConConfig::published(51, 8, 200), &Device::flex())?;
        assert_eq!(model.key_net.num_params(), 1_085_875);
        assert_eq!(model.key_book.num_params(), 3_860);
        assert_eq!(model.rec_net.num_params(), 971_443);
        assert_eq!(model.future_net.num_params(), 689_587);
        assert_eq!(model.sa_net.num_params(), 516_616);
        assert_eq!(model.num_params(), 3_267_381);
        Ok(())
    }
}
