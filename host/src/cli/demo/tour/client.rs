//! A plain HTTP/1.1 client with keep-alive: one address, as many connections as are in use.

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("connect: {0}")]
    Connect(#[source] io::Error),
    #[error("exchange: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("request: {0}")]
    Request(#[from] http::Error),
    #[error("no answer in {ANSWER_MAX:?}")]
    Timeout,
}

/// What to send to user-service.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Sends `canary: true`.
    pub(super) canary: bool,
}

impl Ask {
    /// Takes the rule with the split and the faults.
    pub(super) const STABLE: Self = Self { method: Method::GET, path: "/", canary: false };
    /// Takes the rule that always answers, from v2.
    pub(super) const CANARY: Self = Self { canary: true, ..Self::STABLE };
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Of the origin that answered.
    pub(super) version: Option<String>,
    pub(super) body: Bytes,
    /// From the request to the last byte of the answer, connecting aside.
    pub(super) elapsed: Duration,
}

impl Answer {
    pub(super) fn is_from(&self, version: &str) -> bool {
        self.status == StatusCode::OK && self.version.as_deref() == Some(version)
    }

    /// What fault injection answers in place of the origin.
    pub(super) fn is_abort(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE && self.body == "fault filter abort"
    }

    pub(super) fn is_denied(&self) -> bool {
        self.status == StatusCode::FORBIDDEN && self.body == "RBAC: access denied"
    }
}

type Connection = SendRequest<Empty<Bytes>>;

#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    /// Last in, first out.
    idle: RefCell<Vec<Connection>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Rc<Self> {
        Rc::new(Self { address, idle: RefCell::default() })
    }

    pub(super) async fn send(&self, ask: &Ask) -> Result<Answer, ClientError> {
        tokio::time::timeout(ANSWER_MAX, self.exchange(ask))
            .await
            .unwrap_or(Err(ClientError::Timeout))
    }

    async fn exchange(&self, ask: &Ask) -> Result<Answer, ClientError> {
        let mut request =
            Request::builder().method(&ask.method).uri(ask.path).header(HOST, "user-service");
        if ask.canary {
            request = request.header("canary", "true");
        }
        let request = request.body(Empty::new())?;
        let mut connection = self.connection().await?;
        let start = Instant::now();
        let response = connection.send_request(request).await?;
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let version = header("x-version").map(str::to_owned);
        let closes = header(CONNECTION.as_str()) == Some("close");
        let body = response.into_body().collect().await?.to_bytes();
        let elapsed = start.elapsed();
        if !closes {
            self.idle.borrow_mut().push(connection);
        }
        Ok(Answer { status, version, body, elapsed })
    }

    /// An idle connection that its peer has not closed, else a new one.
    async fn connection(&self) -> Result<Connection, ClientError> {
        loop {
            let Some(mut connection) = self.idle.borrow_mut().pop() else { break };
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        let stream = TcpStream::connect(self.address).await.map_err(ClientError::Connect)?;
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its errors are those of the request it carries.
        tokio::task::spawn_local(connection);
        sender.ready().await?;
        Ok(sender)
    }
}
