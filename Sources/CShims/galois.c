// A product with a constant is linear, so it is the sum of two looked-up products, of the lower and of the upper four bits
// of a byte; and a table of 16 bytes is what PSHUFB looks up, 16 or 32 bytes at a time (Plank, Greenan, Miller: "Screaming
// Fast Galois Field Arithmetic Using Intel SIMD Instructions", FAST 2013).
#include "Galois.h"

static void scalar(
    unsigned char *target, const unsigned char *source, unsigned long count, const unsigned char *low,
    const unsigned char *high) {
    for (unsigned long index = 0; index < count; index++) target[index] ^= low[source[index] & 15] ^ high[source[index] >> 4];
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("ssse3"))) static unsigned long with_ssse3(
    unsigned char *target, const unsigned char *source, unsigned long count, const unsigned char *low,
    const unsigned char *high) {
    const __m128i lower = _mm_loadu_si128((const __m128i *)low), upper = _mm_loadu_si128((const __m128i *)high);
    const __m128i mask = _mm_set1_epi8(15);
    unsigned long index = 0;
    for (; index + 16 <= count; index += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(source + index));
        const __m128i product = _mm_xor_si128(
            _mm_shuffle_epi8(lower, _mm_and_si128(bytes, mask)),
            _mm_shuffle_epi8(upper, _mm_and_si128(_mm_srli_epi64(bytes, 4), mask)));
        __m128i *place = (__m128i *)(target + index);
        _mm_storeu_si128(place, _mm_xor_si128(_mm_loadu_si128(place), product));
    }
    return index;
}

__attribute__((target("avx2"))) static unsigned long with_avx2(
    unsigned char *target, const unsigned char *source, unsigned long count, const unsigned char *low,
    const unsigned char *high) {
    const __m256i lower = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)low));
    const __m256i upper = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)high));
    const __m256i mask = _mm256_set1_epi8(15);
    unsigned long index = 0;
    for (; index + 32 <= count; index += 32) {
        const __m256i bytes = _mm256_loadu_si256((const __m256i *)(source + index));
        const __m256i product = _mm256_xor_si256(
            _mm256_shuffle_epi8(lower, _mm256_and_si256(bytes, mask)),
            _mm256_shuffle_epi8(upper, _mm256_and_si256(_mm256_srli_epi64(bytes, 4), mask)));
        __m256i *place = (__m256i *)(target + index);
        _mm256_storeu_si256(place, _mm256_xor_si256(_mm256_loadu_si256(place), product));
    }
    return index;
}

int plexi_gf_best_kernel(void) {
    if (__builtin_cpu_supports("avx2")) return 2;
    return __builtin_cpu_supports("ssse3") ? 1 : 0;
}
#else
int plexi_gf_best_kernel(void) { return 0; }
#endif

void plexi_gf_multiply_add(
    unsigned char *target, const unsigned char *source, unsigned long count, const unsigned char low[16],
    const unsigned char high[16], int kernel) {
    unsigned long done = 0;
#if defined(__x86_64__)
    if (kernel == 2) done = with_avx2(target, source, count, low, high);
    else if (kernel == 1) done = with_ssse3(target, source, count, low, high);
#else
    (void)kernel;
#endif
    scalar(target + done, source + done, count - done, low, high);
}
