//! How many are served at once, in all and of each client; and who is one too many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::name::Client;

/// Counts what is open. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Crowd(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    most: usize,
    most_of_one: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of: HashMap<Client, usize>,
}

/// A place among those that are served at once, given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    crowd: Crowd,
    of: Option<Client>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// As many as can be are served.
    #[error("there are as many as may be")]
    All,
    /// As many as can be of this client are served.
    #[error("there are as many as one client may have")]
    OfOne,
}

impl Crowd {
    /// At most `most` at once, and at most `most_of_one` of one client.
    #[must_use]
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Self(Arc::new(Counted { most, most_of_one, open: Mutex::default() }))
    }

    /// A place, for whomever it may be.
    ///
    /// # Errors
    /// [`Full::All`].
    pub fn enter(&self) -> Result<Seat, Full> {
        let mut open = self.open();
        if open.all >= self.0.most {
            return Err(Full::All);
        }
        open.all += 1;
        Ok(Seat { crowd: self.clone(), of: None })
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Counts it to the client at `address`, as soon as that is known.
    ///
    /// # Errors
    /// [`Full::OfOne`].
    pub fn belongs_to(&mut self, address: IpAddr) -> Result<(), Full> {
        let client = Client::at(address);
        let mut open = self.crowd.open();
        let of_one = open.of.entry(client).or_default();
        if *of_one >= self.crowd.0.most_of_one {
            return Err(Full::OfOne);
        }
        *of_one += 1;
        drop(open);
        self.of = Some(client);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.crowd.open();
        open.all -= 1;
        if let Some(of) = self.of
            && let Entry::Occupied(mut of_one) = open.of.entry(of)
        {
            *of_one.get_mut() -= 1;
            // Clients come and go for months.
            if *of_one.get() == 0 {
                of_one.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_of_each() {
        let crowd = Crowd::new(3, 2);
        let enter = |last: u8| {
            let mut seat = crowd.enter()?;
            seat.belongs_to([192, 0, 2, last].into()).map(|()| seat)
        };
        let first = enter(1).unwrap();
        let second = enter(1).unwrap();
        assert_eq!(enter(1).unwrap_err(), Full::OfOne);
        let other = enter(2).unwrap();
        assert_eq!(crowd.enter().unwrap_err(), Full::All);
        drop((first, second));
        let third = enter(3).unwrap();
        assert!(enter(1).is_ok());
        drop((third, other));
        assert!(crowd.open().of.is_empty() && crowd.open().all == 0);
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_are_one_client() {
        let crowd = Crowd::new(10, 1);
        let enter = |address: &str| {
            let mut seat = crowd.enter()?;
            seat.belongs_to(address.parse().unwrap()).map(|()| seat)
        };
        let _first = enter("2001:db8::1").unwrap();
        assert_eq!(enter("2001:db8::2").unwrap_err(), Full::OfOne);
        assert!(enter("2001:db8:0:1::1").is_ok());
    }
}
