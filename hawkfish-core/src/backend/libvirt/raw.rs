//! The few calls of libvirt that the crate `virt` does not offer: its event loop, its events, and two more. The only unsafe code of HawkFish.

#![expect(
    unsafe_code,
    reason = "libvirt calls back from C, and `virt` offers no events of domains"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt::sys;

use super::event::Happening;
use super::stats::Told;
use super::storage::{Block, Blocks};
use crate::backend::NicAddress;

/// Takes what happened to which machine, and to which of its devices (by alias) where that matters. Called on the thread of the event loop: it must be
/// quick.
pub(super) type Sink = dyn Fn(Uuid, Happening, Option<&str>) + Send + Sync;
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
    // SAFETY: the caller vouches for it.
    unsafe { tell_of(domain, opaque, happening, None) };
}

/// # Safety
/// As `tell`.
unsafe fn tell_of(
    domain: sys::virDomainPtr,
    opaque: *mut c_void,
    happening: Happening,
    device: Option<&str>,
) {
    let mut bytes = [0_u8; 16];
    // SAFETY: the buffer holds VIR_UUID_BUFLEN bytes; the caller vouches for the rest.
    let sink = unsafe {
        if sys::virDomainGetUUID(domain, bytes.as_mut_ptr()) < 0 {
            return;
        }
        &*opaque.cast::<Arc<Sink>>()
    };
    sink(Uuid::from_bytes(bytes), happening, device);
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
    device: *const c_char,
    _: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: see `lifecycle`; the alias of the device is a string or null, valid for the call.
    unsafe {
        let device = (!device.is_null())
            .then(|| CStr::from_ptr(device).to_str().ok())
            .flatten();
        tell_of(domain, opaque, Happening::IoError, device);
    }
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

/// What all running domains use, in one call to the host, which tells only what it can tell without waiting.
pub(super) fn statistics(conn: &Connect) -> Result<Vec<(Uuid, Told)>, Error> {
    let wanted = sys::VIR_DOMAIN_STATS_CPU_TOTAL
        | sys::VIR_DOMAIN_STATS_BALLOON
        | sys::VIR_DOMAIN_STATS_VCPU
        | sys::VIR_DOMAIN_STATS_INTERFACE
        | sys::VIR_DOMAIN_STATS_BLOCK;
    let how = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
        | sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    let mut records: *mut sys::virDomainStatsRecordPtr = std::ptr::null_mut();
    // SAFETY: the connection is open; libvirt fills `records` with a list that is freed below.
    let count =
        unsafe { sys::virConnectGetAllDomainStats(conn.as_ptr(), wanted, &raw mut records, how) };
    let Ok(count) = usize::try_from(count) else {
        return Err(Error::last_error());
    };
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        let mut uuid = [0_u8; 16];
        // SAFETY: libvirt returned that many records, each with a domain and its parameters, valid until the list is freed; a UUID has 16 bytes.
        let params = unsafe {
            let record = &**records.add(n);
            if sys::virDomainGetUUID(record.dom, uuid.as_mut_ptr()) < 0 || record.nparams <= 0 {
                continue;
            }
            std::slice::from_raw_parts(record.params, usize::try_from(record.nparams).unwrap_or(0))
        };
        let mut told = Told::default();
        for param in params {
            // SAFETY: the parameter is as libvirt filled it in.
            unsafe { take(param, &mut told) };
        }
        all.push((Uuid::from_bytes(uuid), told));
    }
    // SAFETY: the list came from libvirt and is not used any more.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(all)
}

/// Takes a parameter over, if it is a number or a text.
///
/// # Safety
/// `param` is as libvirt filled it in: its name is a C string within its field, and its type says which member of the union holds.
unsafe fn take(param: &sys::_virTypedParameter, told: &mut Told) {
    let text = |at: *const c_char| {
        // SAFETY: libvirt ends its strings with a zero.
        let text = unsafe { CStr::from_ptr(at) };
        text.to_str().ok().map(str::to_owned)
    };
    let kind = sys::virTypedParameterType::try_from(param.type_);
    let (Some(name), Ok(kind)) = (text(param.field.as_ptr()), kind) else {
        return;
    };
    // SAFETY: the type says which member holds.
    let number = unsafe {
        match kind {
            sys::VIR_TYPED_PARAM_INT => i128::from(param.value.i),
            sys::VIR_TYPED_PARAM_UINT => i128::from(param.value.ui),
            sys::VIR_TYPED_PARAM_LLONG => i128::from(param.value.l),
            sys::VIR_TYPED_PARAM_ULLONG => i128::from(param.value.ul),
            sys::VIR_TYPED_PARAM_STRING if !param.value.s.is_null() => {
                if let Some(value) = text(param.value.s) {
                    told.texts.insert(name, value);
                }
                return;
            }
            _ => return,
        }
    };
    told.numbers.insert(name, number);
}

unsafe extern "C" {
    /// The C library's, with which libvirt makes the lists that it gives away.
    fn free(list: *mut c_void);
}

/// The addresses that a host's own networks have given to the network interfaces of a domain, each with the hardware address. The emulator is not asked, nor
/// is the guest.
pub(super) fn leases(domain: &Domain) -> Result<Vec<(String, NicAddress)>, Error> {
    let mut interfaces: *mut sys::virDomainInterfacePtr = std::ptr::null_mut();
    // SAFETY: the domain is valid; libvirt fills `interfaces` with a list that is freed below.
    let count = unsafe {
        sys::virDomainInterfaceAddresses(
            domain.as_ptr(),
            &raw mut interfaces,
            sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
            0,
        )
    };
    let count = usize::try_from(count).map_err(|_| Error::last_error())?;
    let mut found = Vec::new();
    // SAFETY: `text` is called with strings of libvirt's that end with nul and live until their interface is freed.
    let text = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_string_lossy();
    for n in 0..count {
        // SAFETY: libvirt returned that many interfaces, each with as many addresses as it says; each is freed once, after its last use.
        unsafe {
            let interface = *interfaces.add(n);
            let hardware = (*interface).hwaddr;
            for at in 0..(*interface).naddrs as usize {
                let sys::virDomainIPAddress {
                    addr: address,
                    prefix,
                    ..
                } = *(*interface).addrs.add(at);
                if hardware.is_null() || address.is_null() {
                    continue;
                }
                if let (Ok(address), Ok(prefix)) = (text(address).parse(), prefix.try_into()) {
                    let address = NicAddress { address, prefix };
                    found.push((text(hardware).to_ascii_lowercase(), address));
                }
            }
            sys::virDomainInterfaceFree(interface);
        }
    }
    // SAFETY: the list came from libvirt and is not used any more.
    unsafe { free(interfaces.cast()) };
    Ok(found)
}

/// Sends a non-maskable interrupt.
pub(super) fn inject_nmi(domain: &Domain) -> Result<(), Error> {
    // SAFETY: the domain is valid for as long as its wrapper is.
    if unsafe { sys::virDomainInjectNMI(domain.as_ptr(), 0) } < 0 {
        return Err(Error::last_error());
    }
    Ok(())
}

/// What libvirt knows of the disks of all domains, in one call to the host. A domain at which somebody is at work is told of as far as goes without
/// waiting.
pub(super) fn blocks(conn: &Connect) -> Result<Vec<(Uuid, Blocks)>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = std::ptr::null_mut();
    // SAFETY: the connection is open; libvirt fills `records` with a list that `take_blocks` frees.
    let count = unsafe {
        sys::virConnectGetAllDomainStats(
            conn.as_ptr(),
            sys::VIR_DOMAIN_STATS_STATE | sys::VIR_DOMAIN_STATS_BLOCK,
            &raw mut records,
            sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
        )
    };
    take_blocks(count, records)
}

/// The same of one domain; waits for its emulator, if it runs.
pub(super) fn blocks_of(domain: &Domain) -> Result<Blocks, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = std::ptr::null_mut();
    let mut domains = [domain.as_ptr(), std::ptr::null_mut()];
    // SAFETY: the list of domains ends with null and is valid for the call; for `records` see `blocks`.
    let count = unsafe {
        sys::virDomainListGetStats(
            domains.as_mut_ptr(),
            sys::VIR_DOMAIN_STATS_STATE | sys::VIR_DOMAIN_STATS_BLOCK,
            &raw mut records,
            0,
        )
    };
    let all = take_blocks(count, records)?;
    Ok(all.into_iter().next().map(|(_, b)| b).unwrap_or_default())
}

fn take_blocks(
    count: c_int,
    records: *mut sys::virDomainStatsRecordPtr,
) -> Result<Vec<(Uuid, Blocks)>, Error> {
    let Ok(count) = usize::try_from(count) else {
        let error = Error::last_error();
        // A driver without such statistics has none.
        if error.code() == virt::error::ErrorNumber::NoSupport {
            return Ok(Vec::new());
        }
        return Err(error);
    };
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        let mut uuid = [0_u8; 16];
        // SAFETY: libvirt returned that many records, each with a domain and its parameters, valid until the list is freed below; the buffer holds
        // VIR_UUID_BUFLEN bytes.
        let record = unsafe {
            let record = &**records.add(n);
            if sys::virDomainGetUUID(record.dom, uuid.as_mut_ptr()) < 0 {
                continue;
            }
            record
        };
        let number = |name: &str| number_of(record, name);
        // Of what runs, what its file takes is `physical`; of what is off, `allocation` is, and `physical` is where the file ends.
        let is_off = int_of(record, "state.state") == Some(sys::VIR_DOMAIN_SHUTOFF as c_int);
        let mut blocks = Blocks::new();
        for n in 0..uint_of(record, "block.count").unwrap_or(0) {
            let Some(name) = text_of(record, &format!("block.{n}.name")) else {
                continue;
            };
            let taken = if is_off { "allocation" } else { "physical" };
            blocks.insert(
                name,
                Block {
                    path: text_of(record, &format!("block.{n}.path")),
                    bytes: number(&format!("block.{n}.capacity")),
                    allocated: number(&format!("block.{n}.{taken}")),
                },
            );
        }
        all.push((Uuid::from_bytes(uuid), blocks));
    }
    // SAFETY: the list came from libvirt and is not used any more.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(all)
}

fn parameter<T: Default>(
    record: &sys::virDomainStatsRecord,
    name: &str,
    get: unsafe extern "C" fn(sys::virTypedParameterPtr, c_int, *const c_char, *mut T) -> c_int,
) -> Option<T> {
    let name = CString::new(name).ok()?;
    let mut value = T::default();
    // SAFETY: the parameters are those of a record that the caller holds, and the value is of the type that the function writes.
    let found = unsafe { get(record.params, record.nparams, name.as_ptr(), &raw mut value) };
    (found == 1).then_some(value)
}

fn number_of(record: &sys::virDomainStatsRecord, name: &str) -> Option<u64> {
    parameter(record, name, sys::virTypedParamsGetULLong)
}

fn uint_of(record: &sys::virDomainStatsRecord, name: &str) -> Option<u32> {
    parameter(record, name, sys::virTypedParamsGetUInt)
}

fn int_of(record: &sys::virDomainStatsRecord, name: &str) -> Option<c_int> {
    parameter(record, name, sys::virTypedParamsGetInt)
}

fn text_of(record: &sys::virDomainStatsRecord, name: &str) -> Option<String> {
    let name = CString::new(name).ok()?;
    let mut value: *const c_char = std::ptr::null();
    // SAFETY: as in `parameter`; the string belongs to the record and is copied.
    unsafe {
        let found = sys::virTypedParamsGetString(
            record.params,
            record.nparams,
            name.as_ptr(),
            &raw mut value,
        );
        (found == 1 && !value.is_null())
            .then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    }
}
