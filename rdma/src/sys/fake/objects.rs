//! The control path of the fake device.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::mem;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use super::super::async_event::AsyncEvent;
use super::super::errno::Errno;
use super::super::ffi;
use super::super::verbs::Verbs;
use super::asynchronous::bell;
use super::extended::{FakeCq, FakeQp};
use super::state::{Entries, Registered};
use super::{Fake, LATE, Posted, ops};

/// A context, and the way from it to its device.
#[repr(C)]
pub(super) struct FakeContext {
    context: ffi::Context,
    fake: Fake,
}

/// The device behind a context.
///
/// # Safety
/// `context` is one of this provider's and open.
pub(super) unsafe fn fake_of<'a>(context: *mut ffi::Context) -> &'a Fake {
    // SAFETY: every context of this provider is the first member of a `FakeContext`.
    let context = unsafe { &*context.cast::<FakeContext>() };
    &context.fake
}

fn leak<T>(value: T) -> NonNull<T> {
    NonNull::from(Box::leak(Box::new(value)))
}

impl Fake {
    fn cq(
        &self,
        context: NonNull<ffi::Context>,
        entries: c_int,
        number: usize,
        channel: Option<*mut ffi::CompChannel>,
        wc_flags: u64,
    ) -> NonNull<FakeCq> {
        let mut cq = FakeCq::new(wc_flags);
        cq.base().context = context.as_ptr();
        cq.base().cqe = self.state().grant.unwrap_or(entries);
        // SAFETY: an existing channel.
        let bell = channel.map(|channel| unsafe { (*channel).fd });
        let cq = leak(cq);
        self.state().cqs.push(Entries {
            cq: cq.addr().get(),
            number,
            bell,
            armed: false,
            // Room for what a test completes, so that completing allocates nothing.
            entries: VecDeque::with_capacity(256),
        });
        let needs = [context.addr().get(), channel.map_or(0, |it| it.addr())];
        self.exists("a completion queue", cq, &needs)
    }

    fn qp(&self, mut qp: FakeQp) -> NonNull<ffi::Qp> {
        self.state().qp_state = 0;
        let base = qp.base();
        let named = (base.qp_num, base.qp_context.addr());
        self.state().qp_numbers.push(named);
        let needs = [
            base.send_cq.addr(),
            base.recv_cq.addr(),
            base.srq.addr(),
            base.pd.addr(),
        ];
        self.exists("a queue pair", leak(qp).cast(), &needs)
    }

    pub(super) fn made(&self, call: &'static str) -> u32 {
        let mut state = self.state();
        state.calls.push(call);
        state.next_number += 1;
        state.next_number
    }

    /// Notes an object, and what it uses.
    fn exists<T>(&self, kind: &'static str, object: NonNull<T>, needs: &[usize]) -> NonNull<T> {
        let mut state = self.state();
        state.contract.made(kind, object.addr().get(), needs);
        object
    }

    /// An object is to end.
    fn ends<T>(&self, kind: &'static str, object: NonNull<T>) {
        self.state().contract.ends(kind, object.addr().get());
    }

    /// An object has ended.
    fn gone<T>(&self, object: NonNull<T>) {
        self.state().contract.gone(object.addr().get());
    }
}

// SAFETY: 1: objects are leaked boxes, freed by the matching call or never. 2: the state is behind
// a mutex. 3–5: see `ops` and `State::dma`; the tests break promise 5 on purpose, and look at the
// bytes through another mapping only.
unsafe impl Verbs for Fake {
    fn device_list(&self) -> Result<(NonNull<*mut ffi::Device>, usize), Errno> {
        self.made("get_device_list");
        // SAFETY: integers and pointers: zero is a valid value.
        let mut device: ffi::Device = unsafe { mem::zeroed() };
        for (to, from) in device.name.iter_mut().zip(b"fake0") {
            *to = std::ffi::c_char::from_ne_bytes([*from]);
        }
        device.node_type = 1;
        Ok((leak(leak(device).as_ptr()), 1))
    }

    unsafe fn free_device_list(&self, list: NonNull<*mut ffi::Device>) {
        self.made("free_device_list");
        // SAFETY: made by `device_list` as a box.
        let list = unsafe { Box::from_raw(list.as_ptr()) };
        // SAFETY: likewise.
        drop(unsafe { Box::from_raw(*list) });
    }

    unsafe fn open_device(
        &self,
        device: NonNull<ffi::Device>,
    ) -> Result<NonNull<ffi::Context>, Errno> {
        self.made("open_device");
        // SAFETY: integers, pointers and options of functions: zero is a valid value.
        let mut context: ffi::Context = unsafe { mem::zeroed() };
        context.device = device.as_ptr();
        context.async_fd = bell();
        self.state().async_bell = context.async_fd;
        context.ops.poll_cq = Some(ops::poll_cq);
        context.ops.req_notify_cq = Some(ops::req_notify_cq);
        context.ops.alloc_mw = Some(ops::alloc_mw);
        context.ops.dealloc_mw = Some(ops::dealloc_mw);
        context.ops.post_send = Some(ops::post_send);
        context.ops.post_recv = Some(ops::post_recv);
        context.ops.post_srq_recv = Some(ops::post_srq_recv);
        let context = leak(FakeContext {
            context,
            fake: self.clone(),
        });
        Ok(self.exists("a device", context.cast(), &[]))
    }

    unsafe fn close_device(&self, context: NonNull<ffi::Context>) -> Result<(), Errno> {
        self.made("close_device");
        self.ends("a device", context);
        if self.state().refuse_close {
            return Err(Errno::new(libc::EBUSY));
        }
        self.gone(context);
        // SAFETY: made by `open_device` as a box.
        let context = unsafe { Box::from_raw(context.cast::<FakeContext>().as_ptr()) };
        // SAFETY: its own descriptor.
        unsafe { libc::close(context.context.async_fd) };
        Ok(())
    }

    unsafe fn query_device(
        &self,
        _: NonNull<ffi::Context>,
        attr: &mut ffi::DeviceAttr,
    ) -> Result<(), Errno> {
        attr.phys_port_cnt = 1;
        attr.max_qp = -1;
        attr.vendor_id = self.state().vendor_id;
        Ok(())
    }

    unsafe fn query_device_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::DeviceAttrEx,
    ) -> Result<(), Errno> {
        let extras = self.state().extras.ok_or(Errno::new(libc::EOPNOTSUPP))?;
        // SAFETY: the caller's promise.
        unsafe { self.query_device(context, &mut attr.orig_attr) }?;
        attr.device_cap_flags_ex = extras.capabilities;
        attr.completion_timestamp_mask = extras.timestamp_mask;
        attr.hca_core_clock = extras.core_clock_khz;
        attr.odp_caps.general_caps = u64::from(self.state().pages_on_demand);
        Ok(())
    }

    unsafe fn query_rt_values(
        &self,
        _: NonNull<ffi::Context>,
        values: &mut ffi::ValuesEx,
    ) -> Result<(), Errno> {
        let mut state = self.state();
        state.clock += 1;
        values.raw_clock.tv_nsec = state.clock.try_into().unwrap();
        Ok(())
    }

    unsafe fn query_port(
        &self,
        _: NonNull<ffi::Context>,
        port: u8,
        attr: &mut ffi::PortAttr,
    ) -> Result<(), Errno> {
        if port != 1 {
            return Err(Errno::new(libc::EINVAL));
        }
        (attr.state, attr.max_mtu, attr.active_mtu) = (4, 5, 3);
        (attr.gid_tbl_len, attr.link_layer) = (2, 2);
        (attr.active_width, attr.active_speed, attr.phys_state) = (2, 32, 5);
        (attr.pkey_tbl_len, attr.port_cap_flags) = (3, 1 << 26 | 1 << 31);
        attr.max_msg_sz = self.state().max_message;
        Ok(())
    }

    unsafe fn query_gid(
        &self,
        _: NonNull<ffi::Context>,
        _: u32,
        index: u32,
        entry: &mut ffi::GidEntry,
    ) -> Result<(), Errno> {
        if index > 1 {
            return Err(Errno::new(libc::ENODATA));
        }
        let mut raw = [0; 16];
        let address: [u8; 4] = if index == 0 {
            [0xfe, 0x80, 0, 1]
        } else {
            [10, 9, 0, 1]
        };
        if index == 0 {
            raw[..4].copy_from_slice(&address);
        } else {
            raw[10..12].fill(0xff);
            raw[12..].copy_from_slice(&address);
        }
        *entry = ffi::GidEntry {
            gid: ffi::Gid { raw },
            gid_index: index,
            port_num: 1,
            gid_type: 2,
            ndev_ifindex: 1,
        };
        Ok(())
    }

    unsafe fn query_gid_table(
        &self,
        context: NonNull<ffi::Context>,
        entries: &mut [ffi::GidEntry],
    ) -> Result<usize, Errno> {
        for (index, entry) in (0..).zip(&mut *entries) {
            // SAFETY: the caller's promise.
            unsafe { self.query_gid(context, 1, index, entry) }?;
        }
        Ok(entries.len())
    }

    unsafe fn query_pkey(
        &self,
        _: NonNull<ffi::Context>,
        _: u8,
        index: c_int,
    ) -> Result<u16, Errno> {
        match index {
            0 => Ok(0xffff_u16.to_be()),
            1 => Ok(0),
            2 => Ok(0x1234_u16.to_be()),
            _ => Err(Errno::new(libc::EINVAL)),
        }
    }

    unsafe fn alloc_pd(&self, context: NonNull<ffi::Context>) -> Result<NonNull<ffi::Pd>, Errno> {
        let handle = self.made("alloc_pd");
        let pd = leak(ffi::Pd {
            context: context.as_ptr(),
            handle,
        });
        Ok(self.exists("a domain", pd, &[context.addr().get()]))
    }

    unsafe fn dealloc_pd(&self, pd: NonNull<ffi::Pd>) -> Result<(), Errno> {
        self.made("dealloc_pd");
        self.ends("a domain", pd);
        if self.state().refuse_dealloc_pd {
            return Err(Errno::new(libc::EBUSY));
        }
        self.gone(pd);
        // SAFETY: made by `alloc_pd` as a box.
        drop(unsafe { Box::from_raw(pd.as_ptr()) });
        Ok(())
    }

    unsafe fn reg_mr(
        &self,
        pd: NonNull<ffi::Pd>,
        addr: NonNull<u8>,
        length: usize,
        access: c_int,
    ) -> Result<NonNull<ffi::Mr>, Errno> {
        if let Some(number) = self.state().refuse_reg_mr {
            return Err(Errno::new(number));
        }
        let lkey = self.made("reg_mr");
        let address = addr.as_ptr().expose_provenance() as u64;
        let region = Registered {
            access,
            lkey,
            address,
            length: length as u64,
        };
        self.state().regions.push(region);
        let mr = leak(ffi::Mr {
            context: ptr::null_mut(),
            pd: pd.as_ptr(),
            addr: addr.as_ptr().cast(),
            length,
            handle: lkey,
            lkey,
            rkey: lkey,
        });
        Ok(self.exists("a region", mr, &[pd.addr().get()]))
    }

    unsafe fn reg_dmabuf_mr(
        &self,
        pd: NonNull<ffi::Pd>,
        _: BorrowedFd<'_>,
        offset: u64,
        length: usize,
        access: c_int,
    ) -> Result<NonNull<ffi::Mr>, Errno> {
        if let Some(number) = self.state().refuse_reg_mr {
            return Err(Errno::new(number));
        }
        let lkey = self.made("reg_dmabuf_mr");
        // Its bytes are no memory of this process, so no region is noted for `dma`.
        self.state().dmabuf = Some((offset, length, access));
        Ok(leak(ffi::Mr {
            context: ptr::null_mut(),
            pd: pd.as_ptr(),
            addr: ptr::null_mut(),
            length,
            handle: lkey,
            lkey,
            rkey: lkey,
        }))
    }

    unsafe fn dereg_mr(&self, mr: NonNull<ffi::Mr>) -> Result<(), Errno> {
        self.made("dereg_mr");
        self.ends("a region", mr);
        if self.state().refuse_dereg_mr {
            return Err(Errno::new(libc::EBUSY));
        }
        self.gone(mr);
        // SAFETY: made by `reg_mr` as a box.
        let mr = unsafe { Box::from_raw(mr.as_ptr()) };
        let mut state = self.state();
        if state.is_late {
            // Peers are served to the last.
            let (start, len) = (mr.addr.addr() as u64, u32::try_from(mr.length).unwrap());
            state.peer_writes(mr.rkey, start, len, LATE);
        }
        let named = |posted: &Posted| posted.pieces.iter().any(|piece| piece.lkey == mr.lkey);
        if state.posted.iter().any(named) {
            state.contract.breaks("a region ends that a request names");
        }
        state.regions.retain(|region| region.lkey != mr.lkey);
        Ok(())
    }

    unsafe fn create_channel(
        &self,
        context: NonNull<ffi::Context>,
    ) -> Result<NonNull<ffi::CompChannel>, Errno> {
        self.made("create_channel");
        // Each byte in it is an event.
        let channel = leak(ffi::CompChannel {
            context: context.as_ptr(),
            fd: bell(),
            refcnt: 0,
        });
        Ok(self.exists("a channel", channel, &[context.addr().get()]))
    }

    unsafe fn destroy_channel(&self, channel: NonNull<ffi::CompChannel>) -> Result<(), Errno> {
        self.made("destroy_channel");
        self.ends("a channel", channel);
        self.gone(channel);
        // SAFETY: made by `create_channel` as a box.
        let channel = unsafe { Box::from_raw(channel.as_ptr()) };
        // SAFETY: its own descriptor.
        unsafe { libc::close(channel.fd) };
        Ok(())
    }

    unsafe fn next_event(&self, channel: NonNull<ffi::CompChannel>) -> Result<usize, Errno> {
        // SAFETY: an existing channel.
        let fd = unsafe { (*channel.as_ptr()).fd };
        let mut one = 0_u64;
        // SAFETY: eight bytes to read into.
        let read = unsafe { libc::read(fd, (&raw mut one).cast(), 8) };
        if read != 8 {
            return Err(Errno::last());
        }
        let mut state = self.state();
        let index = state.events.iter().position(|(of, _)| *of == fd);
        let (_, number) = state.events.remove(index.expect("an event"));
        Ok(number)
    }

    unsafe fn next_async_event(&self, _: NonNull<ffi::Context>) -> Result<AsyncEvent, Errno> {
        self.next_event()
    }

    unsafe fn create_cq(
        &self,
        context: NonNull<ffi::Context>,
        entries: c_int,
        channel: Option<NonNull<ffi::CompChannel>>,
        number: usize,
    ) -> Result<NonNull<ffi::Cq>, Errno> {
        if entries == 0 {
            return Err(Errno::new(libc::EINVAL));
        }
        self.made("create_cq");
        let bell = channel.map(NonNull::as_ptr);
        Ok(self.cq(context, entries, number, bell, 0).cast())
    }

    unsafe fn create_cq_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::CqInitAttrEx,
    ) -> Result<NonNull<ffi::CqEx>, Errno> {
        self.made("create_cq_ex");
        if attr.wc_flags & !self.state().wc_flags != 0 {
            return Err(Errno::new(libc::EOPNOTSUPP));
        }
        let bell = Some(attr.channel).filter(|channel| !channel.is_null());
        let entries = c_int::try_from(attr.cqe).unwrap();
        let number = attr.cq_context.addr();
        let wc_flags = match self.state().forget_wc_flags {
            true => 0,
            false => attr.wc_flags,
        };
        let cq = self.cq(context, entries, number, bell, wc_flags);
        Ok(cq.cast())
    }

    unsafe fn destroy_cq(&self, cq: NonNull<ffi::Cq>) -> Result<(), Errno> {
        self.made("destroy_cq");
        self.ends("a completion queue", cq);
        if self.state().refuse_destroy_cq {
            return Err(Errno::new(libc::EBUSY));
        }
        self.gone(cq);
        let address = cq.addr().get();
        self.state().cqs.retain(|entries| entries.cq != address);
        // SAFETY: made by `cq` as a box.
        drop(unsafe { Box::from_raw(cq.cast::<FakeCq>().as_ptr()) });
        Ok(())
    }

    unsafe fn create_qp(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::QpInitAttr,
    ) -> Result<NonNull<ffi::Qp>, Errno> {
        let number = self.made("create_qp");
        if self.state().refuse_create_qp {
            return Err(Errno::new(libc::ENOMEM));
        }
        let mut qp = FakeQp::new(0);
        qp.base().pd = pd.as_ptr();
        // SAFETY: the domain is one of this provider's.
        qp.base().context = unsafe { (*pd.as_ptr()).context };
        (qp.base().send_cq, qp.base().recv_cq) = (attr.send_cq, attr.recv_cq);
        (qp.base().qp_num, qp.base().qp_type) = (number, attr.qp_type);
        (qp.base().srq, qp.base().qp_context) = (attr.srq, attr.qp_context);
        Ok(self.qp(qp))
    }

    unsafe fn create_qp_ex(
        &self,
        context: NonNull<ffi::Context>,
        attr: &mut ffi::QpInitAttrEx,
    ) -> Result<NonNull<ffi::Qp>, Errno> {
        let number = self.made("create_qp_ex");
        if attr.send_ops_flags & !self.state().send_ops != 0 {
            return Err(Errno::new(libc::EOPNOTSUPP));
        }
        let ops = match self.state().forget_send_ops {
            true => 0,
            false => attr.send_ops_flags,
        };
        let mut qp = FakeQp::new(ops);
        (qp.base().pd, qp.base().context) = (attr.pd, context.as_ptr());
        (qp.base().send_cq, qp.base().recv_cq) = (attr.send_cq, attr.recv_cq);
        (qp.base().qp_num, qp.base().qp_type) = (number, attr.qp_type);
        (qp.base().srq, qp.base().qp_context) = (attr.srq, attr.qp_context);
        Ok(self.qp(qp))
    }

    unsafe fn qp_to_qp_ex(&self, qp: NonNull<ffi::Qp>) -> Option<NonNull<ffi::QpEx>> {
        // SAFETY: every QP of this provider is the first member of a `FakeQp`.
        let is_extended = unsafe { qp.cast::<FakeQp>().as_ref() }.is_extended();
        is_extended.then_some(qp.cast())
    }

    unsafe fn modify_qp(
        &self,
        qp: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        mask: c_int,
    ) -> Result<(), Errno> {
        if let Some(number) = self.state().refuse_modify {
            return Err(Errno::new(number));
        }
        assert_ne!(mask & ffi::mask::STATE, 0);
        let mut state = self.state();
        state.qp_state = attr.qp_state;
        if attr.qp_state == ffi::state::RESET {
            // SAFETY: an existing queue pair.
            let number = unsafe { (*qp.as_ptr()).qp_num };
            state.end_those(|posted| posted.qp_num == number);
        }
        if mask & ffi::mask::AV != 0 {
            state.path_port = attr.ah_attr.port_num;
        }
        Ok(())
    }

    unsafe fn query_qp(
        &self,
        _: NonNull<ffi::Qp>,
        attr: &mut ffi::QpAttr,
        _: c_int,
        init: &mut ffi::QpInitAttr,
    ) -> Result<(), Errno> {
        attr.qp_state = self.state().qp_state;
        init.cap.max_send_wr = 31;
        Ok(())
    }

    unsafe fn create_srq(
        &self,
        pd: NonNull<ffi::Pd>,
        attr: &mut ffi::SrqInitAttr,
    ) -> Result<NonNull<ffi::Srq>, Errno> {
        self.state().srq_numbers.push(attr.srq_context.addr());
        let handle = self.made("create_srq");
        // SAFETY: integers and pointers: zero is a valid value.
        let mut srq: ffi::Srq = unsafe { mem::zeroed() };
        // SAFETY: the domain is allocated.
        srq.context = unsafe { (*pd.as_ptr()).context };
        srq.handle = handle;
        Ok(self.exists("a shared queue", leak(srq), &[pd.addr().get()]))
    }

    unsafe fn modify_srq(
        &self,
        _: NonNull<ffi::Srq>,
        attr: &mut ffi::SrqAttr,
        mask: c_int,
    ) -> Result<(), Errno> {
        assert_eq!(mask, ffi::SRQ_LIMIT);
        if attr.srq_limit > 4 {
            return Err(Errno::new(libc::EINVAL));
        }
        self.state().srq_limit = attr.srq_limit;
        Ok(())
    }

    unsafe fn destroy_srq(&self, srq: NonNull<ffi::Srq>) -> Result<(), Errno> {
        self.made("destroy_srq");
        self.ends("a shared queue", srq);
        if self.state().refuse_destroy_srq {
            return Err(Errno::new(libc::EBUSY));
        }
        let address = srq.addr().get();
        self.state().end_those(|posted| posted.srq == address);
        self.gone(srq);
        // SAFETY: made by `create_srq` as a box.
        drop(unsafe { Box::from_raw(srq.as_ptr()) });
        Ok(())
    }

    unsafe fn attach_mcast(
        &self,
        qp: NonNull<ffi::Qp>,
        gid: &ffi::Gid,
        lid: u16,
    ) -> Result<(), Errno> {
        self.made("attach_mcast");
        if let Some(number) = self.state().refuse_attach {
            return Err(Errno::new(number));
        }
        self.state().attached.push((qp.addr().get(), gid.raw, lid));
        Ok(())
    }

    unsafe fn detach_mcast(
        &self,
        qp: NonNull<ffi::Qp>,
        gid: &ffi::Gid,
        lid: u16,
    ) -> Result<(), Errno> {
        self.made("detach_mcast");
        let mut state = self.state();
        if let Some(number) = state.refuse_detach {
            return Err(Errno::new(number));
        }
        let of = (qp.addr().get(), gid.raw, lid);
        let found = state.attached.iter().position(|attached| *attached == of);
        let index = found.ok_or(Errno::new(libc::EINVAL))?;
        state.attached.remove(index);
        Ok(())
    }

    unsafe fn create_ah(
        &self,
        pd: NonNull<ffi::Pd>,
        _: &mut ffi::AhAttr,
    ) -> Result<NonNull<ffi::Ah>, Errno> {
        let handle = self.made("create_ah");
        // SAFETY: the domain is allocated.
        let context = unsafe { (*pd.as_ptr()).context };
        let ah = leak(ffi::Ah {
            context,
            pd: pd.as_ptr(),
            handle,
        });
        Ok(self.exists("a destination", ah, &[pd.addr().get()]))
    }

    unsafe fn destroy_ah(&self, ah: NonNull<ffi::Ah>) -> Result<(), Errno> {
        self.made("destroy_ah");
        self.ends("a destination", ah);
        self.gone(ah);
        let address = ah.addr().get();
        let mut state = self.state();
        if state.posted.iter().any(|it| it.destination == address) {
            state
                .contract
                .breaks("a destination ends that a datagram names");
        }
        drop(state);
        // SAFETY: made by `create_ah` as a box.
        drop(unsafe { Box::from_raw(ah.as_ptr()) });
        Ok(())
    }

    unsafe fn destroy_qp(&self, qp: NonNull<ffi::Qp>) -> Result<(), Errno> {
        self.made("destroy_qp");
        self.ends("a queue pair", qp);
        if self.state().refuse_destroy_qp {
            return Err(Errno::new(libc::EBUSY));
        }
        // As the kernel does (`uverbs_free_qp`).
        let address = qp.addr().get();
        let is_attached = |attached: &(usize, [u8; 16], u16)| attached.0 == address;
        if self.state().attached.iter().any(is_attached) {
            return Err(Errno::new(libc::EBUSY));
        }
        self.gone(qp);
        // SAFETY: made by `create_qp` as a box.
        let mut qp = unsafe { Box::from_raw(qp.cast::<FakeQp>().as_ptr()) };
        let number = qp.base().qp_num;
        self.state().end_those(|posted| posted.qp_num == number);
        Ok(())
    }
}
