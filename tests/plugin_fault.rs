//! What a bad plugin does to its own request, and what it cannot do to anybody else's.

use crate::harness::{PATIENCE, Proxy, Running, wait_until};
use crate::plugin_script::{Filter, policy, probes, trace, with_probe};
use std::time::Instant;
use weir_fixtures::wat::{CALLBACKS, Plugin};

/// A chain of one module written by hand on `/0`, an empty one elsewhere.
fn beside(plugin: &Plugin, open: bool) -> Proxy {
    let filter = Filter::module("hand");
    let filter = if open { filter.open() } else { filter };
    let wasm = wat::parse_str(plugin.text()).unwrap_or_else(|e| panic!("{e}\n{}", plugin.text()));
    with_probe(&policy(&[vec![filter], Vec::new()])).plugin("hand.wasm", &wasm).origin("v1")
}

fn hand(plugin: &Plugin) -> Running {
    beside(plugin, false).start()
}

#[track_caller]
fn refused(plugin: &Plugin) -> String {
    match beside(plugin, false).try_start() {
        Ok(_) => panic!("it starts:\n{}", plugin.text()),
        Err(error) => error.to_string(),
    }
}

/// Requests on the same worker are served while and after `act`.
#[track_caller]
fn assert_neighbour_served(proxy: &Running) {
    proxy.get("/neighbour").assert_status(200);
}

/// Failures of one kind of the plugin in this file, which metrics name by its whole path.
fn failures(proxy: &Running, module: &str, kind: &str) -> u64 {
    let metrics = proxy.admin("/metrics").text();
    let (file, kind) = (format!("/{module}.wasm\""), format!("kind=\"{kind}\""));
    let line = metrics.lines().find(|line| {
        line.starts_with("weir_plugin_failures_total")
            && line.contains(&file)
            && line.contains(&kind)
    });
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn older_revisions_of_the_abi_run() {
    let answer = |marker| Plugin::new().marker(Some(marker)).data(1024, "x-oldv1");
    let add = "(drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 1024) \
               (i32.const 5) (i32.const 1029) (i32.const 2)))";
    let old = answer("proxy_abi_version_0_1_0").on("proxy_on_log", "").item(&format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32) (result i32) {add} i32.const 0)"
    ));
    let proxy = hand(&old);
    assert_eq!(proxy.get("/0").assert_status(200).json()["headers"]["x-old"], "v1");
    let newer = answer("proxy_abi_version_0_2_0").on("proxy_on_request_headers", add);
    let proxy = hand(&newer);
    assert_eq!(proxy.get("/0").assert_status(200).json()["headers"]["x-old"], "v1");
}

#[test]
fn what_is_no_plugin_is_refused_with_the_reason() {
    for (plugin, reason) in [
        (Plugin::new().marker(None), "not a Proxy-Wasm plugin"),
        (Plugin::new().marker(Some("proxy_abi_version_9_9_9")), "unknown Proxy-Wasm ABI version"),
        (Plugin::new().memory(""), "exports no memory"),
        (Plugin::new().memory("(func (export \"memory\"))"), "exports no memory"),
        (Plugin::new().allocator(""), "proxy_on_memory_allocate"),
        (Plugin::new().item("(import \"env\" \"no_such_call\" (func))"), "no_such_call"),
        (Plugin::new().item("(import \"env\" \"proxy_log\" (func))"), "proxy_log"),
        (
            Plugin::new().item("(func (export \"proxy_on_request_headers\"))"),
            "exports `proxy_on_request_headers` with another type",
        ),
        (Plugin::new().memory("(memory (export \"memory\") 1000)"), "memory"),
        (Plugin::new().on("proxy_on_vm_start", "i32.const 0 return"), "proxy_on_vm_start refused"),
        (
            Plugin::new().on("proxy_on_configure", "i32.const 0 return"),
            "proxy_on_configure refused",
        ),
        (Plugin::new().on("proxy_on_configure", "unreachable"), "proxy_on_configure trapped"),
        (Plugin::new().item("(func (export \"_initialize\") unreachable)"), "_initialize trapped"),
        (
            Plugin::new()
                .item("(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))")
                .item("(func (export \"_initialize\") (call $exit (i32.const 1)))"),
            "proc_exit(1)",
        ),
    ] {
        let told = refused(&plugin);
        assert!(told.contains(reason), "{reason:?} is not in {told:?}");
    }
}

#[test]
fn a_start_that_does_not_end_is_refused() {
    let endless = "(func $endless (loop $again br $again))";
    for start in ["(start $endless)", "(export \"_initialize\" (func $endless))"] {
        let began = Instant::now();
        let told = refused(&Plugin::new().item(endless).item(start));
        assert!(told.contains("used more than 2s of CPU"), "{told}");
        assert!(began.elapsed() < PATIENCE);
    }
}

#[test]
fn a_start_that_ends_with_exit_is_sound() {
    let plugin = Plugin::new()
        .item("(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))")
        .item("(func (export \"_start\") (call $exit (i32.const 0)) unreachable)");
    hand(&plugin).get("/0").assert_status(200);
}

#[test]
fn a_plugin_says_itself_why_it_refuses() {
    let mut filter = Filter::probe("p0", "");
    filter.config = "refuse no shop is called Weir".into();
    let Err(error) = with_probe(&policy(&[vec![filter]])).origin("v1").try_start() else {
        panic!("it starts");
    };
    assert!(error.to_string().contains("no shop is called Weir"), "{error}");
}

#[test]
fn a_trap_in_any_callback_ends_only_its_own_request() {
    let streams = CALLBACKS.iter().filter(|(name, _)| {
        !["start", "configure", "tick", "trailers", "foreign_function", "context_create"]
            .iter()
            .any(|other| name.ends_with(other))
    });
    for (callback, _) in streams {
        let proxy = hand(&Plugin::new().on(callback, "unreachable"));
        let expected = match *callback {
            "proxy_on_log" | "proxy_on_done" | "proxy_on_delete" => 200,
            _ => 503,
        };
        for _ in 0..3 {
            proxy.request("POST", "/0").body("x").send().assert_status(expected);
            assert_neighbour_served(&proxy);
        }
        wait_until(&format!("{callback} is counted"), || failures(&proxy, "hand", "trap") == 3);
    }
}

#[test]
fn after_a_trap_the_next_request_finds_a_fresh_vm() {
    let proxy = probes(&["on request_headers?x-trap trap"]).origin("v1").start();
    for _ in 0..20 {
        proxy.request("GET", "/").header("x-trap", "1").send().assert_status(503).assert_body("");
        proxy.get("/").assert_status(200);
    }
    assert_eq!(failures(&proxy, "probe", "trap"), 20);
}

#[test]
fn streams_of_a_vm_that_died_get_the_policy() {
    for (open, status) in [(false, 503), (true, 200)] {
        let script = "on request_headers?x-wait pause\non request_headers?x-trap trap\n";
        let filter = Filter::probe("p0", script);
        let filter = if open { filter.open() } else { filter };
        let proxy = with_probe(&policy(&[vec![filter]])).origin("v1").start();
        let mut waiting: Vec<_> = (0..3)
            .map(|_| {
                let mut client = proxy.connect("main");
                client.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-wait: 1\r\n\r\n");
                client
            })
            .collect();
        wait_until("they all wait", || {
            proxy.log().iter().filter(|line| line.contains("request_headers")).count() == 3
        });
        let trapped = proxy.request("GET", "/").header("x-trap", "1").send();
        trapped.assert_status(status);
        for client in &mut waiting {
            client.read_response().assert_status(status);
        }
        proxy.get("/").assert_status(200);
    }
}

#[test]
fn a_tick_that_traps_is_replaced_and_ticks_again() {
    // Its first tick after each start traps.
    let script = "on configure tick 5\non tick trap\n";
    let proxy = probes(&[script]).origin("v1").start();
    wait_until("ticks trap again and again", || failures(&proxy, "probe", "trap") >= 3);
    // A request that was under way when a tick trapped is lost with its VM; the next is not.
    wait_until("requests are served in between", || proxy.get("/").status == 200);
}

#[test]
fn an_open_filter_is_left_out_when_it_fails() {
    let marked = Filter::probe("p1", "on request_headers add 0 x-next 1\n");
    let trapping = Filter::probe("p0", "on request_headers trap\n").open();
    let proxy = with_probe(&policy(&[vec![trapping, marked]])).origin("v1").start();
    for _ in 0..3 {
        assert_eq!(proxy.get("/").assert_status(200).json()["headers"]["x-next"], "1");
    }
    let answering = Filter::probe("p0", "on response_headers trap\n").open();
    let proxy = with_probe(&policy(&[vec![answering]])).origin("v1").start();
    proxy.get("/").assert_status(200);
}

#[test]
fn a_loop_in_any_callback_is_cut_off() {
    for callback in
        ["request_headers", "request_body", "response_headers", "response_body", "log", "done"]
    {
        let proxy = probes(&[&format!("on {callback}?x-loop loop")]).origin("v1").start();
        let began = Instant::now();
        let request = proxy.request("POST", "/").header("x-loop", "1").body("x");
        let expected = if ["log", "done"].contains(&callback) { 200 } else { 503 };
        request.send().assert_status(expected);
        // Twenty milliseconds of CPU; the rest is for the machine the tests share.
        assert!(began.elapsed() < PATIENCE, "{callback}: {:?}", began.elapsed());
        proxy.get("/").assert_status(200);
        assert_eq!(failures(&proxy, "probe", "deadline"), 1, "{callback}");
    }
}

#[test]
fn neighbours_are_served_while_a_plugin_loops() {
    let looping = vec![Filter::probe("p0", "on request_headers loop\n")];
    let sound = vec![Filter::probe("p1", "on request_headers add 0 x-ok 1\n")];
    let proxy = with_probe(&policy(&[looping, sound])).origin("v1").start();
    std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..25).map(|_| proxy.get("/0").status).collect::<Vec<_>>()))
            .collect();
        for _ in 0..50 {
            // The looping plugin is the same module: its VM is shared, so a neighbour may be hit.
            let began = Instant::now();
            let status = proxy.get("/").status;
            assert!([200, 503].contains(&status), "{status}");
            assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        }
        for attacker in attackers {
            assert!(attacker.join().unwrap().iter().all(|status| *status == 503));
        }
    });
    // It was held back meanwhile; then it is given another chance.
    wait_until("the plugin is back", || proxy.get("/").status == 200);
}

#[test]
fn a_plugin_that_costs_too_much_is_held_back_and_comes_back() {
    let proxy = probes(&["on request_headers?x-loop loop"]).origin("v1").start();
    wait_until("the plugin is held back", || {
        proxy.request("GET", "/").header("x-loop", "1").send().assert_status(503);
        failures(&proxy, "probe", "held_back") > 0
    });
    wait_until("it serves again", || proxy.get("/").status == 200);
}

#[test]
fn deadlines_are_of_cpu_not_of_the_clock() {
    // Slow but legal: half of what it may use, in each callback.
    let script = "on request_headers spin 8\non request_body spin 8\non response_headers spin 8\n";
    let proxy = probes(&[script, script]).origin("v1").start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    proxy.request("POST", "/").body("x").send().assert_status(200);
                }
            });
        }
    });
}

#[test]
fn memory_and_stack_have_an_end() {
    let proxy =
        probes(&["on request_headers?x-bomb allocate 64\non request_headers?x-deep recurse\n\
         on request_headers allocate 4\n"])
        .origin("v1")
        .start();
    for header in ["x-bomb", "x-deep"] {
        proxy.request("GET", "/").header(header, "1").send().assert_status(503);
        proxy.get("/").assert_status(200);
    }
    assert_eq!(failures(&proxy, "probe", "trap"), 2);
}

#[test]
fn storms_of_memory_are_cut_off() {
    let bomb = "(loop $again (drop (memory.grow (i32.const 16))) br $again)";
    let fill = "(drop (memory.grow (i32.const 400))) \
                (loop $again (memory.fill (i32.const 0) (i32.const 7) (i32.const 26000000)) br $again)";
    let deep = "(call $deep)";
    for body in [bomb, fill, deep] {
        let proxy = hand(
            &Plugin::new().on("proxy_on_request_headers", body).item("(func $deep (call $deep))"),
        );
        proxy.get("/0").assert_status(503);
        assert_neighbour_served(&proxy);
    }
}

#[test]
fn a_broken_allocator_hurts_only_its_guest() {
    let read = "(drop (call $proxy_get_header_map_value (i32.const 0) (i32.const 1024) \
                (i32.const 5) (i32.const 64) (i32.const 68)))\
                (drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 64) (i32.const 68)))";
    let plugin =
        |allocator: Plugin| allocator.data(1024, ":path").on("proxy_on_request_headers", read);
    for value in [0, -1, 65_535, 65_536, 0x7fff_ffff, 1024] {
        let proxy = hand(&plugin(Plugin::new().allocator_answering(value)));
        proxy.get("/0").assert_status(200);
    }
    let export = "(func $allocate (export \"proxy_on_memory_allocate\") (param i32) (result i32)";
    for (body, kind) in [
        ("unreachable)", "trap"),
        ("(loop $again br $again) i32.const 0)", "deadline"),
        // Each allocation asks for one more.
        (
            "(drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 64) (i32.const 68))) \
             i32.const 0)",
            "trap",
        ),
    ] {
        let proxy = hand(&plugin(Plugin::new().allocator(&format!("{export} {body}"))));
        proxy.get("/0").assert_status(503);
        assert_eq!(failures(&proxy, "hand", kind), 1, "{body}");
        assert_neighbour_served(&proxy);
    }
}

#[test]
fn an_allocator_may_call_the_host() {
    let allocator = "(func (export \"proxy_on_memory_allocate\") (param i32) (result i32) \
        (drop (call $proxy_log (i32.const 2) (i32.const 1024) (i32.const 5)))\
        (drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 1029) (i32.const 3) \
            (i32.const 1032) (i32.const 1)))\
        (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0) \
            (i32.const 1024) (i32.const 5)))\
        (drop (memory.grow (i32.const 1)))\
        (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)))";
    let body = "(drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 64) (i32.const 68)))\
        (drop (call $proxy_get_property (i32.const 1033) (i32.const 12) (i32.const 64) (i32.const 68)))\
        (drop (call $proxy_get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 64) (i32.const 68)))";
    let plugin = Plugin::new()
        .allocator(allocator)
        .data(1024, ":pathx-a1request\\00path")
        .on("proxy_on_request_headers", body);
    let proxy = hand(&plugin);
    let echoed = proxy.request("POST", "/0").body("x").send().assert_status(200).json();
    assert_eq!(echoed["headers"]["x-a"], "1,1,1");
}

#[test]
fn lies_about_memory_are_told_apart() {
    // Each body leaves the status it got; anything else than `expected` traps.
    let expect = |call: &str, status: u32| {
        format!("(if (i32.ne {call} (i32.const {status})) (then unreachable))")
    };
    let bad = 6;
    for (call, status) in [
        ("(call $proxy_log (i32.const 2) (i32.const -1) (i32.const 5))", bad),
        ("(call $proxy_log (i32.const 2) (i32.const 65534) (i32.const 5))", bad),
        ("(call $proxy_log (i32.const 9) (i32.const 0) (i32.const 5))", 2),
        ("(call $proxy_log (i32.const 2) (i32.const 65536) (i32.const 0))", 0),
        (
            "(call $proxy_add_header_map_value (i32.const 0) (i32.const -4) (i32.const 8) \
             (i32.const 0) (i32.const 1))",
            bad,
        ),
        (
            "(call $proxy_get_header_map_value (i32.const 0) (i32.const 1024) (i32.const 5) \
             (i32.const -1) (i32.const 68))",
            bad,
        ),
        ("(call $proxy_set_header_map_pairs (i32.const 0) (i32.const 2048) (i32.const 12))", 2),
        ("(call $proxy_set_header_map_pairs (i32.const 0) (i32.const 2064) (i32.const 12))", 2),
        ("(call $proxy_set_header_map_pairs (i32.const 0) (i32.const 4096) (i32.const -1))", bad),
        ("(call $proxy_set_property (i32.const 0) (i32.const -1) (i32.const 0) (i32.const -1))", 2),
        (
            "(call $proxy_define_metric (i32.const 0) (i32.const -9) (i32.const 8) (i32.const 0))",
            bad,
        ),
        (
            "(call $proxy_send_local_response (i32.const 200) (i32.const 0) (i32.const 0) \
             (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const -1))",
            bad,
        ),
        (
            "(call $proxy_send_local_response (i32.const 99) (i32.const 0) (i32.const 0) \
             (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1))",
            2,
        ),
    ] {
        let plugin = Plugin::new()
            .data(1024, ":path")
            // One pair whose key says it is longer than everything, and one whose lengths wrap.
            .data(2048, "\\01\\00\\00\\00\\ff\\ff\\00\\00\\00\\00\\00\\00")
            .data(2064, "\\01\\00\\00\\00\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff")
            .on("proxy_on_request_headers", &expect(call, status));
        let proxy = hand(&plugin);
        assert_eq!(proxy.get("/0").status, 200, "{call}");
    }
}

#[test]
fn floods_are_bounded() {
    // A hundred thousand different metrics, then as many log lines.
    let metrics = "(local $n i32)\
        (loop $again \
          (i32.store (i32.const 1024) (i32.add (i32.const 0x61616161) (local.get $n)))\
          (drop (call $proxy_define_metric (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 64)))\
          (local.set $n (i32.add (local.get $n) (i32.const 1)))\
          (br_if $again (i32.lt_u (local.get $n) (i32.const 100000))))";
    let logs = "(loop $again (drop (call $proxy_log (i32.const 4) (i32.const 0) (i32.const 9))) br $again)";
    let ticks =
        "(loop $again (drop (call $proxy_set_tick_period_milliseconds (i32.const 1))) br $again)";
    let replies = "(loop $again (drop (call $proxy_send_local_response (i32.const 200) (i32.const 0) \
        (i32.const 0) (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 0) (i32.const -1))) br $again)";
    for body in [metrics, logs, ticks, replies] {
        let proxy = hand(&Plugin::new().on("proxy_on_request_headers", body));
        let status = proxy.get("/0").status;
        assert!([200, 503].contains(&status), "{status}");
        assert_neighbour_served(&proxy);
        let metrics = proxy.admin("/metrics").text().lines().count();
        assert!(metrics < 25_000, "{metrics} lines of metrics");
    }
}

#[test]
fn contexts_are_forgotten_whatever_the_plugin_answers() {
    let plugin = Plugin::new()
        .on("proxy_on_done", "i32.const 0 return")
        .on("proxy_on_request_headers", "(drop (call $proxy_done))")
        .on("proxy_on_log", "(drop (call $proxy_done))")
        .on("proxy_on_delete", "(drop (call $proxy_done))");
    let proxy = hand(&plugin);
    for _ in 0..3 {
        proxy.get("/0").assert_status(200);
    }
    assert_neighbour_served(&proxy);
}

#[test]
fn a_module_of_the_sdk_is_told_apart_from_its_neighbours() {
    // Two plugins, one broken: the other's VM lives on.
    let trapping =
        wat::parse_str(Plugin::new().on("proxy_on_request_headers", "unreachable").text());
    let counting =
        "on request_headers metric define 0 alive\non request_headers metric increment 0 1\n";
    let chains = [vec![Filter::module("hand")], vec![Filter::probe("p0", counting)]];
    let proxy =
        with_probe(&policy(&chains)).plugin("hand.wasm", &trapping.unwrap()).origin("v1").start();
    for _ in 0..10 {
        proxy.get("/0").assert_status(503);
        proxy.get("/").assert_status(200);
    }
    trace(&proxy, "p0 delete");
    assert_eq!(proxy.metric("alive"), 10);
}
