//! Host calls, answered from the state as Envoy answers them.

use weir_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType, extension, pairs};

use super::{FakeHost, LocalReply, Metric, StreamState, TimerEntry};
use crate::{
    error::{Error, Result},
    host::{Host, LocalResponse, Scope},
};

fn refused<T>(call: &'static str, status: Status) -> Result<T> {
    Err(Error::Host { call, status })
}

/// The bytes for as long as the test runs.
fn hand_out(bytes: Vec<u8>) -> &'static [u8] {
    bytes.leak()
}

impl FakeHost {
    fn count(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    fn stream<R>(
        &self,
        call: &'static str,
        look: impl FnOnce(&mut StreamState) -> std::result::Result<R, Status>,
    ) -> Result<R> {
        self.count();
        let mut state = self.state.borrow_mut();
        let context = state.current_context;
        let Some(stream) = state.streams.get_mut(&context) else {
            return refused(call, Status::BadArgument);
        };
        look(stream).map_err(|status| Error::Host { call, status })
    }

    fn write_access_log(&self, argument: &[u8]) -> Result<&'static [u8]> {
        let mut parts = argument.splitn(2, |byte| *byte == 0);
        let (Some(path), Some(line)) = (parts.next(), parts.next()) else {
            return refused("weir_write_access_log", Status::BadArgument);
        };
        let path = String::from_utf8_lossy(path).into_owned();
        self.state.borrow_mut().access_log.push((path, line.to_vec()));
        Ok(&[])
    }

    fn set_timer(&self, argument: &[u8]) -> Result<&'static [u8]> {
        let Ok(delay) = <[u8; 8]>::try_from(argument) else {
            return refused("weir_set_timer", Status::BadArgument);
        };
        let mut state = self.state.borrow_mut();
        let number = state.next_timer;
        state.next_timer += 1;
        let due_ns = state.now_ns.saturating_add(u64::from_le_bytes(delay));
        let context = state.current_context;
        state.timers.push(TimerEntry { context, number, due_ns });
        Ok(hand_out(number.to_le_bytes().to_vec()))
    }

    fn metric_by_id<R>(
        &self,
        call: &'static str,
        id: u32,
        change: impl FnOnce(&mut Metric) -> std::result::Result<R, Status>,
    ) -> Result<R> {
        self.count();
        let mut state = self.state.borrow_mut();
        let Some(metric) = state.metrics.get_mut(id as usize) else {
            return refused(call, Status::NotFound);
        };
        change(metric).map_err(|status| Error::Host { call, status })
    }
}

impl Host for std::rc::Rc<FakeHost> {
    fn log(&self, level: LogLevel, message: &[u8]) {
        self.count();
        let line = String::from_utf8_lossy(message).into_owned();
        self.state.borrow_mut().logs.push((level, line));
    }

    fn log_level(&self) -> LogLevel {
        self.count();
        LogLevel::Trace
    }

    fn now_ns(&self) -> u64 {
        self.count();
        self.state.borrow().now_ns
    }

    fn random(&self) -> u64 {
        self.state.borrow_mut().draws.pop_front().unwrap_or(u64::MAX / 2)
    }

    fn set_tick_period_ms(&self, period_ms: u32) -> Result<()> {
        self.count();
        let mut state = self.state.borrow_mut();
        if state.tick_ms != period_ms {
            state.tick_ms = period_ms;
            state.tick_due_ns = state.now_ns + u64::from(period_ms) * 1_000_000;
        }
        Ok(())
    }

    fn buffer<'s>(
        &self,
        _: &'s Scope,
        buffer: BufferType,
        start: usize,
        max: usize,
    ) -> Result<&'s [u8]> {
        if buffer == BufferType::PluginConfiguration {
            self.count();
            return Ok(hand_out(self.state.borrow().configuration.clone()));
        }
        self.stream("proxy_get_buffer_bytes", |stream| {
            let bytes = stream.buffer(buffer).ok_or(Status::NotFound)?;
            let range = bytes.iter().copied().skip(start).take(max);
            Ok(hand_out(range.collect()))
        })
    }

    fn set_buffer(&self, buffer: BufferType, start: usize, size: usize, with: &[u8]) -> Result<()> {
        self.stream("proxy_set_buffer_bytes", |stream| {
            let bytes = stream.buffer(buffer).ok_or(Status::BadArgument)?;
            if start == 0 && size == 0 {
                bytes.splice(0..0, with.iter().copied());
            } else if start >= bytes.len() && start > 0 {
                bytes.extend_from_slice(with);
            } else if start == 0 && size >= bytes.len() {
                *bytes = with.to_vec();
            } else {
                return Err(Status::BadArgument);
            }
            Ok(())
        })
    }

    fn pairs<'s>(&self, _: &'s Scope, map: MapType) -> Result<&'s [u8]> {
        self.stream("proxy_get_header_map_pairs", |stream| {
            let Ok(lines) = stream.readable(map) else { return Ok(hand_out(Vec::new())) };
            let lines = lines.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
            let mut encoded = Vec::new();
            pairs::encode(lines, &mut encoded);
            Ok(hand_out(encoded))
        })
    }

    fn value<'s>(&self, _: &'s Scope, map: MapType, name: &str) -> Result<Option<&'s [u8]>> {
        let found = self.stream("proxy_get_header_map_value", |stream| {
            let lines = stream.readable(map)?;
            let line = lines.iter().find(|(key, _)| key == name.as_bytes());
            Ok(line.map(|(_, value)| hand_out(value.clone())))
        });
        match found {
            Err(error) if error.is_not_found() => Ok(None),
            found => found,
        }
    }

    fn add_value(&self, map: MapType, name: &str, value: &[u8]) -> Result<()> {
        self.stream("proxy_add_header_map_value", |stream| {
            stream.writable(map)?.push((name.to_ascii_lowercase().into_bytes(), value.to_vec()));
            Ok(())
        })
    }

    fn replace_value(&self, map: MapType, name: &str, value: &[u8]) -> Result<()> {
        self.stream("proxy_replace_header_map_value", |stream| {
            let name = name.to_ascii_lowercase().into_bytes();
            let lines = stream.writable(map)?;
            lines.retain(|(key, _)| *key != name);
            lines.push((name, value.to_vec()));
            Ok(())
        })
    }

    fn remove_value(&self, map: MapType, name: &str) -> Result<()> {
        self.stream("proxy_remove_header_map_value", |stream| {
            let name = name.to_ascii_lowercase().into_bytes();
            stream.writable(map)?.retain(|(key, _)| *key != name);
            Ok(())
        })
    }

    fn property<'s>(&self, _: &'s Scope, path: &str) -> Result<Option<&'s [u8]>> {
        self.stream("proxy_get_property", |stream| Ok(stream.property(path)?.map(hand_out)))
    }

    fn set_property(&self, path: &str, value: &[u8]) -> Result<()> {
        self.stream("proxy_set_property", |stream| {
            if path == extension::RESPONSE_FLAG_PROPERTY {
                stream.flags.push(String::from_utf8_lossy(value).into_owned());
            } else {
                stream.properties.insert(path.to_owned(), value.to_vec());
            }
            Ok(())
        })
    }

    fn send_local_response(&self, response: &LocalResponse<'_>) -> Result<()> {
        self.stream("proxy_send_local_response", |stream| {
            let headers = pairs::decode(response.headers).map_err(|_| Status::BadArgument)?;
            stream.set_reply(LocalReply {
                status: response.status as u16,
                details: String::from_utf8_lossy(response.details).into_owned(),
                body: response.body.to_vec(),
                headers: headers.map(|(key, value)| (key.to_vec(), value.to_vec())).collect(),
                grpc_status: response.grpc_status,
            });
            Ok(())
        })
    }

    fn continue_stream(&self, _: StreamType) -> Result<()> {
        self.stream("proxy_continue_stream", |stream| {
            stream.resume();
            Ok(())
        })
    }

    fn define_metric(&self, kind: MetricType, name: &str) -> Result<u32> {
        self.count();
        let mut state = self.state.borrow_mut();
        let known = |metric: &Metric| metric.name == name && metric.kind == kind;
        if let Some(id) = state.metrics.iter().position(known) {
            return Ok(id as u32);
        }
        state.metrics.push(Metric { kind, name: name.to_owned(), value: 0, recorded: Vec::new() });
        Ok(state.metrics.len() as u32 - 1)
    }

    fn increment_metric(&self, id: u32, offset: i64) -> Result<()> {
        self.metric_by_id("proxy_increment_metric", id, |metric| match metric.kind {
            MetricType::Counter if offset <= 0 => Err(Status::BadArgument),
            MetricType::Histogram => Err(Status::BadArgument),
            MetricType::Counter | MetricType::Gauge => {
                metric.value += offset;
                Ok(())
            }
        })
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<()> {
        self.metric_by_id("proxy_record_metric", id, |metric| {
            match metric.kind {
                MetricType::Counter => metric.value += value.cast_signed(),
                MetricType::Gauge => metric.value = value.cast_signed(),
                MetricType::Histogram => metric.recorded.push(value),
            }
            Ok(())
        })
    }

    fn call_foreign_function<'s>(
        &self,
        _: &'s Scope,
        name: &str,
        argument: &[u8],
    ) -> Result<&'s [u8]> {
        self.count();
        match name {
            extension::SET_TIMER if self.state.borrow().extensions => self.set_timer(argument),
            extension::WRITE_ACCESS_LOG if self.state.borrow().extensions => {
                self.write_access_log(argument)
            }
            _ => refused("proxy_call_foreign_function", Status::NotFound),
        }
    }

    fn set_effective_context(&self, context: u32) -> Result<()> {
        self.count();
        self.state.borrow_mut().current_context = context;
        Ok(())
    }
}
