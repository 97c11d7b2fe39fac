// SPDX-License-Identifier: BSD-3-Clause
#include "tls_watch.h"

#include <time.h>

// The path of file `i`; NULL: there are no more.
static const char *path_of(const struct tls_server_settings *set, unsigned i)
{
	if (i < 2 * set->count)
		return i % 2 ? set->certificate[i / 2].key : set->certificate[i / 2].cert;
	return i == 2 * set->count ? set->client_ca : NULL;
}

static void files_see(const struct tls_server_settings *set, struct tls_watch *out)
{
	*out = (struct tls_watch){
		.only_1_3 = set->only_1_3, .client_required = set->client_required};
	for (const char *path; (path = path_of(set, out->count)); out->count++)
		out->seen[out->count] = file_seen_now(path);
}

int tls_watch_read(struct tls_watch *w, const struct tls_server_settings *set,
	const struct tls_server *before, struct tls_server **out, char why[TLS_WHY_MAX])
{
	const time_t began_unix_s = time(NULL);
	files_see(set, w);
	w->is_read = true;
	const int rc = tls_server_new(out, set, before, why);
	// A later look compares with what cannot have changed unseen since.
	for (unsigned i = 0; i < w->count; i++)
		w->seen[i] = file_seen_settled(&w->seen[i], path_of(set, i), began_unix_s);
	return rc;
}

bool tls_watch_same(const struct tls_watch *w, const struct tls_server_settings *set)
{
	struct tls_watch now;
	files_see(set, &now);
	if (!w->is_read || now.count != w->count || now.only_1_3 != w->only_1_3
		|| now.client_required != w->client_required)
		return false;
	for (unsigned i = 0; i < now.count; i++)
		if (!file_seen_same(&w->seen[i], &now.seen[i]))
			return false;
	return true;
}
