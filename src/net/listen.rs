//! Binds listeners and accepts from them: who may connect, how many at once, and what an accept error means.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

/// Connections served at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 16 * 1024;
/// How long to wait after an error of the machine's (no descriptor left): spinning would make it worse.
const BREATHER: Duration = Duration::from_millis(500);

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Who may connect.
#[derive(Clone, Debug)]
pub struct Admission {
    allow: Arc<[IpNet]>,
    places: Arc<Semaphore>,
}

/// A client that may be served, holding its place among the connections.
#[derive(Debug)]
pub struct Client {
    /// The connection, with TCP_NODELAY set.
    pub stream: TcpStream,
    /// Whence it came, IPv4 as IPv4.
    pub address: IpAddr,
    /// Its place among the connections; to be held as long as anything of it lives.
    pub place: Place,
}

/// A place among the connections that are served at once.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

/// Why an address can't be listened on; exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", advice(.cause))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub cause: io::Error,
}

fn advice(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it, or choose another port (0 takes any free one)".into()
        }
        io::ErrorKind::PermissionDenied => "no permission; ports below 1024 need it, choose one above".into(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; `ip address` lists those it has".into(),
        _ => cause.to_string(),
    }
}

impl Listener {
    /// Binds `address`; port 0 takes any free one.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |cause| BindError { address, cause };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next client that may be served. Errors of one connection are passed over, those of the machine waited out.
    pub async fn accept(&self, admission: &Admission) -> Client {
        loop {
            let place = admission.place().await;
            match self.socket.accept().await {
                Ok((stream, address)) => {
                    let address = address.ip().to_canonical();
                    if admission.admits(address) {
                        let _best_effort = stream.set_nodelay(true);
                        return Client { stream, address, place };
                    }
                    warn!(client = %address, "refused a client that no `listen.allow` network holds");
                }
                Err(error) if is_of_one_connection(&error) => {
                    debug!(%error, "a client was gone before it was accepted");
                }
                Err(error) => {
                    warn!(%error, "cannot accept connections; trying again");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }
}

impl Admission {
    /// Admits clients from `allow`.
    #[must_use]
    pub fn new(allow: &[IpNet]) -> Self {
        Self { allow: allow.into(), places: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    fn admits(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(&address))
    }

    async fn place(&self) -> Place {
        loop {
            // The semaphore is never closed.
            if let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
                return Place(place);
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_says_what_to_do() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = Listener::bind(first.address()).await.unwrap_err();
        assert!(error.to_string().contains("choose another port"), "{error}");
    }

    #[test]
    fn only_the_networks_named_are_admitted() {
        let admission = Admission::new(&["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(admission.admits("127.0.0.1".parse().unwrap()));
        assert!(admission.admits("::ffff:127.0.0.1".parse::<IpAddr>().unwrap().to_canonical()));
        assert!(!admission.admits("192.0.2.1".parse().unwrap()));
    }
}
