//! What x86-64 processors can do beyond the portable way. This is the only place of the workspace with `unsafe` code.
//!
//! All of that code is safe but for its entrance: a function that is compiled for a processor feature may only be called
//! where the feature is present. So each of [`Avx512`], [`ShaNi`] and [`Avx2`] is a proof that it is: nothing but its
//! `detect` makes one, and the one `unsafe` call of each module is a method of it.

mod avx2;
mod avx512;
mod known;
mod lanes;
mod sha_ni;

pub(crate) use {avx2::Avx2, avx512::Avx512, sha_ni::ShaNi};
