//! How long something takes, by chance: drawn from the seed, to the millisecond, the same on every machine.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// How much longer something takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delay {
    /// Always so long.
    Constant(SignedDuration),
    /// From `least` to `most`, each as likely as the other.
    Uniform {
        /// At least.
        least: SignedDuration,
        /// At most.
        most: SignedDuration,
    },
    /// As a normal distribution says; what would be below zero is nothing.
    Normal {
        /// The middle.
        mean: SignedDuration,
        /// The standard deviation.
        deviation: SignedDuration,
    },
    /// Mostly about the median, and now and then very long, as answers of busy machines are.
    LogNormal {
        /// Half take no longer than this.
        median: SignedDuration,
        /// All but one in a hundred take no longer than this.
        p99: SignedDuration,
    },
    /// Mostly short, and the longer the rarer.
    Exponential {
        /// The mean.
        mean: SignedDuration,
    },
    /// Between what was measured: percentiles, 0 to 100 and rising, with how long that is; straight lines between them.
    Table(Vec<(f64, SignedDuration)>),
}

/// The point of a standard normal distribution below which 99 in 100 lie.
const P99: f64 = 2.326_347_874_040_841;
/// Nothing takes longer: what lies beyond is chance's joke.
const LONGEST: f64 = 86_400_000.0;

impl Delay {
    /// From `least` to `most`.
    #[must_use]
    pub fn between(least: SignedDuration, most: SignedDuration) -> Self {
        Self::Uniform { least, most }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let fits = match self {
            Self::Constant(long) => !long.is_negative(),
            Self::Uniform { least, most } => !least.is_negative() && least <= most,
            Self::Normal { mean, deviation } => !mean.is_negative() && !deviation.is_negative(),
            Self::LogNormal { median, p99 } => median.is_positive() && median <= p99,
            Self::Exponential { mean } => !mean.is_negative(),
            Self::Table(table) => {
                let rises = table
                    .windows(2)
                    .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
                let ends = table.first().zip(table.last());
                let is_whole = ends.is_some_and(|(first, last)| {
                    first.0 == 0.0 && last.0 == 100.0 && !first.1.is_negative()
                });
                if !rises || !is_whole {
                    return Err("a table of delays rises from percentile 0 to 100".to_owned());
                }
                true
            }
        };
        match fits {
            true => Ok(()),
            false => Err("a delay goes from nothing up".to_owned()),
        }
    }

    /// How long it is this time. `roll` is 64 random bits. The functions are those of a library that computes them itself, so that they say the same to the
    /// last bit wherever this runs.
    #[must_use]
    pub fn draw(&self, roll: u64) -> SignedDuration {
        let ms = |long: &SignedDuration| long.as_millis() as f64;
        let long = match self {
            Self::Constant(long) => ms(long),
            Self::Uniform { least, most } => {
                let span = u64::try_from((*most - *least).as_millis()).unwrap_or(0);
                return *least + millis((roll % (span + 1)) as f64);
            }
            Self::Normal { mean, deviation } => ms(mean) + ms(deviation) * normal(roll),
            Self::LogNormal { median, p99 } => {
                let width = libm::log(ms(p99).max(1.0) / ms(median).max(1.0)) / P99;
                ms(median).max(1.0) * libm::exp(width * normal(roll))
            }
            Self::Exponential { mean } => -ms(mean) * libm::log(above_zero(roll >> 32)),
            Self::Table(table) => {
                let at = (roll >> 11) as f64 / (1_u64 << 53) as f64 * 100.0;
                let above = table.partition_point(|(percentile, _)| *percentile <= at);
                match (
                    above.checked_sub(1).and_then(|n| table.get(n)),
                    table.get(above),
                ) {
                    (Some(low), Some(high)) => {
                        let part = (at - low.0) / (high.0 - low.0);
                        ms(&low.1) + (ms(&high.1) - ms(&low.1)) * part
                    }
                    (Some(end), None) | (None, Some(end)) => ms(&end.1),
                    (None, None) => 0.0,
                }
            }
        };
        millis(long)
    }
}

fn millis(long: f64) -> SignedDuration {
    // In range and whole, so nothing is lost.
    SignedDuration::from_millis(libm::round(long.clamp(0.0, LONGEST)) as i64)
}

/// Of 32 random bits, a number above 0 and up to 1.
fn above_zero(bits: u64) -> f64 {
    ((bits & 0xffff_ffff) + 1) as f64 / (1_u64 << 32) as f64
}

/// A standard normal number, by the method of Box and Muller.
fn normal(roll: u64) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(above_zero(roll >> 32)));
    let angle = std::f64::consts::TAU * above_zero(roll);
    radius * libm::cos(angle)
}

#[cfg(test)]
mod tests {
    use hawkfish_core::entropy::{Entropy as _, SeededEntropy};

    use super::*;

    fn secs(n: i64) -> SignedDuration {
        SignedDuration::from_secs(n)
    }

    /// Ten thousand draws in milliseconds, sorted.
    fn drawn(delay: &Delay) -> Vec<i128> {
        delay.check().unwrap();
        let chance = SeededEntropy::new(1, "delays");
        let mut all: Vec<_> = (0..10_000)
            .map(|_| delay.draw(chance.number()).as_millis())
            .collect();
        all.sort_unstable();
        all
    }

    fn near(seen: i128, wanted: i128) {
        let off = (seen - wanted).abs() * 100;
        assert!(off <= wanted * 8, "{seen} is not near {wanted}");
    }

    #[test]
    fn delays_are_distributed_as_they_say() {
        assert!(
            drawn(&Delay::Constant(secs(2)))
                .iter()
                .all(|ms| *ms == 2000)
        );
        let uniform = drawn(&Delay::between(secs(1), secs(3)));
        assert!(uniform[0] >= 1000 && uniform[9_999] <= 3000);
        near(uniform[2_500], 1500);
        let normal = drawn(&Delay::Normal {
            mean: secs(10),
            deviation: secs(2),
        });
        near(normal[5_000], 10_000);
        // One standard deviation above the mean lie 84.13 in 100.
        near(normal[8_413], 12_000);
        let log = drawn(&Delay::LogNormal {
            median: SignedDuration::from_millis(300),
            p99: secs(8),
        });
        near(log[5_000], 300);
        near(log[9_900], 8_000);
        let exponential = drawn(&Delay::Exponential { mean: secs(1) });
        // Half take less than ln 2 of the mean.
        near(exponential[5_000], 693);
        let table = drawn(&Delay::Table(vec![
            (0.0, secs(1)),
            (50.0, secs(2)),
            (100.0, secs(20)),
        ]));
        near(table[2_500], 1500);
        near(table[7_500], 11_000);
    }

    #[test]
    fn a_draw_is_the_same_wherever_it_is_made() {
        let log = Delay::LogNormal {
            median: SignedDuration::from_millis(300),
            p99: secs(8),
        };
        let roll = 0x0123_4567_89ab_cdef;
        let drawn = [
            log.draw(roll),
            Delay::Exponential { mean: secs(60) }.draw(roll),
            Delay::Normal {
                mean: secs(60),
                deviation: secs(9),
            }
            .draw(roll),
        ];
        let ms = drawn.map(|long| long.as_millis());
        assert_eq!(ms, [3, 324_966, 31_209]);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for bad in [
            Delay::Constant(secs(-1)),
            Delay::between(secs(2), secs(1)),
            Delay::LogNormal {
                median: secs(2),
                p99: secs(1),
            },
            Delay::Table(vec![(0.0, secs(1)), (50.0, secs(2))]),
            Delay::Table(vec![(0.0, secs(3)), (100.0, secs(2))]),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
