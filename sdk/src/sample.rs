//! Fractions of the traffic: the percentage type and the numbers it is drawn with.

use serde::{Deserialize, Deserializer, de::Error as _};

/// A share of the traffic in millionths: Istio's resolution of 0.0001 percent.
///
/// Deserializes from a JSON number of 0 to 100 percent; anything else is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percentage {
    millionths: u32,
}

impl Percentage {
    /// All of it.
    pub const ALL: Self = Self { millionths: 1_000_000 };

    /// Share in millionths, 0 to 1 000 000.
    pub const fn millionths(self) -> u32 {
        self.millionths
    }

    /// Whether a draw of 64 uniform bits falls into this share.
    pub(crate) fn includes(self, bits: u64) -> bool {
        below(bits, 1_000_000) < u64::from(self.millionths)
    }
}

impl TryFrom<f64> for Percentage {
    type Error = crate::Error;

    fn try_from(percent: f64) -> Result<Self, crate::Error> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(crate::Error::new(format!("percentage {percent} is not in 0..100")));
        }
        Ok(Self { millionths: (percent * 10_000.0).round() as u32 })
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Maps 64 uniform bits to `0..bound` (Lemire's multiplication, bias below 2^-32 for 32-bit bounds).
pub(crate) fn below(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// SplitMix64: enough for sampling, eight bytes of state, not for secrets.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "tests draw by hand"))]
pub(crate) struct Generator(u64);

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "tests draw by hand"))]
impl Generator {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests;
