// libjpeg, libpng and libwebp behind plain types, a row of RGBA at a time. They report errors by longjmp, which must not
// cross Swift's frames: that is why this is C. No header of theirs is included here.
#pragma once

enum { PLEXI_IMAGE_OK = 0, PLEXI_IMAGE_DAMAGED = 1, PLEXI_IMAGE_MEMORY = 2, PLEXI_IMAGE_UNSUPPORTED = 3 };

typedef struct {
    unsigned int width;
    unsigned int height;
    unsigned char has_alpha;
    /// Rows cannot be had one after the other: all of them are held while decoding.
    unsigned char is_interlaced;
    unsigned char is_gray;
    /// Colours are those of printing inks; they are converted without their profile.
    unsigned char is_cmyk;
} plexi_image_header;

/// Reads an image in memory that outlives the reader.
typedef struct plexi_jpeg_reader plexi_jpeg_reader;
/// 0 or what is wrong; `*reader` is to be closed in both cases.
int plexi_jpeg_open(const unsigned char *bytes, unsigned long count, plexi_jpeg_reader **reader,
                    plexi_image_header *header);
/// Scales to `eighths`/8 while decoding. `*width` and `*height` are those of the rows that come.
int plexi_jpeg_begin(plexi_jpeg_reader *reader, unsigned int eighths, unsigned int *width, unsigned int *height);
/// One row of RGBA. Truncated and overlong images are damaged.
int plexi_jpeg_row(plexi_jpeg_reader *reader, unsigned char *rgba);
void plexi_jpeg_close(plexi_jpeg_reader *reader);

typedef struct plexi_jpeg_writer plexi_jpeg_writer;
/// `profile` is an ICC profile or NULL.
int plexi_jpeg_write_begin(unsigned int width, unsigned int height, int quality, const unsigned char *profile,
                           unsigned int profile_count, plexi_jpeg_writer **writer);
int plexi_jpeg_write_row(plexi_jpeg_writer *writer, const unsigned char *rgba);
/// What was written; it belongs to the writer.
int plexi_jpeg_write_end(plexi_jpeg_writer *writer, const unsigned char **bytes, unsigned long *count);
void plexi_jpeg_write_close(plexi_jpeg_writer *writer);

typedef struct plexi_png_reader plexi_png_reader;
int plexi_png_open(const unsigned char *bytes, unsigned long count, plexi_png_reader **reader,
                   plexi_image_header *header);
/// One row of RGBA of an image that is not interlaced.
int plexi_png_row(plexi_png_reader *reader, unsigned char *rgba);
/// All rows of RGBA.
int plexi_png_all(plexi_png_reader *reader, unsigned char *rgba);
/// Reads to the end, so that what is missing there is found.
int plexi_png_finish(plexi_png_reader *reader);
void plexi_png_close(plexi_png_reader *reader);

typedef struct plexi_png_writer plexi_png_writer;
int plexi_png_write_begin(unsigned int width, unsigned int height, int has_alpha, plexi_png_writer **writer);
int plexi_png_write_row(plexi_png_writer *writer, const unsigned char *rgba);
int plexi_png_write_end(plexi_png_writer *writer, const unsigned char **bytes, unsigned long *count);
void plexi_png_write_close(plexi_png_writer *writer);

/// Looks for libwebp.so.7. 1 when it is there; to be called before the right to open files is given up.
int plexi_webp_load(void);
/// The size of a still image. PLEXI_IMAGE_UNSUPPORTED without the library.
int plexi_webp_header(const unsigned char *bytes, unsigned long count, unsigned int *width, unsigned int *height);
/// All rows of RGBA into room for `room` bytes.
int plexi_webp_decode(const unsigned char *bytes, unsigned long count, unsigned char *rgba, unsigned long room,
                      unsigned int width);
/// `*encoded` is to be given to `plexi_webp_free`.
int plexi_webp_encode(const unsigned char *rgba, unsigned int width, unsigned int height, int is_lossless, int quality,
                      unsigned char **encoded, unsigned long *count);
void plexi_webp_free(unsigned char *encoded);
