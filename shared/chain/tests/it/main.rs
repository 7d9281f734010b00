//! What the chain promises as a whole, through its public interface.

mod arbitrary;
mod arithmetic;
mod codec;
mod difficulty;
mod index;
mod leaves;
mod merkle;
mod money;
mod rules;
mod test_chain;
mod vectors;
