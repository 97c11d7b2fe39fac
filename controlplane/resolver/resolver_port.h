// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Upstream queries that workers send: joins the legs (upstream/upstream_udp.h) to the worker
// rings. Queries go to live workers in turn. The resolver's loop.

#include "resolver_internal.h"

void resolver_port_open(struct resolver *r); // before the loop runs; only with a port
