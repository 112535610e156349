//! A bound socket of one worker and its accept loop.

use super::connection;
use super::worker::Worker;
use crate::snapshot::router::Listener;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Connections waiting to be accepted at most, for each worker.
const BACKLOG: i32 = 1024;

/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// Binds with `SO_REUSEPORT`: every worker has a socket of its own on the same address. It gets no
/// connection before [`listen`].
pub(super) fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// From now on the kernel gives this socket its share of the connections.
pub(super) fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until `drain` says stop, then closes the socket. Connections follow by themselves.
pub(super) async fn accept(
    worker: Rc<Worker>,
    socket: TcpListener,
    listener: Arc<Listener>,
    mut drain: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = socket.accept() => accepted,
            // Only when nobody waits to be accepted: closing the socket would reset them.
            _ = drain.wait_for(|drain| *drain) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let serving =
                    connection::serve(Rc::clone(&worker), Arc::clone(&listener), drain.clone());
                tokio::task::spawn_local(serving.with(stream, peer));
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(listener = %listener.name, %error, "cannot accept");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
