// SPDX-License-Identifier: BSD-3-Clause
#include "doctor_probe.h"

#include "doctor_ask.h"
#include "doctor_web.h"

#include <pthread.h>
#include <stdio.h>

static void *probe_run(void *arg)
{
	struct doctor_probe *p = arg;
	switch (p->kind) {
	case DOCTOR_PROBE_DNS:
		doctor_ask_dns(p);
		break;
	case DOCTOR_PROBE_TLS:
		doctor_web_tls(p);
		break;
	case DOCTOR_PROBE_HTTPS:
		doctor_web_https(p);
		break;
	case DOCTOR_PROBE_URL:
	case DOCTOR_PROBE_PING:
		doctor_web_url(p, p->kind == DOCTOR_PROBE_URL);
		break;
	case DOCTOR_PROBE_REDIS:
		doctor_ask_redis(p);
		break;
	}
	return NULL;
}

void doctor_probe_all(struct doctor_probe *p, unsigned count)
{
	pthread_t thread[DOCTOR_PROBES_MAX];
	bool runs[DOCTOR_PROBES_MAX];
	doctor_web_begin();
	for (unsigned i = 0; i < count; i++) {
		runs[i] = pthread_create(&thread[i], NULL, probe_run, &p[i]) == 0;
		if (runs[i])
			continue;
		p[i].end = DOCTOR_PROBE_NOT_ASKED;
		snprintf(p[i].text, sizeof(p->text), "no thread for it");
	}
	for (unsigned i = 0; i < count; i++)
		if (runs[i])
			pthread_join(thread[i], NULL);
}
