// SPDX-License-Identifier: BSD-3-Clause

#include "config_prove.h"

#include "config_certificates.h"

#include <stdio.h>
#include <stdlib.h>

static void certificate_prove(
	unsigned i, const char *cert, const char *key, struct config_errors *e)
{
	bool is_of_key;
	const char *why = config_certificate_wrong(cert, key, &is_of_key);

	if (why)
		config_errors_add(e, "config: tls.certificates[%u].%s: %s: %s", i,
			is_of_key ? "key" : "cert", is_of_key ? key : cert, why);
}

static void authorities_prove(const char *path, struct config_errors *e)
{
	const char *why = path[0] ? config_authorities_wrong(path) : NULL;

	if (why)
		config_errors_add(e, "config: tls.client_ca: %s: %s", path, why);
}

void config_prove(const struct config *c, struct config_errors *e)
{
	const char *root = getenv("WEIR_ROOT");
	config_machine_prove(c, root ? root : "", e);
	for (unsigned i = 0; i < c->tls.count; i++)
		certificate_prove(i, c->tls.certificate[i].cert, c->tls.certificate[i].key, e);
	authorities_prove(c->tls.client_ca, e);
}
