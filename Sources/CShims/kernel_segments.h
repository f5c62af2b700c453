// Many datagrams of one size in one call: the kernel cuts up what is sent (UDP_SEGMENT), and hands over together what
// came together (UDP_GRO).
#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

typedef union {
    char bytes[CMSG_SPACE(sizeof(unsigned short))];
    struct cmsghdr alignment;
} segment_control;

/// What is sent with the header is cut into datagrams of so many bytes. `control` must live until then.
static inline void cut_into_segments(struct msghdr *header, segment_control *control, unsigned int bytes) {
    header->msg_control = control->bytes;
    header->msg_controllen = sizeof control->bytes;
    struct cmsghdr *message = CMSG_FIRSTHDR(header);
    message->cmsg_level = IPPROTO_UDP;
    message->cmsg_type = UDP_SEGMENT;
    message->cmsg_len = CMSG_LEN(sizeof(unsigned short));
    unsigned short segment = (unsigned short)bytes;
    memcpy(CMSG_DATA(message), &segment, sizeof segment);
}

typedef union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr alignment;
} joined_control;

/// The size of the datagrams that were received together; 0 for one that came alone.
static inline unsigned int joined_segment(const struct msghdr *header) {
    for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message; message = CMSG_NXTHDR((struct msghdr *)header, message)) {
        if (message->cmsg_level != IPPROTO_UDP || message->cmsg_type != UDP_GRO) continue;
        int segment;
        memcpy(&segment, CMSG_DATA(message), sizeof segment);
        return segment > 0 ? (unsigned int)segment : 0;
    }
    return 0;
}
