//! Binds listeners and accepts from them: what an accept error means.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use super::inherited::Sockets;
use crate::config::Place;

/// How long to wait after an error of the machine's (no descriptor left): spinning would make it worse.
const BREATHER: Duration = Duration::from_millis(100);
/// How often such an error is told of, at most.
const REPEAT: Duration = Duration::from_secs(10);

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// When an error of the machine's was told of last.
    told: Mutex<Option<Instant>>,
}

/// Why something can't be listened on; exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}: {}", advice(.cause))]
pub struct BindError {
    /// Where.
    pub place: Place,
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
    /// Listens at `place`: at the address, of which port 0 takes any free one, or on those of the sockets that were handed over and
    /// have that name.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(place: &Place, handed: &mut Sockets) -> Result<Vec<Self>, BindError> {
        let failed = |cause| BindError { place: place.clone(), cause };
        match place {
            Place::Address(address) => {
                let socket = TcpListener::bind(address).await.map_err(failed)?;
                Ok(vec![Self::new(socket).map_err(failed)?])
            }
            Place::Inherited(name) => {
                let listener = |socket: std::net::TcpListener| {
                    socket.set_nonblocking(true)?;
                    Self::new(TcpListener::from_std(socket)?)
                };
                handed.take(name).and_then(|all| all.into_iter().map(listener).collect()).map_err(failed)
            }
        }
    }

    fn new(socket: TcpListener) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(Self { socket, address, told: Mutex::default() })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn is_to_be_told(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| told.elapsed() >= REPEAT);
        if is_due {
            *told = Some(Instant::now());
        }
        is_due
    }

    /// The next connection, with TCP_NODELAY set, and whence it came. Errors of one connection are passed over, those of
    /// the machine waited out.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => {
                    let _best_effort = stream.set_nodelay(true);
                    return (stream, address);
                }
                Err(error) if is_of_one_connection(&error) => {
                    debug!(%error, "a client was gone before it was accepted");
                }
                Err(error) => {
                    if self.is_to_be_told() {
                        warn!(%error, "cannot accept connections; trying again");
                    }
                    tokio::time::sleep(BREATHER).await;
                }
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
        let bind = async |address: SocketAddr| Listener::bind(&address.into(), &mut Sockets::default()).await;
        let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = bind(first[0].address()).await.unwrap_err();
        assert!(error.to_string().contains("choose another port"), "{error}");
    }
}
