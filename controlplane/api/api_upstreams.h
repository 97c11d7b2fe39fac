// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Host names of upstream servers, with their addresses, for a JSON document. Service loop.

#include "base/json.h"

// Array "hosts"; empty if no server is given by a host name.
void api_hosts_out(struct json_out *o, struct json_node *root);
