// Our own C: system calls that Glibc's Swift module does not expose, behind plain types.
// No header of the C library is included here: their extensions clash between clang modules. The .c files include them.
#pragma once

/// Sends one datagram to the service manager's notification socket. `state` is e.g. "READY=1".
/// Returns 1 when sent, 0 when there is no service manager, and a negative errno on failure.
int plexi_notify_service_manager(const char *state);

/// Overwrites memory in a way that the compiler may not leave out.
void plexi_zeroise(void *memory, unsigned long count);

/// Names the calling thread for `top -H`, `ps` and debuggers; the kernel keeps the first 15 bytes.
void plexi_name_thread(const char *name);
