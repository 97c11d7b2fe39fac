// SPDX-License-Identifier: BSD-3-Clause

#include "config_prove.h"

#include "config_certificates.h"

#include <stdio.h>
#include <stdlib.h>

static void certificates_prove(const char *section, unsigned count,
	const struct config_certificate *certificate, struct config_errors *e)
{
	for (unsigned i = 0; i < count; i++) {
		const struct config_certificate *c = &certificate[i];
		bool is_of_key;
		const char *why = config_certificate_wrong(c->cert, c->key, &is_of_key);
		if (why)
			config_errors_add(e, "config: %s.certificates[%u].%s: %s: %s", section, i,
				is_of_key ? "key" : "cert", is_of_key ? c->key : c->cert, why);
	}
}

static void authorities_prove(const char *section, const char *path, struct config_errors *e)
{
	const char *why = path[0] ? config_authorities_wrong(path) : NULL;

	if (why)
		config_errors_add(e, "config: %s.client_ca: %s: %s", section, path, why);
}

void config_prove(const struct config *c, struct config_errors *e)
{
	const char *root = getenv("WEIR_ROOT");
	config_machine_prove(c, root ? root : "", e);
	certificates_prove("tls", c->tls.count, c->tls.certificate, e);
	authorities_prove("tls", c->tls.client_ca, e);
}

void config_prove_control(const struct config *c, struct config_errors *e)
{
	certificates_prove("control", c->control.count, c->control.certificate, e);
	authorities_prove("control", c->control.client_ca, e);
}
