//! Sockets, tuning and io_uring for Linux.
