// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The log-in of a connection: AUTH, SELECT, ROLE, CLIENT SETNAME, by its redis_login, written in
// front of everything else, and the server's replies to it. The server's text after AUTH is not
// logged, since a hostile server could quote the password.

#include "redis_conn.h"

ATTR_MUST_CHECK int redis_login_write(struct redis_conn *c, const struct redis_login *login);
// The reply to the next step. False: refused, `why` filled in.
ATTR_MUST_CHECK bool redis_login_check(
	struct redis_conn *c, const struct redis_reply *reply, char why[REDIS_WHY_MAX]);
