// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The host names of upstream servers and their addresses, in a JSON document. Service loop.

#include "base/json_out.h"

// Array "hosts"; empty where no server is given by a host name.
void api_hosts_out(struct json_out *o, struct json_node *root);
