// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One data plane for each interface of the kernel. exception_free() finds another one by its TAP,
// steering_prepare() by its AF_XDP sockets. But any number of processes may have an interface over
// af_packet: each would answer all clients, and the service addresses lead to the exception
// interface of one only. So each data plane holds a packet socket of a protocol that no frame has,
// bound to the interface, and looks for others in /proc/net/packet. Such a socket belongs to the
// network namespace as the interface does, whatever container the process is in, ends with the
// process, and takes CAP_NET_RAW, which each of these drivers needs.

#include <weir/config.h>

enum { PORT_CLAIM_WHY_MAX = 256 };

// Claims the interfaces of all ports but TAPs, for the life of the process; before EAL. As a data
// plane that ends may need a moment, this waits for it, a second at most. -EBUSY: another one has
// an interface (of two that start at one moment both may be told so), or -errno; with `why`.
ATTR_MUST_CHECK int port_claim(const struct config_dataplane *dp, char why[PORT_CLAIM_WHY_MAX]);
