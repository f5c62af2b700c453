// deflateInit2 and inflateInit2 are macros: wrapped.
#pragma once
#include <zlib.h>
