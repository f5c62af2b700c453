#include "CImages.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

/// What one chunk beside the pixels may take when unpacked, and how many are looked at.
enum { CHUNK_BYTES_MAX = 1 << 20, CHUNKS_MAX = 128, SIDE_MAX = 65535 };

typedef struct {
    const unsigned char *bytes;
    unsigned long count;
    unsigned long next;
} source;

struct plexi_png_reader {
    png_structp png;
    png_infop info;
    source source;
    unsigned int height;
    unsigned long row_bytes;
};

static void fail(png_structp png, png_const_charp words) {
    (void)words;
    longjmp(png_jmpbuf(png), 1);
}

static void be_silent(png_structp png, png_const_charp words) {
    (void)png;
    (void)words;
}

static void take(png_structp png, png_bytep into, png_size_t count) {
    source *from = png_get_io_ptr(png);
    if (count > from->count - from->next) png_error(png, "the end");
    memcpy(into, from->bytes + from->next, count);
    from->next += count;
}

/// To eight bits of red, green, blue and alpha each, whatever it is.
static void normalise(png_structp png, png_infop info) {
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_filler(png, 0xFF, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void describe(plexi_png_reader *reader, plexi_image_header *header) {
    int kind = png_get_color_type(reader->png, reader->info);
    memset(header, 0, sizeof *header);
    header->width = png_get_image_width(reader->png, reader->info);
    header->height = png_get_image_height(reader->png, reader->info);
    int has_transparent = png_get_valid(reader->png, reader->info, PNG_INFO_tRNS) != 0;
    header->has_alpha = (kind & PNG_COLOR_MASK_ALPHA) != 0 || has_transparent;
    header->is_interlaced = png_get_interlace_type(reader->png, reader->info) != PNG_INTERLACE_NONE;
    header->is_gray = (kind & PNG_COLOR_MASK_COLOR) == 0;
}

int plexi_png_open(const unsigned char *bytes, unsigned long count, plexi_png_reader **made,
                   plexi_image_header *header) {
    plexi_png_reader *reader = calloc(1, sizeof *reader);
    *made = reader;
    if (!reader) return PLEXI_IMAGE_MEMORY;
    reader->source = (source){bytes, count, 0};
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, fail, be_silent);
    if (reader->png) reader->info = png_create_info_struct(reader->png);
    if (!reader->info) return PLEXI_IMAGE_MEMORY;
    if (setjmp(png_jmpbuf(reader->png))) return PLEXI_IMAGE_DAMAGED;
    png_set_user_limits(reader->png, SIDE_MAX, SIDE_MAX);
    png_set_chunk_malloc_max(reader->png, CHUNK_BYTES_MAX);
    png_set_chunk_cache_max(reader->png, CHUNKS_MAX);
    // What is not needed for the pixels is not even unpacked.
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_read_fn(reader->png, &reader->source, take);
    png_read_info(reader->png, reader->info);
    describe(reader, header);
    normalise(reader->png, reader->info);
    reader->height = header->height;
    reader->row_bytes = png_get_rowbytes(reader->png, reader->info);
    return reader->row_bytes == 4UL * header->width ? PLEXI_IMAGE_OK : PLEXI_IMAGE_DAMAGED;
}

int plexi_png_row(plexi_png_reader *reader, unsigned char *rgba) {
    if (setjmp(png_jmpbuf(reader->png))) return PLEXI_IMAGE_DAMAGED;
    png_read_row(reader->png, rgba, NULL);
    return PLEXI_IMAGE_OK;
}

int plexi_png_all(plexi_png_reader *reader, unsigned char *rgba) {
    png_bytepp volatile rows = malloc(reader->height * sizeof *rows);
    if (!rows) return PLEXI_IMAGE_MEMORY;
    if (setjmp(png_jmpbuf(reader->png))) {
        free(rows);
        return PLEXI_IMAGE_DAMAGED;
    }
    for (unsigned int y = 0; y < reader->height; y++) rows[y] = rgba + y * reader->row_bytes;
    png_read_image(reader->png, rows);
    free(rows);
    return PLEXI_IMAGE_OK;
}

int plexi_png_finish(plexi_png_reader *reader) {
    if (setjmp(png_jmpbuf(reader->png))) return PLEXI_IMAGE_DAMAGED;
    png_read_end(reader->png, NULL);
    return PLEXI_IMAGE_OK;
}

void plexi_png_close(plexi_png_reader *reader) {
    if (!reader) return;
    if (reader->png) png_destroy_read_struct(&reader->png, reader->info ? &reader->info : NULL, NULL);
    free(reader);
}

struct plexi_png_writer {
    png_structp png;
    png_infop info;
    unsigned char *bytes;
    unsigned long count;
    unsigned long room;
};

static void give(png_structp png, png_bytep from, png_size_t count) {
    plexi_png_writer *writer = png_get_io_ptr(png);
    if (count > writer->room - writer->count) {
        unsigned long room = 2 * writer->room + count + 4096;
        unsigned char *grown = realloc(writer->bytes, room);
        if (!grown) png_error(png, "memory");
        writer->bytes = grown;
        writer->room = room;
    }
    memcpy(writer->bytes + writer->count, from, count);
    writer->count += count;
}

static void flush(png_structp png) { (void)png; }

int plexi_png_write_begin(unsigned int width, unsigned int height, int has_alpha, plexi_png_writer **made) {
    plexi_png_writer *writer = calloc(1, sizeof *writer);
    *made = writer;
    if (!writer) return PLEXI_IMAGE_MEMORY;
    writer->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, fail, be_silent);
    if (writer->png) writer->info = png_create_info_struct(writer->png);
    if (!writer->info) return PLEXI_IMAGE_MEMORY;
    if (setjmp(png_jmpbuf(writer->png))) return PLEXI_IMAGE_MEMORY;
    png_set_write_fn(writer->png, writer, give, flush);
    int kind = has_alpha ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB;
    png_set_IHDR(writer->png, writer->info, width, height, 8, kind, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(writer->png, writer->info);
    if (!has_alpha) png_set_filler(writer->png, 0, PNG_FILLER_AFTER);
    return PLEXI_IMAGE_OK;
}

int plexi_png_write_row(plexi_png_writer *writer, const unsigned char *rgba) {
    if (setjmp(png_jmpbuf(writer->png))) return PLEXI_IMAGE_MEMORY;
    png_write_row(writer->png, rgba);
    return PLEXI_IMAGE_OK;
}

int plexi_png_write_end(plexi_png_writer *writer, const unsigned char **bytes, unsigned long *count) {
    if (setjmp(png_jmpbuf(writer->png))) return PLEXI_IMAGE_MEMORY;
    png_write_end(writer->png, NULL);
    *bytes = writer->bytes;
    *count = writer->count;
    return PLEXI_IMAGE_OK;
}

void plexi_png_write_close(plexi_png_writer *writer) {
    if (!writer) return;
    if (writer->png) png_destroy_write_struct(&writer->png, writer->info ? &writer->info : NULL);
    free(writer->bytes);
    free(writer);
}
