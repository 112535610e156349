//! The files of the demo: the quickstart policies, written where they can be edited, on ports that
//! are free.

use super::Running;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

macro_rules! quickstart {
    ($name:literal) => {
        include_str!(concat!("../../../../policies/quickstart/", $name))
    };
}

/// Name and text of every file in `policies/quickstart`.
pub(super) const QUICKSTART: &[(&str, &str)] = &[
    ("authorization-policy.yaml", quickstart!("authorization-policy.yaml")),
    ("destination-rule.yaml", quickstart!("destination-rule.yaml")),
    ("proxy.yaml", quickstart!("proxy.yaml")),
    ("registry.yaml", quickstart!("registry.yaml")),
    ("telemetry.yaml", quickstart!("telemetry.yaml")),
    ("virtual-service.yaml", quickstart!("virtual-service.yaml")),
];

/// The ports of the demo. The documents are written for a base of 8080; with another one, all move
/// by the same distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    shift: i32,
}

impl Ports {
    pub(crate) const BASE: u16 = 8080;
    const FRONTEND: u16 = 8080;
    const STRANGER: u16 = 8081;
    const INBOUND: [u16; 2] = [9081, 9082];
    const ORIGINS: [u16; 2] = [9091, 9092];
    const ADMIN: u16 = 15000;

    /// Ports from `base` on. Errors when one of them would not be a port.
    pub(crate) fn from_base(base: u16) -> io::Result<Self> {
        let ports = Self { shift: i32::from(base) - i32::from(Self::BASE) };
        let highest = i32::from(Self::ADMIN) + ports.shift;
        if base == 0 || highest > i32::from(u16::MAX) {
            let base_max = u16::MAX - (Self::ADMIN - Self::BASE);
            let message = format!("port base {base} is out of range: 1 to {base_max}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(ports)
    }

    pub(crate) fn data(self) -> SocketAddr {
        self.address(Self::FRONTEND)
    }

    pub(crate) fn stranger(self) -> SocketAddr {
        self.address(Self::STRANGER)
    }

    /// Inbound listeners of user-service v1 and v2.
    pub(crate) fn inbound(self) -> [SocketAddr; 2] {
        Self::INBOUND.map(|port| self.address(port))
    }

    /// The origins, user-service v1 and v2.
    pub(crate) fn origins(self) -> [SocketAddr; 2] {
        Self::ORIGINS.map(|port| self.address(port))
    }

    pub(crate) fn admin(self) -> SocketAddr {
        self.address(Self::ADMIN)
    }

    fn all(self) -> impl Iterator<Item = SocketAddr> {
        let proxy = [self.data(), self.stranger(), self.admin()].into_iter();
        proxy.chain(self.inbound()).chain(self.origins())
    }

    fn address(self, written: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.moved(written)))
    }

    /// `from_base` has made sure that every port of the demo stays one.
    fn moved(self, written: u16) -> u16 {
        u16::try_from(i32::from(written) + self.shift).unwrap_or(written)
    }

    /// `text` with every `:PORT` and `: PORT` of the demo moved.
    fn rewrite(self, text: &str) -> String {
        let ours = [Self::FRONTEND, Self::STRANGER, Self::ADMIN];
        let is_ours = |port: &u16| {
            ours.contains(port) || Self::INBOUND.contains(port) || Self::ORIGINS.contains(port)
        };
        let mut written = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
            let digits = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
            let port = digits.parse().ok().filter(is_ours);
            match port {
                Some(port) => written.push_str(&self.moved(port).to_string()),
                None => written.push_str(digits),
            }
            written.push_str(piece.get(digits.len()..).unwrap_or_default());
        }
        written
    }
}

/// Folders of one demo. They stay until `remove`.
#[derive(Debug)]
pub(crate) struct Workspace {
    folder: PathBuf,
    pub(crate) policies: PathBuf,
    pub(crate) plugins: PathBuf,
    pub(crate) ports: Ports,
}

impl Workspace {
    /// Where everything is once the proxy serves this workspace.
    pub(crate) fn running(&self) -> Running {
        let [inbound, _] = self.ports.inbound();
        Running {
            data: self.ports.data(),
            stranger: self.ports.stranger(),
            inbound,
            admin: self.ports.admin(),
            policies: self.policies.clone(),
            plugins: self.plugins.clone(),
        }
    }

    /// Turns the access log off: thousands of lines would bury what the tour prints.
    pub(crate) fn silence_access_log(&self) -> io::Result<()> {
        let file = self.policies.join("telemetry.yaml");
        let text = fs::read_to_string(&file)?;
        let silent = text.replace(
            "  accessLogging:\n  - providers:\n    - name: envoy\n",
            "  accessLogging:\n  - disabled: true\n",
        );
        fs::write(file, silent)
    }

    pub(crate) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.folder)
    }
}

/// Writes the quickstart policies to a new folder that only this user can read.
///
/// Errors when a port of the demo is taken (the message says which, and what to do) or the folder
/// cannot be written.
pub(crate) fn prepare(ports: Ports) -> io::Result<Workspace> {
    ports.all().try_for_each(require_free)?;
    let folder = new_folder(&std::env::temp_dir())?;
    let workspace = Workspace {
        policies: folder.join("policies"),
        plugins: folder.join("plugins"),
        folder,
        ports,
    };
    fs::create_dir(&workspace.policies)?;
    fs::create_dir(&workspace.plugins)?;
    for (name, text) in QUICKSTART {
        fs::write(workspace.policies.join(name), ports.rewrite(text))?;
    }
    Ok(workspace)
}

/// A listener of another program, with or without `SO_REUSEPORT`, refuses this plain bind.
fn require_free(address: SocketAddr) -> io::Result<()> {
    let port = address.port();
    TcpListener::bind(address).map(drop).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another program listens there (`ss -ltnp 'sport = :{port}'` names it); stop it, \
                 or move the demo with `--port-base N`"
            ),
            io::ErrorKind::PermissionDenied => "choose a higher `--port-base N`".to_owned(),
            _ => format!("{error}; another `--port-base N` may help"),
        };
        io::Error::new(error.kind(), format!("cannot listen on {address}: {remedy}"))
    })
}

/// `create` fails on a name that exists, so a folder prepared by somebody else is never used.
fn new_folder(parent: &Path) -> io::Result<PathBuf> {
    const ATTEMPTS_MAX: u32 = 100;
    let process = std::process::id();
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    for attempt in 0..ATTEMPTS_MAX {
        let folder = parent.join(format!("weir-demo-{process}-{attempt}"));
        match builder.create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|()| folder),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name for the folder of the demo"))
}
