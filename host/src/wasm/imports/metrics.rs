//! `proxy_*_metric`: counters, gauges and histograms of the plugin, in the host's registry.

use crate::telemetry::metric::Metric;
use crate::wasm::memory::{HostResult, read, status_code, write_u32, write_u64};
use crate::wasm::state::VmState;
use wasmtime::{Caller, Linker};
use weir_abi::{MetricType, Status};

/// Bytes of a metric's name at most, labels included.
const NAME_BYTES_MAX: u32 = 8 << 10;

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut caller: Caller<'_, VmState>, kind, name, name_len, out| {
            status_code(define(&mut caller, kind, (name, name_len), out))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |caller: Caller<'_, VmState>, metric: u32, offset: i64| {
            status_code(increment(caller.data(), metric, offset))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |caller: Caller<'_, VmState>, metric: u32, value: u64| {
            status_code(record(caller.data(), metric, value))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_metric",
        |mut caller: Caller<'_, VmState>, metric, out| status_code(get(&mut caller, metric, out)),
    )?;
    Ok(())
}

fn define(
    caller: &mut Caller<'_, VmState>,
    kind: u32,
    (name, name_len): (u32, u32),
    out: u32,
) -> HostResult {
    let kind = MetricType::from_code(kind).ok_or(Status::BadArgument)?;
    if name_len == 0 || name_len > NAME_BYTES_MAX {
        return Err(Status::BadArgument.into());
    }
    let name = read(caller, name, name_len)?;
    let state = caller.data_mut();
    let id = match state.metrics.by_name(&name) {
        Some(id) if id & 3 == kind.code() => id,
        Some(_) => return Err(Status::BadArgument.into()),
        None => {
            if state.metrics.len() >= state.limits.metrics_max as usize {
                return Err(Status::InternalFailure.into());
            }
            let text = std::str::from_utf8(&name).map_err(|_| Status::BadArgument)?;
            let new = match kind {
                MetricType::Counter => Metric::counter,
                MetricType::Gauge => Metric::gauge,
                MetricType::Histogram => Metric::histogram,
            };
            let metric = state.environment.registry.define(text, new);
            let metric = metric.map_err(|_| Status::BadArgument)?;
            state.metrics.insert(name, kind, metric)
        }
    };
    Ok(write_u32(caller, out, id)?)
}

/// A histogram has neither increments nor a value, whether it exists or not.
fn unknown(id: u32) -> Status {
    if id & 3 == MetricType::Histogram.code() { Status::BadArgument } else { Status::NotFound }
}

fn increment(state: &VmState, id: u32, offset: i64) -> HostResult {
    let (kind, metric) = state.metrics.get(id).ok_or(unknown(id))?;
    match kind {
        MetricType::Counter if offset <= 0 => return Err(Status::BadArgument.into()),
        MetricType::Histogram => return Err(Status::BadArgument.into()),
        MetricType::Counter | MetricType::Gauge => metric.add(offset),
    }
    Ok(())
}

fn record(state: &VmState, id: u32, value: u64) -> HostResult {
    let (_, metric) = state.metrics.get(id).ok_or(Status::NotFound)?;
    metric.record(value);
    Ok(())
}

fn get(caller: &mut Caller<'_, VmState>, id: u32, out: u32) -> HostResult {
    let (_, metric) = caller.data().metrics.get(id).ok_or(unknown(id))?;
    let value = metric.value().ok_or(Status::BadArgument)?;
    Ok(write_u64(caller, out, value)?)
}
