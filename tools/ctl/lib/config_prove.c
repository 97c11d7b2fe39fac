// SPDX-License-Identifier: BSD-3-Clause

#include "config_prove.h"

#include "config_certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/pattern_prove.h>

static void certificates_prove(const char *section, unsigned count,
	const struct config_certificate *certificate, const struct config_proof *p)
{
	for (unsigned i = 0; i < count; i++) {
		const struct config_certificate *c = &certificate[i];
		bool is_of_key;
		const char *why = config_certificate_wrong(c->cert, c->key, &is_of_key);
		char key[64];
		snprintf(key, sizeof(key), "%s.certificates[%u].%s", section, i,
			is_of_key ? "key" : "cert");
		if (why)
			config_proof_refuse(p, key, "%s: %s", is_of_key ? c->key : c->cert, why);
	}
}

static void authorities_prove(const char *section, const char *path, const struct config_proof *p)
{
	const char *why = path[0] ? config_authorities_wrong(path) : NULL;
	char key[64];

	snprintf(key, sizeof(key), "%s.client_ca", section);
	if (why)
		config_proof_refuse(p, key, "%s: %s", path, why);
}

void config_prove(const struct config *c, const struct config_proof *p)
{
	const char *root = getenv("WEIR_ROOT");
	config_machine_prove(c, root ? root : "", p);
	certificates_prove("tls", c->tls.count, c->tls.certificate, p);
	authorities_prove("tls", c->tls.client_ca, p);
	pattern_prove(c, p);
}

void config_prove_control(const struct config *c, const struct config_proof *p)
{
	certificates_prove("control", c->control.count, c->control.certificate, p);
	authorities_prove("control", c->control.client_ca, p);
}
