// libcurl's setters and getters are variadic, which Swift cannot call: one wrapper per argument type.
#pragma once
#include <curl/curl.h>

typedef size_t (*plexi_curl_bytes)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode plexi_curl_set_long(CURL *handle, CURLoption option, long value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode plexi_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode plexi_curl_set_text(CURL *handle, CURLoption option, const char *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode plexi_curl_set_pointer(CURL *handle, CURLoption option, void *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode plexi_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode plexi_curl_set_bytes_function(CURL *handle, CURLoption option, plexi_curl_bytes function) { return curl_easy_setopt(handle, option, function); }
static inline CURLcode plexi_curl_set_seek_function(CURL *handle, curl_seek_callback function) { return curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, function); }
static inline CURLcode plexi_curl_set_open_socket_function(CURL *handle, curl_opensocket_callback function) { return curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, function); }
static inline CURLcode plexi_curl_get_long(CURL *handle, CURLINFO info, long *value) { return curl_easy_getinfo(handle, info, value); }

// Which schemes a transfer may use. CURLOPT_PROTOCOLS gave way to CURLOPT_PROTOCOLS_STR in 7.85; Ubuntu 22.04 has 7.81.
#if LIBCURL_VERSION_NUM >= 0x075500
static inline CURLcode plexi_curl_allow_http(CURL *handle) { return curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https"); }
static inline CURLcode plexi_curl_allow_smtp(CURL *handle) { return curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps"); }
#else
static inline CURLcode plexi_curl_allow_http(CURL *handle) { return curl_easy_setopt(handle, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS); }
static inline CURLcode plexi_curl_allow_smtp(CURL *handle) { return curl_easy_setopt(handle, CURLOPT_PROTOCOLS, CURLPROTO_SMTP | CURLPROTO_SMTPS); }
#endif

static inline CURLMcode plexi_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) { return curl_multi_setopt(multi, option, value); }
static inline CURLMcode plexi_curl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) { return curl_multi_setopt(multi, option, value); }
static inline CURLMcode plexi_curl_multi_set_socket_function(CURLM *multi, curl_socket_callback function) { return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, function); }
static inline CURLMcode plexi_curl_multi_set_timer_function(CURLM *multi, curl_multi_timer_callback function) { return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, function); }

static inline CURLcode plexi_curl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
static inline CURLcode plexi_curl_result(CURLMsg *message) { return message->data.result; }
