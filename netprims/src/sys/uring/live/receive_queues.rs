use std::io;

use super::Live;
use crate::sys::uring::zcrx::{
    Control, Provider, QueryEvents, QueryOperations, QueryQueues, Registration, SystemCalls,
};

impl Live {
    fn calls(&self) -> io::Result<SystemCalls<'_>> {
        self.at_home()?;
        Ok(SystemCalls::on(self.fd()))
    }
}

// SAFETY: as for the system calls it makes.
unsafe impl Provider for Live {
    unsafe fn register_queue(&mut self, registration: &mut Registration) -> io::Result<()> {
        // SAFETY: the caller's promise is what the call needs.
        unsafe { self.calls()?.register_queue(registration) }
    }

    fn control(&mut self, control: &mut Control) -> io::Result<()> {
        self.calls()?.control(control)
    }

    fn operations(&mut self) -> io::Result<QueryOperations> {
        self.calls()?.operations()
    }

    fn queues(&mut self) -> io::Result<QueryQueues> {
        self.calls()?.queues()
    }

    fn events(&mut self) -> io::Result<QueryEvents> {
        self.calls()?.events()
    }
}
