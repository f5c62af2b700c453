#define _GNU_SOURCE
// SHA-1 by its own state: OpenSSL 3 deprecates it and keeps it, and nothing else allocates nothing per message.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "CFloor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { BATCH = 64, SLOT = 1536, HEADER = 12, GCM_TAG = 16, CM_TAG = 10 };

typedef struct {
    EVP_CIPHER_CTX *cipher;
    OSSL_PARAM tag[2];
    SHA_CTX inner, outer;
} crypto;

static const unsigned char key[20] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void hash_state(SHA_CTX *state, unsigned char pad) {
    unsigned char block[64];
    for (unsigned int i = 0; i < sizeof block; i++) block[i] = (i < sizeof key ? key[i] : 0) ^ pad;
    SHA1_Init(state), SHA1_Update(state, block, sizeof block);
}

/// Everything that a key needs is made here; a packet costs what it must: a nonce, the cipher, the tag.
static int crypto_make(crypto *c, int profile, int encrypt) {
    memset(c, 0, sizeof *c);
    c->cipher = EVP_CIPHER_CTX_new();
    if (!c->cipher) return 0;
    const EVP_CIPHER *cipher = profile == PLEXI_FLOOR_GCM ? EVP_aes_128_gcm() : EVP_aes_128_ctr();
    if (EVP_CipherInit_ex2(c->cipher, cipher, key, NULL, encrypt, NULL) != 1) return 0;
    c->tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, GCM_TAG);
    c->tag[1] = OSSL_PARAM_construct_end();
    hash_state(&c->inner, 0x36), hash_state(&c->outer, 0x5c);
    return 1;
}

static void crypto_free(crypto *c) { EVP_CIPHER_CTX_free(c->cipher); }

static void make_iv(unsigned char *iv, const unsigned char *packet, int profile) {
    if (profile == PLEXI_FLOOR_GCM) {
        memset(iv, 0, 12);
        memcpy(iv + 2, packet + 8, 4);   // SSRC
        memcpy(iv + 10, packet + 2, 2);  // sequence number; the rollover counter stays 0
    } else {
        memset(iv, 0, 16);
        memcpy(iv + 4, packet + 8, 4);
        memcpy(iv + 12, packet + 2, 2);
    }
}

static void hmac(crypto *c, const unsigned char *packet, int count, unsigned char *tag) {
    unsigned char digest[20];
    static const unsigned char rollover[4];
    SHA_CTX state = c->inner;
    SHA1_Update(&state, packet, (size_t)count);
    SHA1_Update(&state, rollover, sizeof rollover);
    SHA1_Final(digest, &state);
    state = c->outer;
    SHA1_Update(&state, digest, sizeof digest);
    SHA1_Final(digest, &state);
    memcpy(tag, digest, CM_TAG);
}

/// Returns the plain count, or -1 for a forged packet.
static int unprotect(crypto *c, unsigned char *packet, int count, int profile) {
    unsigned char iv[16];
    int done, tag = profile == PLEXI_FLOOR_GCM ? GCM_TAG : CM_TAG;
    if (count < HEADER + tag) return -1;
    int body = count - HEADER - tag;
    make_iv(iv, packet, profile);
    if (profile == PLEXI_FLOOR_CM) {
        unsigned char expected[CM_TAG];
        hmac(c, packet, count - CM_TAG, expected);
        if (memcmp(expected, packet + count - CM_TAG, CM_TAG) != 0) return -1;
        EVP_CipherInit_ex2(c->cipher, NULL, NULL, iv, -1, NULL);
        EVP_CipherUpdate(c->cipher, packet + HEADER, &done, packet + HEADER, body);
        return HEADER + body;
    }
    EVP_CipherInit_ex2(c->cipher, NULL, NULL, iv, -1, NULL);
    c->tag[0].data = packet + HEADER + body;
    EVP_CIPHER_CTX_set_params(c->cipher, c->tag);
    EVP_CipherUpdate(c->cipher, NULL, &done, packet, HEADER);
    EVP_CipherUpdate(c->cipher, packet + HEADER, &done, packet + HEADER, body);
    return EVP_DecryptFinal_ex(c->cipher, packet + HEADER + body, &done) == 1 ? HEADER + body : -1;
}

static int protect(crypto *c, unsigned char *packet, int count, int profile) {
    unsigned char iv[16];
    int done;
    make_iv(iv, packet, profile);
    EVP_CipherInit_ex2(c->cipher, NULL, NULL, iv, -1, NULL);
    if (profile == PLEXI_FLOOR_CM) {
        EVP_CipherUpdate(c->cipher, packet + HEADER, &done, packet + HEADER, count - HEADER);
        hmac(c, packet, count, packet + count);
        return count + CM_TAG;
    }
    EVP_CipherUpdate(c->cipher, NULL, &done, packet, HEADER);
    EVP_CipherUpdate(c->cipher, packet + HEADER, &done, packet + HEADER, count - HEADER);
    EVP_EncryptFinal_ex(c->cipher, packet + count, &done);
    c->tag[0].data = packet + count;
    EVP_CIPHER_CTX_get_params(c->cipher, c->tag);
    return count + GCM_TAG;
}

int plexi_floor_protect(int profile, void *packet, int count) {
    static _Thread_local crypto made[2];
    if (!made[profile].cipher && !crypto_make(&made[profile], profile, 1)) return -1;
    return protect(&made[profile], packet, count, profile);
}

int plexi_floor_unprotect(int profile, void *packet, int count) {
    static _Thread_local crypto made[2];
    if (!made[profile].cipher && !crypto_make(&made[profile], profile, 0)) return -1;
    return unprotect(&made[profile], packet, count, profile);
}

typedef struct {
    int descriptor;
    unsigned int queued;
    size_t used;
    unsigned char *arena;
    struct mmsghdr messages[BATCH];
    struct iovec buffers[BATCH];
    union {
        char bytes[CMSG_SPACE(sizeof(unsigned short))];
        struct cmsghdr alignment;
    } controls[BATCH];
    plexi_floor_result *result;
} sender;

enum { ARENA = 192 << 10 };

static void sender_flush(sender *s) {
    unsigned int sent = 0;
    while (sent < s->queued) {
        int taken = sendmmsg(s->descriptor, s->messages + sent, s->queued - sent, 0);
        if (taken < 0) {
            if (errno == EINTR) continue;
            s->result->refused++;
            sent++;
            continue;
        }
        sent += (unsigned int)taken;
    }
    s->queued = 0;
    s->used = 0;
}

/// Copies, rewrites and encrypts a run of packets for one subscriber; equal sizes leave as one burst.
static void forward(sender *s, crypto *c, struct sockaddr_in *to, unsigned int ssrc, unsigned char **packets,
                    const int *counts, int count, int profile) {
    size_t segment = 0;
    struct mmsghdr *message = NULL;
    unsigned int number = 0;
    for (int i = 0; i < count; i++) {
        if (s->used + SLOT > ARENA || (!message && s->queued == BATCH)) sender_flush(s), message = NULL;
        unsigned char *out = s->arena + s->used;
        memcpy(out, packets[i], (size_t)counts[i]);
        memcpy(out + 8, &ssrc, 4);
        int total = protect(c, out, counts[i], profile);
        s->used += (size_t)total;
        s->result->forwarded++;
        if (message && (size_t)total <= segment && number < 64 && message->msg_hdr.msg_iov->iov_len + (size_t)total < 65000) {
            message->msg_hdr.msg_iov->iov_len += (size_t)total;
            if (++number == 2) {
                message->msg_hdr.msg_control = s->controls[message - s->messages].bytes;
                message->msg_hdr.msg_controllen = sizeof s->controls[0].bytes;
                struct cmsghdr *control = CMSG_FIRSTHDR(&message->msg_hdr);
                control->cmsg_level = IPPROTO_UDP;
                control->cmsg_type = UDP_SEGMENT;
                control->cmsg_len = CMSG_LEN(sizeof(unsigned short));
                unsigned short size = (unsigned short)segment;
                memcpy(CMSG_DATA(control), &size, sizeof size);
            }
            if ((size_t)total < segment) message = NULL;
            continue;
        }
        if (s->queued == BATCH) {  // the packet just made must not be overwritten
            size_t keep = (size_t)total;
            unsigned char copy[SLOT];
            memcpy(copy, out, keep);
            sender_flush(s);
            memcpy(s->arena, copy, keep);
            out = s->arena, s->used = keep;
        }
        message = &s->messages[s->queued];
        memset(message, 0, sizeof *message);
        s->buffers[s->queued].iov_base = out;
        s->buffers[s->queued].iov_len = (size_t)total;
        message->msg_hdr.msg_name = to;
        message->msg_hdr.msg_namelen = sizeof *to;
        message->msg_hdr.msg_iov = &s->buffers[s->queued];
        message->msg_hdr.msg_iovlen = 1;
        s->queued++;
        segment = (size_t)total, number = 1;
    }
}

static int open_socket(unsigned short port) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int size = 4 << 20;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct timeval limit = {.tv_sec = 60};
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(descriptor, (struct sockaddr *)&local, sizeof local) == 0) return descriptor;
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

static void serve(sender *s, crypto *in, crypto *out, struct sockaddr_in *sinks, unsigned int count, int profile,
                  int everybody) {
    static unsigned char slots[BATCH][SLOT];
    struct mmsghdr messages[BATCH];
    struct iovec buffers[BATCH];
    struct sockaddr_in sources[BATCH] = {0};
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        buffers[i].iov_base = slots[i], buffers[i].iov_len = SLOT;
        messages[i].msg_hdr.msg_iov = &buffers[i], messages[i].msg_hdr.msg_iovlen = 1;
        if (everybody) messages[i].msg_hdr.msg_name = &sources[i], messages[i].msg_hdr.msg_namelen = sizeof sources[i];
    }
    for (;;) {
        int received = recvmmsg(s->descriptor, messages, BATCH, MSG_WAITFORONE, NULL);
        if (received < 0 && errno == EINTR) continue;
        if (received <= 0) return;
        unsigned char *packets[BATCH];
        in_port_t ports[BATCH];
        int counts[BATCH], plain = 0;
        for (int i = 0; i < received; i++) {
            if (messages[i].msg_len == 1) return;
            int length = unprotect(in, slots[i], (int)messages[i].msg_len, profile);
            s->result->received++;
            if (length < 0) continue;
            ports[plain] = sources[i].sin_port;
            packets[plain] = slots[i], counts[plain++] = length;
        }
        for (unsigned int i = 0; i < count; i++) {
            if (!everybody) {
                forward(s, &out[i], &sinks[i], htonl(i + 1), packets, counts, plain, profile);
                continue;
            }
            unsigned char *others[BATCH];
            int lengths[BATCH], number = 0;
            for (int k = 0; k < plain; k++)
                if (ports[k] != sinks[i].sin_port) others[number] = packets[k], lengths[number++] = counts[k];
            forward(s, &out[i], &sinks[i], htonl(i + 1), others, lengths, number, profile);
        }
        sender_flush(s);
    }
}

int plexi_floor_run(unsigned short port, const unsigned short *sinks, unsigned int count, int profile, int everybody,
                    plexi_floor_result *result) {
    memset(result, 0, sizeof *result);
    sender *s = calloc(1, sizeof *s);
    crypto in, *out = calloc(count, sizeof *out);
    struct sockaddr_in *addresses = calloc(count, sizeof *addresses);
    unsigned char *arena = malloc(ARENA);
    int code = ENOMEM;
    if (!s || !out || !addresses || !arena || !crypto_make(&in, profile, 0)) goto done;
    for (unsigned int i = 0; i < count; i++) {
        if (!crypto_make(&out[i], profile, 1)) goto done;
        addresses[i].sin_family = AF_INET;
        addresses[i].sin_port = htons(sinks[i]);
        addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    s->arena = arena, s->result = result;
    s->descriptor = open_socket(port);
    code = s->descriptor < 0 ? errno : 0;
    if (code == 0) {
        serve(s, &in, out, addresses, count, profile, everybody);
        close(s->descriptor);
    }
    crypto_free(&in);
    for (unsigned int i = 0; i < count; i++) crypto_free(&out[i]);
done:
    free(s), free(out), free(addresses), free(arena);
    return code;
}
