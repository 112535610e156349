//! What a request says about itself, read from the host at most once each.

use std::{borrow::Cow, cell::OnceCell, net::IpAddr};

use weir_sdk::{
    Error, Exchange, Pairs, Result,
    attribute::{self, Attribute},
};

use crate::address::ip_of;

/// The facts of one request. Getters tell "no value" (`Ok(None)`) from "the host refuses" (`Err`).
pub(crate) struct Facts<'e, 's> {
    exchange: &'e Exchange<'s>,
    headers: OnceCell<Pairs<'s>>,
    principal: OnceCell<Option<&'s [u8]>>,
    peer_ip: OnceCell<Option<IpAddr>>,
    remote_ip: OnceCell<Option<IpAddr>>,
}

impl<'e, 's> Facts<'e, 's> {
    pub(crate) const fn new(exchange: &'e Exchange<'s>) -> Self {
        Self {
            exchange,
            headers: OnceCell::new(),
            principal: OnceCell::new(),
            peer_ip: OnceCell::new(),
            remote_ip: OnceCell::new(),
        }
    }

    fn headers(&self) -> Result<Pairs<'s>> {
        if let Some(headers) = self.headers.get() {
            return Ok(headers.clone());
        }
        let headers = self.exchange.request_headers().try_all()?;
        if headers.size_hint().0 == 0 {
            return Err(Error::new("the request headers cannot be read"));
        }
        Ok(self.headers.get_or_init(|| headers).clone())
    }

    /// Values of every line of a header.
    pub(crate) fn header_values(&self, name: &[u8]) -> Result<impl Iterator<Item = &'s [u8]>> {
        Ok(self.headers()?.filter(move |(key, _)| *key == name).map(|(_, value)| value))
    }

    fn first(&self, name: &[u8]) -> Result<Option<&'s [u8]>> {
        Ok(self.header_values(name)?.next())
    }

    /// In lower case, with the port if the client sent one.
    pub(crate) fn host(&self) -> Result<Option<Cow<'s, [u8]>>> {
        Ok(self.first(b":authority")?.map(|host| match host.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(host.to_ascii_lowercase()),
            false => Cow::Borrowed(host),
        }))
    }

    pub(crate) fn method(&self) -> Result<Option<&'s [u8]>> {
        self.first(b":method")
    }

    /// Without query and fragment. The host has normalised it.
    pub(crate) fn path(&self) -> Result<Option<&'s [u8]>> {
        let path = self.first(b":path")?;
        Ok(path.map(|path| path.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or(path)))
    }

    /// Identity of the peer's certificate, `spiffe://…`; none over plaintext.
    pub(crate) fn principal(&self) -> Result<Option<&'s [u8]>> {
        once(&self.principal, || {
            let san = self.text(&attribute::CONNECTION_URI_SAN_PEER_CERTIFICATE)?;
            Ok(san.filter(|san| !san.is_empty()))
        })
    }

    /// Address of the connection's other end.
    pub(crate) fn peer_ip(&self) -> Result<Option<IpAddr>> {
        once(&self.peer_ip, || {
            if let Some(peer) = self.text(&attribute::WEIR_PEER_ADDRESS)? {
                return Ok(ip_of(peer));
            }
            // Hosts without the extension know one address only.
            Ok(self.text(&attribute::SOURCE_ADDRESS)?.and_then(ip_of))
        })
    }

    /// Address of the client as the host derived it from trusted forwarding headers.
    pub(crate) fn remote_ip(&self) -> Result<Option<IpAddr>> {
        once(&self.remote_ip, || Ok(self.text(&attribute::SOURCE_ADDRESS)?.and_then(ip_of)))
    }

    pub(crate) fn destination_ip(&self) -> Result<Option<IpAddr>> {
        Ok(self.text(&attribute::DESTINATION_ADDRESS)?.and_then(ip_of))
    }

    pub(crate) fn destination_port(&self) -> Result<Option<u16>> {
        let port = self.text(&attribute::DESTINATION_PORT)?;
        let port = port.and_then(|port| port.try_into().ok()).map(i64::from_le_bytes);
        Ok(port.and_then(|port| u16::try_from(port).ok()))
    }

    /// Any attribute, as bytes.
    pub(crate) fn text(&self, attribute: &Attribute) -> Result<Option<&'s [u8]>> {
        self.exchange.attribute(attribute)
    }
}

fn once<T: Copy>(
    cell: &OnceCell<Option<T>>,
    read: impl FnOnce() -> Result<Option<T>>,
) -> Result<Option<T>> {
    if let Some(value) = cell.get() {
        return Ok(*value);
    }
    let value = read()?;
    Ok(*cell.get_or_init(|| value))
}
