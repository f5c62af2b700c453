// OpenSSL 3. Macros and struct-valued constants that Swift cannot import are wrapped here, one line each.
#pragma once
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

// Names of parameters: macros whose definition moved between 3.0 and 3.5.
static inline const char *plexi_mac_param_digest(void) { return OSSL_MAC_PARAM_DIGEST; }
static inline const char *plexi_kdf_param_digest(void) { return OSSL_KDF_PARAM_DIGEST; }
static inline const char *plexi_kdf_param_key(void) { return OSSL_KDF_PARAM_KEY; }
static inline const char *plexi_kdf_param_salt(void) { return OSSL_KDF_PARAM_SALT; }
static inline const char *plexi_kdf_param_info(void) { return OSSL_KDF_PARAM_INFO; }
static inline const char *plexi_kdf_param_mode(void) { return OSSL_KDF_PARAM_MODE; }
static inline const char *plexi_pkey_param_group(void) { return OSSL_PKEY_PARAM_GROUP_NAME; }
static inline const char *plexi_pkey_param_public(void) { return OSSL_PKEY_PARAM_PUB_KEY; }
static inline const char *plexi_pkey_param_rsa_n(void) { return OSSL_PKEY_PARAM_RSA_N; }
static inline const char *plexi_pkey_param_rsa_e(void) { return OSSL_PKEY_PARAM_RSA_E; }

static inline const char *plexi_cipher_param_tag(void) { return OSSL_CIPHER_PARAM_AEAD_TAG; }
// The nonce of GCM as a parameter: a length of -1 says that it is the whole nonce (EVP_CTRL_GCM_SET_IV_FIXED).
static inline OSSL_PARAM plexi_cipher_nonce(void) {
    return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, NULL, (size_t)-1);
}

// HMAC-SHA1 from hash states that already hold the key's blocks (SRTP, STUN): a value that is copied per message.
// OpenSSL 3.0 has no other way that allocates nothing: copying an EVP_MD_CTX or restarting an EVP_MAC duplicates the
// state on the heap. These calls are deprecated there and kept; they are the same assembly.
typedef struct { SHA_CTX inner, outer; } plexi_hmac_sha1;
static inline void plexi_hmac_sha1_begin(SHA_CTX *state, const unsigned char *key, size_t count, unsigned char pad) {
    unsigned char block[64] = {0};
    if (count > sizeof block) SHA1(key, count, block);
    else if (count > 0) memcpy(block, key, count);
    for (int i = 0; i < 64; i++) block[i] ^= pad;
    SHA1_Init(state);
    SHA1_Update(state, block, sizeof block);
    OPENSSL_cleanse(block, sizeof block);
}
static inline void plexi_hmac_sha1_init(plexi_hmac_sha1 *keyed, const unsigned char *key, size_t count) {
    plexi_hmac_sha1_begin(&keyed->inner, key, count, 0x36);
    plexi_hmac_sha1_begin(&keyed->outer, key, count, 0x5c);
}
static inline void plexi_hmac_sha1_tag(
    const plexi_hmac_sha1 *keyed, const void *bytes, size_t count, const void *more, size_t more_count, void *tag) {
    SHA_CTX state = keyed->inner;
    SHA1_Update(&state, bytes, count);
    if (more_count != 0) SHA1_Update(&state, more, more_count);
    SHA1_Final((unsigned char *)tag, &state);
    state = keyed->outer;
    SHA1_Update(&state, tag, 20);
    SHA1_Final((unsigned char *)tag, &state);
}

// Keys and certificates.
static inline int plexi_pkey_selection_public(void) { return EVP_PKEY_PUBLIC_KEY; }
static inline int plexi_pkey_selection_pair(void) { return EVP_PKEY_KEYPAIR; }
static inline EVP_PKEY *plexi_p256_generate(void) { return EVP_EC_gen("P-256"); }

// BIOs of our own (TLSSession).
static inline void plexi_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void plexi_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void plexi_bio_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
static inline long plexi_bio_memory(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }
static inline int plexi_bio_ctrl_flush(void) { return BIO_CTRL_FLUSH; }
static inline int plexi_bio_type_source_sink(void) { return BIO_TYPE_SOURCE_SINK; }

// TLS settings.
static inline int plexi_tls_minimum_1_2(SSL_CTX *context) { return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION); }
static inline int plexi_tls_maximum_1_2(SSL_CTX *context) { return SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION); }
static inline int plexi_tls_minimum_1_3(SSL_CTX *context) { return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION); }
static inline long plexi_tls_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }
static inline int plexi_tls_set_groups(SSL_CTX *context, const char *list) { return (int)SSL_CTX_set1_groups_list(context, list); }
static inline long plexi_tls_no_session_cache(SSL_CTX *context) { return SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); }
static inline int plexi_tls_add_chain(SSL_CTX *context, X509 *certificate) { return (int)SSL_CTX_add0_chain_cert(context, certificate); }
static inline int plexi_tls_server_name(SSL *session, const char *name) { return (int)SSL_set_tlsext_host_name(session, name); }
static inline uint64_t plexi_tls_options(void) { return SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA; }
static inline long plexi_tls_mode(void) { return SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER; }

// DTLS (DTLSSession).
static inline int plexi_dtls_only_1_2(SSL_CTX *context) { return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) && SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION); }
static inline uint64_t plexi_dtls_options(void) { return SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_QUERY_MTU; }
static inline long plexi_dtls_set_mtu(SSL *session, long mtu) { return SSL_set_mtu(session, mtu); }
static inline long plexi_dtls_handle_timeout(SSL *session) { return DTLSv1_handle_timeout(session); }
static inline long plexi_dtls_longest_message(SSL_CTX *context, long count) { return SSL_CTX_set_max_cert_list(context, count); }
static inline int plexi_bio_ctrl_next_timeout(void) { return BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT; }
static inline unsigned long plexi_dtls_srtp_profile(SSL *session) {
    SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(session);
    return profile ? profile->id : 0;
}
