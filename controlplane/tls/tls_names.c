// SPDX-License-Identifier: BSD-3-Clause
#include "tls_internal.h"
#include "tls_server.h"

const char tls_why_pin[] = "the certificate's key is none of those pinned";

const char *const tls_failure_names[TLS_FAILURE_COUNT] = {
#define X(name, text) [TLS_FAILURE_##name] = #name,
	TLS_FAILURES(X)
#undef X
};

const char *const tls_refusal_names[TLS_REFUSAL_COUNT] = {
#define X(name, text) [TLS_REFUSED_##name] = #name,
	TLS_REFUSALS(X)
#undef X
};
