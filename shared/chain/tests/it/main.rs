//! What the chain promises as a whole, through its public interface.

mod codec;
mod difficulty;
mod index;
mod leaves;
mod money;
mod rules;
mod test_chain;
mod vectors;
