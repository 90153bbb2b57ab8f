//! The end of a stream of which nothing comes any more.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::Sleep;

/// After this long without a byte nobody is at the other end any more.
const LONGEST: Duration = Duration::from_secs(60);

/// Since when nothing has come.
#[derive(Default)]
pub(crate) struct Silence(Option<Pin<Box<Sleep>>>);

impl Silence {
    /// Something came.
    pub(crate) fn broken(&mut self) {
        self.0 = None;
    }

    /// Nothing has come, and at some time that is an error.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LONGEST)));
        ready!(sleep.as_mut().poll(context));
        let late = format!("nothing came for {} s", LONGEST.as_secs());
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, late))
    }
}
