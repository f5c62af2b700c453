// libwebp without its headers: the simple functions of its public interface, which have not changed since version 0.1.
#define _GNU_SOURCE
#include "CImages.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef int get_info(const uint8_t *bytes, size_t count, int *width, int *height);
typedef uint8_t *decode_into(const uint8_t *bytes, size_t count, uint8_t *rgba, size_t room, int stride);
typedef size_t encode(const uint8_t *rgba, int width, int height, int stride, float quality, uint8_t **encoded);
typedef size_t encode_lossless(const uint8_t *rgba, int width, int height, int stride, uint8_t **encoded);
typedef void release(void *encoded);

static struct {
    get_info *info;
    decode_into *decode;
    encode *encode;
    encode_lossless *encode_lossless;
    release *release;
} webp;

int plexi_webp_load(void) {
    if (webp.info) return 1;
    void *library = dlopen("libwebp.so.7", RTLD_NOW | RTLD_LOCAL);
    if (!library) return 0;
    webp.decode = (decode_into *)dlsym(library, "WebPDecodeRGBAInto");
    webp.encode = (encode *)dlsym(library, "WebPEncodeRGBA");
    webp.encode_lossless = (encode_lossless *)dlsym(library, "WebPEncodeLosslessRGBA");
    webp.release = (release *)dlsym(library, "WebPFree");
    if (webp.decode && webp.encode && webp.encode_lossless && webp.release)
        webp.info = (get_info *)dlsym(library, "WebPGetInfo");
    return webp.info != NULL;
}

int plexi_webp_header(const unsigned char *bytes, unsigned long count, unsigned int *width, unsigned int *height) {
    if (!webp.info) return PLEXI_IMAGE_UNSUPPORTED;
    int w = 0, h = 0;
    if (!webp.info(bytes, count, &w, &h) || w <= 0 || h <= 0) return PLEXI_IMAGE_DAMAGED;
    *width = (unsigned int)w;
    *height = (unsigned int)h;
    return PLEXI_IMAGE_OK;
}

int plexi_webp_decode(const unsigned char *bytes, unsigned long count, unsigned char *rgba, unsigned long room,
                      unsigned int width) {
    if (!webp.info) return PLEXI_IMAGE_UNSUPPORTED;
    return webp.decode(bytes, count, rgba, room, (int)(4 * width)) ? PLEXI_IMAGE_OK : PLEXI_IMAGE_DAMAGED;
}

int plexi_webp_encode(const unsigned char *rgba, unsigned int width, unsigned int height, int is_lossless, int quality,
                      unsigned char **encoded, unsigned long *count) {
    *encoded = NULL;
    if (!webp.info) return PLEXI_IMAGE_UNSUPPORTED;
    int w = (int)width, h = (int)height, stride = (int)(4 * width);
    *count = is_lossless ? webp.encode_lossless(rgba, w, h, stride, encoded)
                         : webp.encode(rgba, w, h, stride, (float)quality, encoded);
    return *count > 0 ? PLEXI_IMAGE_OK : PLEXI_IMAGE_MEMORY;
}

void plexi_webp_free(unsigned char *encoded) {
    if (encoded && webp.release) webp.release(encoded);
}
