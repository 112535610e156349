//! Opens HTTP/1.1 connections to endpoints.

use super::UpstreamError;
use super::body::RequestBody;
use super::peers::{Identity, Peers, Registered};
use crate::plan::cluster::Address;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// Response head bytes read from upstream at most, and the size of hyper's read buffer.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A connection that carries one request at a time.
pub struct Connection {
    pub sender: SendRequest<RequestBody>,
    pub peer: SocketAddr,
    pub local: SocketAddr,
}

/// Connects within `timeout` and starts the task that drives the connection on this thread.
pub async fn connect(
    address: &Address,
    timeout: Duration,
    peers: &Peers,
    identity: Option<&Identity>,
) -> Result<Connection, UpstreamError> {
    let opened = tokio::time::timeout(timeout, open(address, peers, identity)).await;
    let (stream, registered) = match opened {
        Ok(opened) => opened.map_err(UpstreamError::Connect)?,
        Err(_) => return Err(UpstreamError::ConnectTimeout(timeout)),
    };
    stream.set_nodelay(true).map_err(UpstreamError::Connect)?;
    let peer = stream.peer_addr().map_err(UpstreamError::Connect)?;
    let local = stream.local_addr().map_err(UpstreamError::Connect)?;
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(UpstreamError::Reset)?;
    tokio::task::spawn_local(async move {
        let mut driver = pin!(driver);
        // Its end reaches the request in flight, which reports it.
        let _ = driver.as_mut().await;
        // Before the socket is closed and its address is free for others.
        drop(registered);
    });
    Ok(Connection { sender, peer, local })
}

async fn open(
    address: &Address,
    peers: &Peers,
    identity: Option<&Identity>,
) -> io::Result<(TcpStream, Option<Registered>)> {
    match address {
        Address::Socket(address) => open_socket(*address, peers, identity).await,
        Address::Name { host, port } => {
            let mut last = None;
            for address in tokio::net::lookup_host((host.as_str(), *port)).await? {
                match open_socket(address, peers, identity).await {
                    Ok(opened) => return Ok(opened),
                    Err(error) => last = Some(error),
                }
            }
            let unknown = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            Err(last.unwrap_or_else(unknown))
        }
    }
}

/// A connection to a listener of our own is bound first, so that the listener can look up who calls.
async fn open_socket(
    address: SocketAddr,
    peers: &Peers,
    identity: Option<&Identity>,
) -> io::Result<(TcpStream, Option<Registered>)> {
    let Some(identity) = identity.filter(|_| peers.is_inbound(address)) else {
        return Ok((TcpStream::connect(address).await?, None));
    };
    let (socket, any): (_, IpAddr) = match address {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, Ipv6Addr::LOCALHOST.into()),
    };
    // A listener on another of this machine's addresses is called from that address.
    let source = if address.ip().is_loopback() { any } else { address.ip() };
    socket.bind(SocketAddr::new(source, 0))?;
    let registered = peers.register(socket.local_addr()?, identity.clone());
    Ok((socket.connect(address).await?, Some(registered)))
}
