#include "CFloor.h"

#include <openssl/evp.h>
#include <string.h>

int plexi_floor_chacha(const unsigned char *input, unsigned char *output, int size, unsigned long count) {
    unsigned char key[32] = {1}, nonce[12] = {0};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = context && EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), NULL, key, nonce);
    for (unsigned long index = 0; done && index < count; index++) {
        int part = 0;
        memcpy(nonce, &index, sizeof index);
        done = EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce)
            && EVP_EncryptUpdate(context, output, &part, input, size)
            && EVP_EncryptFinal_ex(context, output + part, &part)
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, output + size);
    }
    EVP_CIPHER_CTX_free(context);
    return done ? 0 : -1;
}
