// libuv: loops, polls and timers. Its TCP layer is not used (see docs/decisions).
#pragma once
#include <uv.h>
