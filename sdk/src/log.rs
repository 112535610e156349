//! Log lines of a plugin, through `proxy_log`.
//!
//! `trace!` and `debug!` ask the host for its level first (one cheap host call) and format nothing
//! below it; the others are always handed over. Lines have no trailing newline; the host adds who
//! logged.

use std::fmt;

pub use weir_abi::LogLevel;

use crate::host::{self, Host};

/// Logs one line.
pub fn write(level: LogLevel, line: fmt::Arguments<'_>) {
    match line.as_str() {
        Some(line) => host::current().log(level, line.as_bytes()),
        None => host::current().log(level, line.to_string().as_bytes()),
    }
}

/// Whether the host would keep a line of this level.
pub fn enabled(level: LogLevel) -> bool {
    level >= host::current().log_level()
}

/// Logs when the host keeps trace lines.
#[macro_export]
macro_rules! trace {
    ($($argument:tt)+) => {
        if $crate::log::enabled($crate::log::LogLevel::Trace) {
            $crate::log::write($crate::log::LogLevel::Trace, ::core::format_args!($($argument)+));
        }
    };
}

/// Logs when the host keeps debug lines.
#[macro_export]
macro_rules! debug {
    ($($argument:tt)+) => {
        if $crate::log::enabled($crate::log::LogLevel::Debug) {
            $crate::log::write($crate::log::LogLevel::Debug, ::core::format_args!($($argument)+));
        }
    };
}

/// Logs something an operator may want to know.
#[macro_export]
macro_rules! info {
    ($($argument:tt)+) => {
        $crate::log::write($crate::log::LogLevel::Info, ::core::format_args!($($argument)+))
    };
}

/// Logs something that went wrong and was dealt with.
#[macro_export]
macro_rules! warn {
    ($($argument:tt)+) => {
        $crate::log::write($crate::log::LogLevel::Warn, ::core::format_args!($($argument)+))
    };
}

/// Logs something that went wrong.
#[macro_export]
macro_rules! error {
    ($($argument:tt)+) => {
        $crate::log::write($crate::log::LogLevel::Error, ::core::format_args!($($argument)+))
    };
}

/// Logs something after which the plugin cannot go on.
#[macro_export]
macro_rules! critical {
    ($($argument:tt)+) => {
        $crate::log::write($crate::log::LogLevel::Critical, ::core::format_args!($($argument)+))
    };
}
