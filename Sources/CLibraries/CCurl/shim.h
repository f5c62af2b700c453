// libcurl's setters and getters are variadic, which Swift cannot call: one wrapper per argument type.
#pragma once
#include <curl/curl.h>
