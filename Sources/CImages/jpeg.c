#include "CImages.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/// A progressive image may be cut into any number of scans, each of which goes over the whole image. Encoders make ten.
enum { SCANS_MAX = 64 };

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf home;
    int outcome;
} error_state;

static void fail(j_common_ptr common) {
    error_state *state = (error_state *)common->err;
    state->outcome = common->err->msg_code == JERR_OUT_OF_MEMORY ? PLEXI_IMAGE_MEMORY : PLEXI_IMAGE_DAMAGED;
    longjmp(state->home, 1);
}

/// Warnings are for a person who looks; only the end of the bytes before the end of the image counts.
static void emit(j_common_ptr common, int level) {
    if (level < 0 && common->err->msg_code == JWRN_JPEG_EOF) fail(common);
}

static void be_silent(j_common_ptr common) { (void)common; }

static void count_scans(j_common_ptr common) {
    if (common->is_decompressor && ((j_decompress_ptr)common)->input_scan_number > SCANS_MAX) {
        common->err->msg_code = JERR_EOI_EXPECTED;
        fail(common);
    }
}

static struct jpeg_error_mgr *silent(error_state *state) {
    struct jpeg_error_mgr *base = jpeg_std_error(&state->base);
    base->error_exit = fail;
    base->emit_message = emit;
    base->output_message = be_silent;
    return base;
}

struct plexi_jpeg_reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_progress_mgr progress;
    error_state errors;
    unsigned char *inks;
};

int plexi_jpeg_open(const unsigned char *bytes, unsigned long count, plexi_jpeg_reader **made,
                    plexi_image_header *header) {
    plexi_jpeg_reader *reader = calloc(1, sizeof *reader);
    *made = reader;
    if (!reader) return PLEXI_IMAGE_MEMORY;
    reader->jpeg.err = silent(&reader->errors);
    if (setjmp(reader->errors.home)) return reader->errors.outcome;
    jpeg_create_decompress(&reader->jpeg);
    reader->progress.progress_monitor = count_scans;
    reader->jpeg.progress = &reader->progress;
    jpeg_mem_src(&reader->jpeg, (unsigned char *)bytes, count);
    if (jpeg_read_header(&reader->jpeg, TRUE) != JPEG_HEADER_OK) return PLEXI_IMAGE_DAMAGED;
    J_COLOR_SPACE space = reader->jpeg.jpeg_color_space;
    memset(header, 0, sizeof *header);
    header->width = reader->jpeg.image_width;
    header->height = reader->jpeg.image_height;
    header->is_interlaced = jpeg_has_multiple_scans(&reader->jpeg) ? 1 : 0;
    header->is_gray = space == JCS_GRAYSCALE;
    header->is_cmyk = space == JCS_CMYK || space == JCS_YCCK;
    return PLEXI_IMAGE_OK;
}

int plexi_jpeg_begin(plexi_jpeg_reader *reader, unsigned int eighths, unsigned int *width, unsigned int *height) {
    if (setjmp(reader->errors.home)) return reader->errors.outcome;
    J_COLOR_SPACE space = reader->jpeg.jpeg_color_space;
    int has_inks = space == JCS_CMYK || space == JCS_YCCK;
    reader->jpeg.out_color_space = has_inks ? JCS_CMYK : JCS_EXT_RGBX;
    reader->jpeg.scale_num = eighths;
    reader->jpeg.scale_denom = 8;
    if (!jpeg_start_decompress(&reader->jpeg)) return PLEXI_IMAGE_DAMAGED;
    if (has_inks) {
        reader->inks = malloc(4UL * reader->jpeg.output_width);
        if (!reader->inks) return PLEXI_IMAGE_MEMORY;
    }
    *width = reader->jpeg.output_width;
    *height = reader->jpeg.output_height;
    return PLEXI_IMAGE_OK;
}

/// Adobe writes inks inverted, and everybody else does as Adobe.
static void mix(const plexi_jpeg_reader *reader, unsigned char *rgba) {
    int is_inverted = reader->jpeg.saw_Adobe_marker;
    for (unsigned long i = 0; i < 4UL * reader->jpeg.output_width; i += 4) {
        unsigned int black = reader->inks[i + 3];
        if (!is_inverted) black = 255 - black;
        for (int c = 0; c < 3; c++) {
            unsigned int ink = reader->inks[i + (unsigned long)c];
            if (!is_inverted) ink = 255 - ink;
            rgba[i + (unsigned long)c] = (unsigned char)((ink * black + 127) / 255);
        }
    }
}

int plexi_jpeg_row(plexi_jpeg_reader *reader, unsigned char *rgba) {
    if (setjmp(reader->errors.home)) return reader->errors.outcome;
    JSAMPROW row = reader->inks ? reader->inks : rgba;
    if (jpeg_read_scanlines(&reader->jpeg, &row, 1) != 1) return PLEXI_IMAGE_DAMAGED;
    if (reader->inks) mix(reader, rgba);
    for (unsigned long i = 3; i < 4UL * reader->jpeg.output_width; i += 4) rgba[i] = 255;
    return PLEXI_IMAGE_OK;
}

void plexi_jpeg_close(plexi_jpeg_reader *reader) {
    if (!reader) return;
    if (!setjmp(reader->errors.home)) jpeg_destroy_decompress(&reader->jpeg);
    free(reader->inks);
    free(reader);
}

struct plexi_jpeg_writer {
    struct jpeg_compress_struct jpeg;
    error_state errors;
    unsigned char *bytes;
    unsigned long count;
};

int plexi_jpeg_write_begin(unsigned int width, unsigned int height, int quality, const unsigned char *profile,
                           unsigned int profile_count, plexi_jpeg_writer **made) {
    plexi_jpeg_writer *writer = calloc(1, sizeof *writer);
    *made = writer;
    if (!writer) return PLEXI_IMAGE_MEMORY;
    writer->jpeg.err = silent(&writer->errors);
    if (setjmp(writer->errors.home)) return writer->errors.outcome;
    jpeg_create_compress(&writer->jpeg);
    jpeg_mem_dest(&writer->jpeg, &writer->bytes, &writer->count);
    writer->jpeg.image_width = width;
    writer->jpeg.image_height = height;
    writer->jpeg.input_components = 4;
    writer->jpeg.in_color_space = JCS_EXT_RGBX;
    jpeg_set_defaults(&writer->jpeg);
    jpeg_set_quality(&writer->jpeg, quality, TRUE);
    jpeg_start_compress(&writer->jpeg, TRUE);
    if (profile && profile_count > 0) jpeg_write_icc_profile(&writer->jpeg, profile, profile_count);
    return PLEXI_IMAGE_OK;
}

int plexi_jpeg_write_row(plexi_jpeg_writer *writer, const unsigned char *rgba) {
    if (setjmp(writer->errors.home)) return writer->errors.outcome;
    JSAMPROW row = (unsigned char *)rgba;
    return jpeg_write_scanlines(&writer->jpeg, &row, 1) == 1 ? PLEXI_IMAGE_OK : PLEXI_IMAGE_DAMAGED;
}

int plexi_jpeg_write_end(plexi_jpeg_writer *writer, const unsigned char **bytes, unsigned long *count) {
    if (setjmp(writer->errors.home)) return writer->errors.outcome;
    jpeg_finish_compress(&writer->jpeg);
    *bytes = writer->bytes;
    *count = writer->count;
    return PLEXI_IMAGE_OK;
}

void plexi_jpeg_write_close(plexi_jpeg_writer *writer) {
    if (!writer) return;
    if (!setjmp(writer->errors.home)) jpeg_destroy_compress(&writer->jpeg);
    free(writer->bytes);
    free(writer);
}
