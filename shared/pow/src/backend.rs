//! The ways to try nonces, and which of them this processor has.

use std::fmt;

#[cfg(target_arch = "x86_64")]
use crate::x86::{Avx2, Avx512, ShaNi};
use crate::{portable, template::Stretch};

/// A way to try nonces. All give the same answers; they differ in speed and in what they ask of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Sixteen attempts at a time in each register, on x86-64 processors with AVX-512.
    Avx512,
    /// Several attempts in turns through the SHA instructions, on x86-64 processors that have them.
    ShaNi,
    /// Eight attempts at a time in each register, on x86-64 processors with AVX2.
    Avx2,
    /// One attempt at a time, on every processor, with SHA instructions where `sha2` finds some.
    Portable,
}

/// A backend that this processor has. It is a value of this type that proves it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    ShaNi(ShaNi),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable,
}

impl Backend {
    /// All backends, the fastest first, whether this processor has them or not.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &[Self::Avx512, Self::ShaNi, Self::Avx2, Self::Portable]
    }

    /// The fastest backend that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::all().iter().copied().find(|backend| Engine::detect(*backend).is_some()).unwrap_or(Self::Portable)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Avx512 => "AVX-512",
            Self::ShaNi => "SHA-NI",
            Self::Avx2 => "AVX2",
            Self::Portable => "portable",
        })
    }
}

impl Engine {
    /// The engine of this backend, if this processor has it.
    pub(crate) fn detect(backend: Backend) -> Option<Self> {
        match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512 => Avx512::detect().map(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Backend::ShaNi => ShaNi::detect().map(Self::ShaNi),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(not(target_arch = "x86_64"))]
            Backend::Avx512 | Backend::ShaNi | Backend::Avx2 => None,
            Backend::Portable => Some(Self::Portable),
        }
    }

    /// How many of the `count` nonces of the stretch come before the first, from the one after `skipped` on, whose hash
    /// has a top word that may meet the target. None if there is none.
    pub(crate) fn first_candidate(self, stretch: &Stretch, skipped: u64, count: u64) -> Option<u64> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(engine) => engine.first_candidate(stretch, skipped, count),
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi(engine) => engine.first_candidate(stretch, skipped, count),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(engine) => engine.first_candidate(stretch, skipped, count),
            Self::Portable => portable::first_candidate(stretch, skipped, count),
        }
    }
}
