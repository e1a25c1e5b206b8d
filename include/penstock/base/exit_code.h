// Exit codes of every Penstock process, as sysexits(3) numbers them, so that systemd and scripts can tell a
// bad configuration (do not restart) from a missing resource (restart may help).
#pragma once

namespace penstock {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 64;         // EX_USAGE: bad command line
inline constexpr int kExitUnavailable = 69;   // EX_UNAVAILABLE: hugepages, device or peer missing
inline constexpr int kExitTempFail = 75;      // EX_TEMPFAIL: socket or lab already in use
inline constexpr int kExitNoPermission = 77;  // EX_NOPERM: not root
inline constexpr int kExitBadConfig = 78;     // EX_CONFIG: a configuration file was refused

}  // namespace penstock
