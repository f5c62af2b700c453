// Multiplication in GF(2^8) over whole buffers: the inner loop of erasure coding.
#pragma once

/// How `plexi_gf_multiply_add` does it: 0 byte by byte, 1 with SSSE3, 2 with AVX2.
int plexi_gf_best_kernel(void);

/// target[i] ^= source[i] * coefficient for `count` bytes. `low` holds the products of the coefficient with 0…15, `high`
/// those with 0x00, 0x10, … 0xF0. `kernel` must not be more than `plexi_gf_best_kernel` says.
void plexi_gf_multiply_add(
    unsigned char *target, const unsigned char *source, unsigned long count, const unsigned char low[16],
    const unsigned char high[16], int kernel);
