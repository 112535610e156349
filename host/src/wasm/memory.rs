//! The only code that touches guest memory.
//!
//! Pointers and lengths come from the guest and are hostile: every access is checked against the
//! memory as it is now, and out of bounds is a status for the guest, not a trap of the host.

use super::state::VmState;
use wasmtime::Caller;
use weir_abi::Status;

/// Why a host call did not do what it was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// Told to the guest.
    Status(Status),
    /// The guest itself trapped while the host was inside one of its functions.
    Trap(wasmtime::Error),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

pub(super) type HostResult = Result<(), Fault>;

/// The result of a host call as the guest gets it.
pub(super) fn status_code(result: HostResult) -> wasmtime::Result<u32> {
    match result {
        Ok(()) => Ok(Status::Ok.code()),
        Err(Fault::Status(status)) => Ok(status.code()),
        Err(Fault::Trap(error)) => Err(error),
    }
}

/// `ptr..ptr + len` of a memory, if it is inside.
pub(super) fn slice(data: &[u8], ptr: u32, len: u32) -> Result<&[u8], Status> {
    let range = ptr as usize..(ptr as usize).saturating_add(len as usize);
    data.get(range).ok_or(Status::InvalidMemoryAccess)
}

/// The whole memory and the state, borrowed apart from each other.
pub(super) fn split<'a>(
    caller: &'a mut Caller<'_, VmState>,
) -> Result<(&'a mut [u8], &'a mut VmState), Status> {
    let memory = caller.data().memory.ok_or(Status::InvalidMemoryAccess)?;
    Ok(memory.data_and_store_mut(caller))
}

/// Copies guest bytes out.
pub(super) fn read(
    caller: &mut Caller<'_, VmState>,
    ptr: u32,
    len: u32,
) -> Result<Vec<u8>, Status> {
    let (data, _) = split(caller)?;
    slice(data, ptr, len).map(<[u8]>::to_vec)
}

/// Writes bytes at `ptr`.
pub(super) fn write(
    caller: &mut Caller<'_, VmState>,
    ptr: u32,
    bytes: &[u8],
) -> Result<(), Status> {
    put(split(caller)?.0, ptr, bytes)
}

fn put(data: &mut [u8], ptr: u32, bytes: &[u8]) -> Result<(), Status> {
    let range = ptr as usize..(ptr as usize).saturating_add(bytes.len());
    data.get_mut(range).ok_or(Status::InvalidMemoryAccess)?.copy_from_slice(bytes);
    Ok(())
}

pub(super) fn write_u32(
    caller: &mut Caller<'_, VmState>,
    ptr: u32,
    value: u32,
) -> Result<(), Status> {
    write(caller, ptr, &value.to_le_bytes())
}

pub(super) fn write_u64(
    caller: &mut Caller<'_, VmState>,
    ptr: u32,
    value: u64,
) -> Result<(), Status> {
    write(caller, ptr, &value.to_le_bytes())
}

/// Hands `bytes` to the guest in memory it allocates itself, and writes where they are.
///
/// The allocator is guest code: it may call the host, grow the memory or trap. So no borrow of the
/// state or of the exchange is held here.
pub(super) fn return_bytes(
    caller: &mut Caller<'_, VmState>,
    bytes: &[u8],
    out_ptr: u32,
    out_len: u32,
) -> HostResult {
    let len = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
    let mut ptr = 0;
    if len > 0 {
        let allocate = caller.data().allocate.clone().ok_or(Status::InternalFailure)?;
        ptr = allocate.call(&mut *caller, len).map_err(Fault::Trap)?;
        if ptr == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
    }
    // The allocator may have grown the memory: only now is it known where it is.
    let (data, _) = split(caller)?;
    put(data, ptr, bytes)?;
    put(data, out_ptr, &ptr.to_le_bytes())?;
    Ok(put(data, out_len, &len.to_le_bytes())?)
}
