//! The network's parameters as flags: they count at the first start, and are fixed from then on.

use std::time::Duration;

use clap::Args;
use raclette_chain::{
    amount::Amount,
    parameters::{Parameters, ParametersError},
    target::Target,
};

/// The network's parameters. What is not given is the default at the first start, and what was stored at later ones.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network (fixed at the first start)")]
pub struct NetworkArgs {
    /// The network's name: 1 to 32 characters from a-z, 0-9 and - [default: raclette]
    #[arg(long, env = "RACLETTE_NETWORK_NAME", value_name = "NAME")]
    pub network_name: Option<String>,

    /// The time between blocks that the difficulty aims at, in whole seconds, such as 10s [default: 10s]
    #[arg(long, env = "RACLETTE_SPACING", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub spacing: Option<Duration>,

    /// The delay that halves or doubles the difficulty, at least 400s, or 0s: it never changes [default: 600s]
    #[arg(long, env = "RACLETTE_HALF_LIFE", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub half_life: Option<Duration>,

    /// The difficulty of the first block, and the lowest of all: about 2^BITS attempts a block [default: 22]
    #[arg(long, env = "RACLETTE_FIRST_TARGET_BITS", value_name = "BITS", value_parser = clap::value_parser!(u8).range(0..=200))]
    pub first_target_bits: Option<u8>,

    /// New money for the miner of a block [default: 50]
    #[arg(long, env = "RACLETTE_REWARD", value_name = "UNITS")]
    pub reward: Option<u64>,

    /// After how many blocks the reward halves; 0: never [default: 210000]
    #[arg(long, env = "RACLETTE_HALVING_INTERVAL", value_name = "BLOCKS")]
    pub halving_interval: Option<u32>,

    /// The most transactions in a block [default: 5000]
    #[arg(long, env = "RACLETTE_MAX_BLOCK_TRANSACTIONS", value_name = "N")]
    pub max_block_transactions: Option<u32>,

    /// The largest block, in bytes [default: 4194304]
    #[arg(long, env = "RACLETTE_MAX_BLOCK_BYTES", value_name = "BYTES")]
    pub max_block_bytes: Option<u32>,

    /// The longest sealed message, in bytes [default: the longest that any network allows]
    #[arg(long, env = "RACLETTE_MAX_MESSAGE_LENGTH", value_name = "BYTES")]
    pub max_message_length: Option<u32>,

    /// The lowest fee of a transaction [default: 0]
    #[arg(long, env = "RACLETTE_MINIMUM_FEE", value_name = "UNITS")]
    pub minimum_fee: Option<u64>,
}

/// Why the parameters given cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParametersConflict {
    /// No network can live with them.
    #[error("these parameters are not allowed: {0}")]
    NotAllowed(#[from] ParametersError),
    /// An amount is too large.
    #[error("{flag} {found} is above 2^53 - 1")]
    TooLarge {
        /// The flag.
        flag: &'static str,
        /// The value.
        found: u64,
    },
    /// A time is not a number of whole seconds.
    #[error("{flag} must be a number of whole seconds")]
    NotWholeSeconds {
        /// The flag.
        flag: &'static str,
    },
    /// The network was set up with another value.
    #[error(
        "{flag} is fixed: the network in this data directory has {stored}, and the flag asks for {given}. Leave it out, or \
         start a new network with another --data-dir"
    )]
    Fixed {
        /// The flag.
        flag: &'static str,
        /// The value that was stored.
        stored: String,
        /// The value that the flag asks for.
        given: String,
    },
}

impl NetworkArgs {
    /// The parameters of the network: `stored` if there are any, else the defaults, with what the flags say.
    ///
    /// # Errors
    /// No network can live with them, or they differ from what is stored.
    pub fn parameters(&self, stored: Option<&Parameters>) -> Result<Parameters, ParametersConflict> {
        let base = stored.cloned().unwrap_or_default();
        let given = Parameters {
            name: self.network_name.clone().unwrap_or(base.name),
            spacing_seconds: seconds("--spacing", self.spacing, base.spacing_seconds)?,
            half_life_seconds: seconds("--half-life", self.half_life, base.half_life_seconds)?,
            first_target: self.first_target_bits.map_or(base.first_target, |bits| Target::of_bits(bits).compact()),
            reward: amount("--reward", self.reward, base.reward)?,
            halving_interval: self.halving_interval.unwrap_or(base.halving_interval),
            max_block_transactions: self.max_block_transactions.unwrap_or(base.max_block_transactions),
            max_block_bytes: self.max_block_bytes.unwrap_or(base.max_block_bytes),
            max_message_length: self.max_message_length.unwrap_or(base.max_message_length),
            minimum_fee: amount("--minimum-fee", self.minimum_fee, base.minimum_fee)?,
        };
        given.check()?;
        stored.map_or(Ok(()), |stored| unchanged(stored, &given))?;
        Ok(given)
    }
}

/// Checks that flags ask for nothing but what was stored.
fn unchanged(stored: &Parameters, given: &Parameters) -> Result<(), ParametersConflict> {
    let values = |parameters: &Parameters| {
        [
            ("--network-name", parameters.name.clone()),
            ("--spacing", format!("{}s", parameters.spacing_seconds)),
            ("--half-life", format!("{}s", parameters.half_life_seconds)),
            ("--first-target-bits", format!("the first target {}", parameters.first_target)),
            ("--reward", parameters.reward.to_string()),
            ("--halving-interval", parameters.halving_interval.to_string()),
            ("--max-block-transactions", parameters.max_block_transactions.to_string()),
            ("--max-block-bytes", parameters.max_block_bytes.to_string()),
            ("--max-message-length", parameters.max_message_length.to_string()),
            ("--minimum-fee", parameters.minimum_fee.to_string()),
        ]
    };
    let changed = values(stored).into_iter().zip(values(given)).find(|(stored, given)| stored != given);
    match changed {
        Some(((flag, stored), (_, given))) => Err(ParametersConflict::Fixed { flag, stored, given }),
        None => Ok(()),
    }
}

fn seconds(flag: &'static str, given: Option<Duration>, base: u64) -> Result<u64, ParametersConflict> {
    match given {
        Some(time) if time.subsec_nanos() != 0 => Err(ParametersConflict::NotWholeSeconds { flag }),
        Some(time) => Ok(time.as_secs()),
        None => Ok(base),
    }
}

fn amount(flag: &'static str, given: Option<u64>, base: Amount) -> Result<Amount, ParametersConflict> {
    match given {
        Some(found) => Amount::new(found).map_err(|_| ParametersConflict::TooLarge { flag, found }),
        None => Ok(base),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_flags_there_are_the_defaults_or_what_was_stored() {
        assert_eq!(NetworkArgs::default().parameters(None), Ok(Parameters::default()));
        let stored = Parameters { name: String::from("brie"), ..Parameters::default() };
        assert_eq!(NetworkArgs::default().parameters(Some(&stored)), Ok(stored));
    }

    #[test]
    fn flags_that_contradict_what_was_stored_are_refused() {
        let flags = NetworkArgs { reward: Some(25), ..NetworkArgs::default() };
        let given = flags.parameters(None).unwrap();
        assert_eq!(given.reward.units(), 25);
        assert_eq!(flags.parameters(Some(&given)), Ok(given), "the same flags again are fine");
        let stored = Parameters::default();
        let conflict =
            ParametersConflict::Fixed { flag: "--reward", stored: String::from("50"), given: String::from("25") };
        assert_eq!(flags.parameters(Some(&stored)), Err(conflict));
    }

    #[test]
    fn parameters_that_no_network_can_live_with_are_refused() {
        let refused = |flags: NetworkArgs| flags.parameters(None).unwrap_err();
        let half_life = Some(Duration::from_secs(10));
        let error = refused(NetworkArgs { half_life, ..NetworkArgs::default() });
        assert!(matches!(error, ParametersConflict::NotAllowed(_)));
        let spacing = Some(Duration::from_millis(1_500));
        let error = refused(NetworkArgs { spacing, ..NetworkArgs::default() });
        assert_eq!(error, ParametersConflict::NotWholeSeconds { flag: "--spacing" });
        let error = refused(NetworkArgs { reward: Some(u64::MAX), ..NetworkArgs::default() });
        assert_eq!(error, ParametersConflict::TooLarge { flag: "--reward", found: u64::MAX });
    }
}
