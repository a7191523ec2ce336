//! The sockets that systemd opened for us before we were started: connections wait in them while we restart
//! (systemd.socket(5), sd_listen_fds(3)).

use std::io;
use std::net::TcpListener;

#[cfg(unix)]
use crate::config::Environment;

/// The sockets that this process was handed, by name. Of each, one is given out once.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(String, Option<TcpListener>)>);

impl Sockets {
    /// Those of this process: none if they are meant for another one (`LISTEN_PID`).
    ///
    /// # Errors
    /// That one of them is no TCP socket that listens.
    #[cfg(unix)]
    pub fn of_process() -> io::Result<Self> {
        let mut handed = listenfd::ListenFd::from_env();
        let names = Environment::from_process().var("LISTEN_FDNAMES").map(|names| names.to_string_lossy().into_owned());
        let mut names = names.iter().flat_map(|names| names.split(':'));
        let sockets = (0..handed.len()).map(|index| {
            // What systemd itself says of a socket without a name.
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown");
            Ok((name.to_owned(), handed.take_tcp_listener(index)?))
        });
        sockets.collect::<io::Result<_>>().map(Self)
    }

    /// None: nobody hands sockets over here.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub const fn of_process() -> io::Result<Self> {
        Ok(Self(Vec::new()))
    }

    /// Takes those of that name: a unit gives one name to all of its sockets.
    ///
    /// # Errors
    /// That there is none, and what there is instead.
    pub fn take(&mut self, name: &str) -> io::Result<Vec<TcpListener>> {
        let named = self.0.iter_mut().filter(|(of, _)| of == name);
        let taken: Vec<TcpListener> = named.filter_map(|(_, socket)| socket.take()).collect();
        if !taken.is_empty() {
            return Ok(taken);
        }
        let others: Vec<String> = self.0.iter().map(|(name, _)| format!("`{name}`")).collect();
        let instead = if others.is_empty() {
            "systemd handed over no socket; start the socket unit, which starts namewall".to_owned()
        } else {
            format!("systemd handed over {}; write `FileDescriptorName={name}` into the socket unit", others.join(", "))
        };
        Err(io::Error::new(io::ErrorKind::NotFound, instead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_out_once() {
        let socket = || Some(TcpListener::bind("127.0.0.1:0").unwrap());
        let mut sockets =
            Sockets(vec![("a".to_owned(), socket()), ("b".to_owned(), socket()), ("a".to_owned(), socket())]);
        assert_eq!(sockets.take("a").unwrap().len(), 2);
        assert!(sockets.take("a").is_err());
        let error = sockets.take("c").unwrap_err().to_string();
        assert!(error.contains("`b`") && error.contains("FileDescriptorName=c"), "{error}");
        assert!(Sockets::default().take("c").unwrap_err().to_string().contains("no socket;"));
    }
}
