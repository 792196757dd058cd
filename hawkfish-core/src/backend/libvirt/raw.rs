//! The few calls of libvirt that the crate `virt` does not offer: its event loop, its events, and two more. The only unsafe code of HawkFish.

#![expect(
    unsafe_code,
    reason = "libvirt calls back from C, and `virt` offers no events of domains"
)]

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt::sys;

use super::event::Happening;

/// Takes what happened to which machine. Called on the thread of the event loop: it must be quick.
pub(super) type Sink = dyn Fn(Uuid, Happening) + Send + Sync;
/// Called when a connection has ended by itself.
pub(super) type Closed = dyn Fn(&'static str) + Send + Sync;

/// Starts libvirt's event loop, once for the process, in a thread that ends with it. It must run before the first connection is opened.
pub(super) fn start_event_loop() -> Result<(), String> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            // Otherwise libvirt writes every error to stderr; ours go to the log, once.
            virt::error::clear_error_callback();
            // SAFETY: no arguments; called once, before any connection is opened.
            if unsafe { sys::virEventRegisterDefaultImpl() } < 0 {
                return Err(Error::last_error().message().to_owned());
            }
            std::thread::Builder::new()
                .name("libvirt-events".to_owned())
                .spawn(|| {
                    loop {
                        // SAFETY: no arguments; the implementation was registered above.
                        if unsafe { sys::virEventRunDefaultImpl() } < 0 {
                            tracing::warn!(
                                error = Error::last_error().message(),
                                "libvirt's event loop stumbled"
                            );
                            // Only so that a lasting failure does not burn a processor.
                            std::thread::park_timeout(Duration::from_millis(100));
                        }
                    }
                })
                .map_err(|error| error.to_string())?;
            Ok(())
        })
        .clone()
}

/// Registrations of one connection. They keep it alive, so they must be ended for it to close.
#[derive(Debug)]
pub(super) struct Subscriptions {
    conn: Connect,
    ids: Vec<c_int>,
    has_close_callback: bool,
}

impl Subscriptions {
    /// Registers for all events of domains that matter here, and for the end of the connection. Events that this driver does not know are left out.
    pub(super) fn register(conn: &Connect, sink: &Arc<Sink>, closed: &Arc<Closed>) -> Self {
        let mut this = Self {
            conn: conn.clone(),
            ids: Vec::new(),
            has_close_callback: false,
        };
        // SAFETY: each function has the signature that libvirt documents for the event it is registered for; libvirt itself asks for them to
        // be passed as the generic one.
        let callbacks: [(sys::virDomainEventID, Generic); 10] = unsafe {
            [
                (
                    sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                    std::mem::transmute::<Lifecycle, Generic>(lifecycle),
                ),
                (sys::VIR_DOMAIN_EVENT_ID_REBOOT, reboot as Generic),
                (
                    sys::VIR_DOMAIN_EVENT_ID_WATCHDOG,
                    std::mem::transmute::<WithNumber, Generic>(watchdog),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_IO_ERROR,
                    std::mem::transmute::<IoError, Generic>(io_error),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_CONTROL_ERROR,
                    control_error as Generic,
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_DISK_CHANGE,
                    std::mem::transmute::<DiskChange, Generic>(disk_change),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
                    std::mem::transmute::<TrayChange, Generic>(tray_change),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                    std::mem::transmute::<WithText, Generic>(device),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                    std::mem::transmute::<WithText, Generic>(device),
                ),
                (
                    sys::VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                    std::mem::transmute::<Metadata, Generic>(metadata),
                ),
            ]
        };
        for (id, callback) in callbacks {
            let opaque = Box::into_raw(Box::new(Arc::clone(sink))).cast::<c_void>();
            // SAFETY: the connection is open; `opaque` is a boxed `Arc<Sink>` that `free_sink` takes back, which libvirt calls once.
            let registered = unsafe {
                sys::virConnectDomainEventRegisterAny(
                    conn.as_ptr(),
                    std::ptr::null_mut(),
                    id as c_int,
                    Some(callback),
                    opaque,
                    Some(free_sink),
                )
            };
            if registered < 0 {
                tracing::debug!(
                    event = id,
                    error = Error::last_error().message(),
                    "event not offered by this host"
                );
                // SAFETY: libvirt does not take `opaque` over when it refuses.
                unsafe { free_sink(opaque) };
            } else {
                this.ids.push(registered);
            }
        }
        let opaque = Box::into_raw(Box::new(Arc::clone(closed))).cast::<c_void>();
        // SAFETY: as above, with `Arc<Closed>` and `free_closed`.
        let registered = unsafe {
            sys::virConnectRegisterCloseCallback(
                conn.as_ptr(),
                Some(connection_closed),
                opaque,
                Some(free_closed),
            )
        };
        if registered < 0 {
            // SAFETY: libvirt does not take `opaque` over when it refuses. In-process drivers have no connection to lose.
            unsafe { free_closed(opaque) };
        } else {
            this.has_close_callback = true;
        }
        this
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            // SAFETY: the connection is held, the id is one of its own. On a dead connection the call fails after it has forgotten the callback.
            unsafe { sys::virConnectDomainEventDeregisterAny(self.conn.as_ptr(), id) };
        }
        if self.has_close_callback {
            // SAFETY: registered above.
            unsafe {
                sys::virConnectUnregisterCloseCallback(self.conn.as_ptr(), Some(connection_closed))
            };
        }
    }
}

type Generic = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void);
type Lifecycle =
    unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, c_int, *mut c_void) -> c_int;
type WithNumber = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, *mut c_void);
type WithText =
    unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *const c_char, *mut c_void);
type IoError = unsafe extern "C" fn(
    sys::virConnectPtr,
    sys::virDomainPtr,
    *const c_char,
    *const c_char,
    c_int,
    *mut c_void,
);
type DiskChange = unsafe extern "C" fn(
    sys::virConnectPtr,
    sys::virDomainPtr,
    *const c_char,
    *const c_char,
    *const c_char,
    c_int,
    *mut c_void,
);
type TrayChange =
    unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *const c_char, c_int, *mut c_void);
type Metadata =
    unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, *const c_char, *mut c_void);

/// # Safety
/// `domain` is valid for the call, `opaque` a boxed `Arc<Sink>`.
unsafe fn tell(domain: sys::virDomainPtr, opaque: *mut c_void, happening: Happening) {
    let mut bytes = [0_u8; 16];
    // SAFETY: the buffer holds VIR_UUID_BUFLEN bytes; the caller vouches for the rest.
    let sink = unsafe {
        if sys::virDomainGetUUID(domain, bytes.as_mut_ptr()) < 0 {
            return;
        }
        &*opaque.cast::<Arc<Sink>>()
    };
    sink(Uuid::from_bytes(bytes), happening);
}

/// # Safety
/// `opaque` is a boxed `Arc<Sink>` that nobody uses any more.
unsafe extern "C" fn free_sink(opaque: *mut c_void) {
    // SAFETY: as the caller vouches.
    drop(unsafe { Box::from_raw(opaque.cast::<Arc<Sink>>()) });
}

/// # Safety
/// `opaque` is a boxed `Arc<Closed>` that nobody uses any more.
unsafe extern "C" fn free_closed(opaque: *mut c_void) {
    // SAFETY: as the caller vouches.
    drop(unsafe { Box::from_raw(opaque.cast::<Arc<Closed>>()) });
}

unsafe extern "C" fn connection_closed(_: sys::virConnectPtr, reason: c_int, opaque: *mut c_void) {
    let reason = match reason as sys::virConnectCloseReason {
        sys::VIR_CONNECT_CLOSE_REASON_EOF => "the host ended the connection",
        sys::VIR_CONNECT_CLOSE_REASON_KEEPALIVE => "the host no longer answers",
        sys::VIR_CONNECT_CLOSE_REASON_CLIENT => "the connection was closed",
        _ => "the connection broke",
    };
    // SAFETY: registered with a boxed `Arc<Closed>`.
    let closed = unsafe { &*opaque.cast::<Arc<Closed>>() };
    closed(reason);
}

unsafe extern "C" fn lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: libvirt passes a valid domain, and the opaque that was registered. So in all that follow.
    unsafe { tell(domain, opaque, Happening::lifecycle(event, detail)) };
    0
}

unsafe extern "C" fn reboot(_: sys::virConnectPtr, domain: sys::virDomainPtr, opaque: *mut c_void) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::Reset) }
}

unsafe extern "C" fn control_error(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::Other) }
}

unsafe extern "C" fn watchdog(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::Watchdog) }
}

unsafe extern "C" fn io_error(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _: *const c_char,
    _: *const c_char,
    _: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::IoError) }
}

unsafe extern "C" fn disk_change(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::Other) }
}

unsafe extern "C" fn tray_change(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _: *const c_char,
    _: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::Other) }
}

unsafe extern "C" fn device(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::Other) }
}

unsafe extern "C" fn metadata(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _: c_int,
    _: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`.
    unsafe { tell(domain, opaque, Happening::Other) }
}

/// A domain's state and the reason for it, as numbers of libvirt.
pub(super) type State = (sys::virDomainState, c_int);

/// All domains with their states, in one call to the host.
pub(super) fn states(conn: &Connect) -> Result<Vec<(Domain, State)>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = std::ptr::null_mut();
    // SAFETY: the connection is open; libvirt fills `records` with a list that is freed below.
    let count = unsafe {
        sys::virConnectGetAllDomainStats(
            conn.as_ptr(),
            sys::VIR_DOMAIN_STATS_STATE,
            &raw mut records,
            0,
        )
    };
    let Ok(count) = usize::try_from(count) else {
        let error = Error::last_error();
        if error.code() == virt::error::ErrorNumber::NoSupport {
            return states_one_by_one(conn);
        }
        return Err(error);
    };
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        // SAFETY: libvirt returned that many records, each with a domain and its parameters, valid until the list is freed; the domain is
        // referenced once more for the wrapper that outlives the list.
        unsafe {
            let record = &**records.add(n);
            let (mut state, mut reason) = (0, 0);
            sys::virTypedParamsGetInt(
                record.params,
                record.nparams,
                c"state.state".as_ptr(),
                &raw mut state,
            );
            sys::virTypedParamsGetInt(
                record.params,
                record.nparams,
                c"state.reason".as_ptr(),
                &raw mut reason,
            );
            if sys::virDomainRef(record.dom) == 0 {
                all.push((
                    Domain::from_ptr(record.dom),
                    (state as sys::virDomainState, reason),
                ));
            }
        }
    }
    // SAFETY: the list came from libvirt and is not used any more.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(all)
}

fn states_one_by_one(conn: &Connect) -> Result<Vec<(Domain, State)>, Error> {
    conn.list_all_domains(0)?
        .into_iter()
        .map(|domain| {
            let state = domain.get_state()?;
            Ok((domain, state))
        })
        .collect()
}

/// Sends a non-maskable interrupt.
pub(super) fn inject_nmi(domain: &Domain) -> Result<(), Error> {
    // SAFETY: the domain is valid for as long as its wrapper is.
    if unsafe { sys::virDomainInjectNMI(domain.as_ptr(), 0) } < 0 {
        return Err(Error::last_error());
    }
    Ok(())
}
