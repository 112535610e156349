//! `export!`: the functions a proxy-wasm module exports.

/// Makes a module of this crate: exports the ABI's functions for one [`Plugin`](crate::Plugin).
///
/// `export!(Type)` exports every callback. `export!(Type, [on_request_headers, on_log])` exports
/// only those listed, which spares the host the calls into the rest; native tests
/// ([`testing`](crate::testing)) play exactly the listed ones, so that a forgotten name shows.
/// Only on `wasm32`, where a crate can export one plugin; natively it declares the list alone.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        $crate::export!(
            $plugin,
            [
                on_request_headers, on_request_body, on_request_trailers, on_response_headers,
                on_response_body, on_response_trailers, on_timer, on_log, on_done, on_tick
            ]
        );
    };
    ($plugin:ty, [$($callback:ident),* $(,)?]) => {
        impl $crate::export::Exported for $plugin {
            const CALLBACKS: &'static [$crate::export::Callback] =
                &[$($crate::__callback!($callback)),*];
        }

        #[cfg(target_arch = "wasm32")]
        mod __weir_exports {
            use super::*;
            use ::core::cell::RefCell;
            use $crate::export::Dispatcher;

            ::std::thread_local! {
                static DISPATCHER: RefCell<Dispatcher<$plugin>> =
                    const { RefCell::new(Dispatcher::new()) };
            }

            /// Runs with the dispatcher; `refused` when the host calls back into a running
            /// callback, which no host does.
            fn with<R>(refused: R, call: impl FnOnce(&mut Dispatcher<$plugin>) -> R) -> R {
                DISPATCHER.with(|dispatcher| match dispatcher.try_borrow_mut() {
                    Ok(mut dispatcher) => call(&mut dispatcher),
                    Err(_) => refused,
                })
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_abi_version_0_2_1() {}

            // A stream may have a VM of its own; see `weir_abi::extension::POOL_MARKER`.
            #[unsafe(no_mangle)]
            extern "C" fn weir_isolation_pool() {}

            #[unsafe(no_mangle)]
            extern "C" fn _initialize() {
                $crate::export::initialize(::core::env!("CARGO_PKG_NAME"));
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_memory_allocate(bytes: usize) -> *mut u8 {
                $crate::export::allocate(bytes)
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_context_create(context: u32, root: u32) {
                with((), |dispatcher| dispatcher.on_context_create(context, root));
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_vm_start(root: u32, bytes: usize) -> u32 {
                u32::from(with(false, |dispatcher| dispatcher.on_vm_start(root, bytes)))
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_configure(root: u32, bytes: usize) -> u32 {
                u32::from(with(false, |dispatcher| dispatcher.on_configure(root, bytes)))
            }

            // Always there: where the host has no timers the tick stands in; see `timer`. A root
            // that never asked for a tick is never called.
            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_tick(root: u32) {
                with((), |dispatcher| dispatcher.on_tick(root));
            }

            #[unsafe(no_mangle)]
            extern "C" fn proxy_on_delete(context: u32) {
                with((), |dispatcher| dispatcher.on_delete(context));
            }

            $($crate::__export_callback!($callback);)*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __callback {
    (on_request_headers) => {
        $crate::export::Callback::RequestHeaders
    };
    (on_request_body) => {
        $crate::export::Callback::RequestBody
    };
    (on_request_trailers) => {
        $crate::export::Callback::RequestTrailers
    };
    (on_response_headers) => {
        $crate::export::Callback::ResponseHeaders
    };
    (on_response_body) => {
        $crate::export::Callback::ResponseBody
    };
    (on_response_trailers) => {
        $crate::export::Callback::ResponseTrailers
    };
    (on_timer) => {
        $crate::export::Callback::Timer
    };
    (on_log) => {
        $crate::export::Callback::Log
    };
    (on_done) => {
        $crate::export::Callback::Done
    };
    (on_tick) => {
        $crate::export::Callback::Tick
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_callback {
    (on_request_headers) => {
        $crate::__export_callback!(headers proxy_on_request_headers on_request_headers);
    };
    (on_response_headers) => {
        $crate::__export_callback!(headers proxy_on_response_headers on_response_headers);
    };
    (on_request_body) => {
        $crate::__export_callback!(body proxy_on_request_body on_request_body);
    };
    (on_response_body) => {
        $crate::__export_callback!(body proxy_on_response_body on_response_body);
    };
    (on_request_trailers) => {
        $crate::__export_callback!(trailers proxy_on_request_trailers on_request_trailers);
    };
    (on_response_trailers) => {
        $crate::__export_callback!(trailers proxy_on_response_trailers on_response_trailers);
    };
    (on_timer) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_foreign_function(context: u32, function: u32, _bytes: usize) {
            with((), |dispatcher| dispatcher.on_foreign_function(context, function));
        }
    };
    (on_tick) => {};
    (on_log) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_log(context: u32) {
            with((), |dispatcher| dispatcher.on_log(context));
        }
    };
    (on_done) => {
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_done(context: u32) -> u32 {
            u32::from(with(true, |dispatcher| dispatcher.on_done(context)))
        }
    };
    (headers $export:ident $method:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $export(context: u32, _headers: u32, end: u32) -> u32 {
            with(1, |dispatcher| dispatcher.$method(context, end != 0) as u32)
        }
    };
    (body $export:ident $method:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $export(context: u32, bytes: usize, end: u32) -> u32 {
            with(1, |dispatcher| dispatcher.$method(context, bytes, end != 0) as u32)
        }
    };
    (trailers $export:ident $method:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $export(context: u32, _trailers: u32) -> u32 {
            with(1, |dispatcher| dispatcher.$method(context) as u32)
        }
    };
}
