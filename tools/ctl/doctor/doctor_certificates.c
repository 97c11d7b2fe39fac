// SPDX-License-Identifier: BSD-3-Clause
// When the certificates end, and the lists of revoked ones, that the configuration names.

#include "doctor_checks.h"
#include "lib/config_certificates.h"

#include <stdio.h>
#include <string.h>

enum { SOON_S = 14 * 86400, SOON_PART = 4, DATE_MAX = 32, WHAT_MAX = 160 };

// Who shows them or believes them: the end of one's own is the end of service.
enum whose { OURS, AUTHORITIES };

static const char *date_of(time_t when, char out[DATE_MAX])
{
	struct tm tm;
	if (!gmtime_r(&when, &tm) || strftime(out, DATE_MAX, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(out, DATE_MAX, "?");
	return out;
}

// In two weeks, or the last quarter of a short life.
static bool is_soon(const struct config_end *e, time_t now)
{
	const time_t part = (e->ends - e->begins) / SOON_PART;
	return e->ends - now < (part < SOON_S ? part : SOON_S);
}

static void look_do(struct doctor *d, const struct config_end *e, const char *path)
{
	if (e->is_list)
		doctor_do(d, "openssl crl -noout -issuer -nextupdate -in %s", SHELL_QUOTE(path));
	else
		doctor_do(d, "openssl x509 -noout -subject -enddate -in %s", SHELL_QUOTE(path));
}

// False: there is nothing to report.
static bool end_report(struct doctor *d, const char *what, const char *path,
	const struct config_end *e, enum whose whose)
{
	const time_t now = time(NULL);
	char date[DATE_MAX];
	const bool is_over = e->ends && e->ends <= now;

	if (is_over && (e->is_list || whose == OURS))
		doctor_add(d, DOCTOR_WRONG, "%s: the %s of \"%s\" in %s ended on %s%s", what,
			e->is_list ? "list of revoked certificates" : "certificate", e->name, path,
			date_of(e->ends, date),
			e->is_list ? ": no certificate of that authority is good" : "");
	else if (e->ends && (is_over || is_soon(e, now)))
		doctor_add(d, DOCTOR_WARNING, "%s: the %s of \"%s\" in %s %s on %s", what,
			e->is_list ? "list of revoked certificates" : "certificate", e->name, path,
			is_over ? "ended" : "ends", date_of(e->ends, date));
	else if (e->lacks_list && whose == AUTHORITIES)
		doctor_add(d, DOCTOR_WARNING,
			"%s: %s has lists of revoked certificates, and none of \"%s\": no "
			"certificate of that authority is good",
			what, path, e->name);
	else
		return false;
	look_do(d, e, path);
	return true;
}

// How many files it read: one, or none where there is no such key.
static unsigned file_check(struct doctor *d, const char *what, const char *path, enum whose whose)
{
	static struct config_end end[CONFIG_ENDS_MAX];
	const struct config_end *first = NULL;
	const char *why;
	char date[DATE_MAX];
	unsigned reported = 0;

	if (!path || !*path)
		return 0;
	const unsigned count = config_ends_read(path, end, &why);
	for (unsigned i = 0; i < count; i++) {
		reported += end_report(d, what, path, &end[i], whose);
		if (end[i].ends && (!first || end[i].ends < first->ends))
			first = &end[i];
	}
	if (count == 0)
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s: %s", what, path, why);
	else if (reported == 0 && first)
		doctor_add(d, DOCTOR_OK, "%s: %s is good until %s", what, path,
			date_of(first->ends, date));
	else if (reported == 0)
		doctor_add(d, DOCTOR_OK, "%s: %s has no end", what, path);
	return 1;
}

static unsigned own_check(struct doctor *d, const char *what, unsigned count,
	const struct config_certificate *certificate)
{
	for (unsigned i = 0; i < count; i++)
		(void)file_check(d, what, certificate[i].cert, OURS);
	return count;
}

static unsigned webhooks_check(struct doctor *d, const struct config *c)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->query_log.webhook_count; i++)
		n += file_check(d, "query_log.webhooks[].ca_file",
			c->query_log.webhooks[i].to.ca_file, AUTHORITIES);
	for (unsigned i = 0; i < c->events.webhook_count; i++)
		n += file_check(d, "events.webhooks[].ca_file", c->events.webhooks[i].to.ca_file,
			AUTHORITIES);
	return n;
}

static unsigned lists_check(struct doctor *d, const struct config_blocking *b)
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->list_count; i++) {
		char what[WHAT_MAX];
		snprintf(what, sizeof(what), "list \"%s\"", b->lists[i].name);
		n += b->lists[i].tls ? file_check(d, what, b->lists[i].tls->ca_file, AUTHORITIES)
				     : 0;
	}
	return n;
}

void doctor_check_certificates(struct doctor *d)
{
	const struct config *c = d->config;

	if (doctor_lacks_config(d))
		return;
	unsigned n = own_check(d, "tls.certificates", c->tls.count, c->tls.certificate);
	n += own_check(d, "control.certificates", c->control.count, c->control.certificate);
	n += file_check(d, "tls.client_ca", c->tls.client_ca, AUTHORITIES);
	n += file_check(d, "control.client_ca", c->control.client_ca, AUTHORITIES);
	n += file_check(d, "upstreams.ca_file", c->upstreams.ca_file, AUTHORITIES);
	n += file_check(
		d, "query_log.clickhouse.ca_file", c->query_log.clickhouse.ca_file, AUTHORITIES);
	n += webhooks_check(d, c) + lists_check(d, &c->blocking);
	if (n == 0)
		doctor_add(d, DOCTOR_OK, "the configuration names no certificates");
}
