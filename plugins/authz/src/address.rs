//! IP blocks.

use std::net::IpAddr;

use weir_sdk::{Error, Result, format::without_port};

/// A CIDR block, or a single address. IPv4-mapped IPv6 addresses are IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    network: IpAddr,
    prefix_bits: u8,
}

impl Block {
    /// Parses `10.0.0.0/8`, `10.1.2.3`, `2001:db8::/32` or `::1`. Bits past the prefix are ignored.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let malformed = || Error::new(format!("{text:?} is not an IP address or CIDR block"));
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| malformed())?;
        let bits_max = if network.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            None => bits_max,
            Some(bits) => bits.parse().ok().filter(|b| *b <= bits_max).ok_or_else(malformed)?,
        };
        Ok(Self { network, prefix_bits })
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            _ => false,
        }
    }
}

/// The IP address of an `ip:port` attribute.
pub(crate) fn ip_of(address: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(without_port(address)).ok()?;
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
