// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The log-in of a connection: AUTH, SELECT, ROLE, CLIENT SETNAME, as its redis_login asks, written
// in front of everything else, and what the server says to it. The server's words after AUTH are
// not repeated, since a hostile one could quote the password.

#include "redis_conn.h"

ATTR_MUST_CHECK int redis_login_write(struct redis_conn *c, const struct redis_login *login);
// The reply to the next step. False: refused, `why` filled in.
ATTR_MUST_CHECK bool redis_login_check(
	struct redis_conn *c, const struct redis_reply *reply, char why[REDIS_WHY_MAX]);
