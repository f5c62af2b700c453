// What keeps secrets out of branches and addresses, and what checks that.
#pragma once

// NVALGRIND leaves the requests out by valgrind's own rule, also where its headers are installed.
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>) && !defined(NVALGRIND)
#include <valgrind/memcheck.h>
#define PLEXI_MEMCHECK 1
#endif
#endif

/// The same value, of which the compiler no longer knows what it may be.
static inline __attribute__((always_inline)) unsigned int plexi_value_barrier(unsigned int value) {
    __asm__("" : "+r"(value));
    return value;
}

/// Whether this was built with valgrind's header and runs under valgrind: only then do the two below do anything.
static inline int plexi_memcheck_runs(void) {
#ifdef PLEXI_MEMCHECK
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

/// Marks memory as uninitialised: memcheck then reports every branch and every address that depends on it.
static inline void plexi_memcheck_hide(const void *memory, unsigned long count) {
#ifdef PLEXI_MEMCHECK
    VALGRIND_MAKE_MEM_UNDEFINED(memory, count);
#else
    (void)memory;
    (void)count;
#endif
}

/// Marks memory as initialised: what is in it may be known.
static inline void plexi_memcheck_show(const void *memory, unsigned long count) {
#ifdef PLEXI_MEMCHECK
    VALGRIND_MAKE_MEM_DEFINED(memory, count);
#else
    (void)memory;
    (void)count;
#endif
}

/// Whether all of the memory, at most 64 bytes, is still marked: what was made of secrets is secret.
static inline int plexi_memcheck_is_hidden(const void *memory, unsigned long count) {
#ifdef PLEXI_MEMCHECK
    unsigned char bits[64] = {0};
    if (count > sizeof bits || VALGRIND_GET_VBITS(memory, bits, count) != 1) return 0;
    VALGRIND_MAKE_MEM_DEFINED(bits, count);
    for (unsigned long index = 0; index < count; index++)
        if (bits[index] != 0xFF) return 0;
    return 1;
#else
    (void)memory;
    (void)count;
    return 0;
#endif
}
