//! Response flags: why the proxy answered what it answered, in Envoy's letters and bit positions.

use alloc::string::String;

macro_rules! response_flags {
    ($($(#[$meta:meta])* $variant:ident = $bit:literal $short:literal,)+) => {
        /// One reason. The discriminant is Envoy's bit position in `response.flags`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ResponseFlag { $($(#[$meta])* $variant = $bit,)+ }

        impl ResponseFlag {
            /// Every flag, by bit position.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The letters of access logs and of the `response_flags` label.
            pub const fn short(self) -> &'static str {
                match self { $(Self::$variant => $short,)+ }
            }
        }
    };
}

response_flags! {
    FailedLocalHealthCheck = 0 "LH",
    NoHealthyUpstream = 1 "UH",
    UpstreamRequestTimeout = 2 "UT",
    LocalReset = 3 "LR",
    UpstreamRemoteReset = 4 "UR",
    UpstreamConnectionFailure = 5 "UF",
    UpstreamConnectionTermination = 6 "UC",
    UpstreamOverflow = 7 "UO",
    NoRouteFound = 8 "NR",
    DelayInjected = 9 "DI",
    FaultInjected = 10 "FI",
    RateLimited = 11 "RL",
    UnauthorizedExternalService = 12 "UAEX",
    RateLimitServiceError = 13 "RLSE",
    DownstreamConnectionTermination = 14 "DC",
    UpstreamRetryLimitExceeded = 15 "URX",
    StreamIdleTimeout = 16 "SI",
    InvalidEnvoyRequestHeaders = 17 "IH",
    DownstreamProtocolError = 18 "DPE",
    UpstreamMaxStreamDurationReached = 19 "UMSDR",
    ResponseFromCacheFilter = 20 "RFCF",
    NoFilterConfigFound = 21 "NFCF",
    DurationTimeout = 22 "DT",
    UpstreamProtocolError = 23 "UPE",
    NoClusterFound = 24 "NC",
    OverloadManager = 25 "OM",
    DnsResolutionFailed = 26 "DF",
    DropOverload = 27 "DO",
    DownstreamRemoteReset = 28 "DR",
    UnconditionalDropOverload = 29 "UDO",
}

impl ResponseFlag {
    /// The flag of its letters, e.g. `FI`.
    pub fn from_short(short: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|flag| flag.short() == short)
    }
}

/// The set of flags of one stream, as the bit vector that `response.flags` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ResponseFlags(pub u64);

impl ResponseFlags {
    pub fn insert(&mut self, flag: ResponseFlag) {
        self.0 |= 1 << flag as u8;
    }

    pub const fn contains(self, flag: ResponseFlag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Appends the letters joined by commas in bit order, or `-` when there are none.
    pub fn write_short(self, out: &mut String) {
        if self.is_empty() {
            return out.push('-');
        }
        let mut first = true;
        for flag in ResponseFlag::ALL.iter().filter(|flag| self.contains(**flag)) {
            if !first {
                out.push(',');
            }
            first = false;
            out.push_str(flag.short());
        }
    }
}
