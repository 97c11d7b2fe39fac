// SPDX-License-Identifier: BSD-3-Clause
#include "list_axfr.h"

#include "base/file_write.h"
#include "base/net_public.h"
#include "list_diff.h"
#include "tls/tls.h"
#include "tls/tls_crypto.h"
#include "transfer/axfr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/log.h>
#include <weir/url.h>

enum { TEXT_MAX = 65536, DNS_PORT = 53, TLS_PORT = 853, SHOWN_MAX = 200 };
static_assert((int)TEXT_MAX > (int)AXFR_LINE_MAX);

struct work {
	const struct list_fetch_request *request;
	struct list_fetch_result *result;
	struct axfr_request axfr;
	struct list_diff *diff; // NULL: whole zones alone
	bool is_open;           // the files are
	int fd, copy;           // the request's
	unsigned count;
	struct ip_address address[BOOTSTRAP_ADDRESSES_MAX];
	size_t len; // bytes of text that are not in the file yet
	char text[TEXT_MAX];
};

static int ATTR_PRINTF(3, 4) fail(struct work *w, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(w->result->why, sizeof(w->result->why), fmt, ap);
	va_end(ap);
	return err;
}

bool list_axfr_is(const char *url)
{
	struct url u;
	return url_parse_list(url, &u) == 0 && u.axfr;
}

bool list_axfr_wants_copy(const char *url)
{
	struct url u;
	return url_parse_list(url, &u) == 0 && u.axfr && u.ixfr;
}

static int files_open(struct work *w)
{
	const struct list_fetch_request *r = w->request;
	if (w->is_open)
		return 0;
	w->fd = r->fd;
	w->copy = r->copy;
	int err = r->open ? r->open(r->arg, &w->fd, &w->copy) : 0;
	w->is_open = err == 0;
	return err ? fail(w, -EIO, "cannot write: %s", strerror(-err)) : 0;
}

static int text_flush(struct work *w)
{
	int err = files_open(w);
	if (err < 0)
		return err;
	err = file_write_fd(w->fd, w->text, w->len);
	w->len = 0;
	return err < 0 ? fail(w, -EIO, "cannot write: %s", strerror(-err)) : 0;
}

static int on_text(void *arg, const char *line, size_t len)
{
	struct work *w = arg;
	w->result->bytes += len;
	if (w->result->bytes > w->request->max_bytes)
		return fail(w, -EFBIG, "larger than %llu MiB",
			(unsigned long long)w->request->max_bytes >> 20);
	int err = w->len + len > sizeof(w->text) ? text_flush(w) : 0;
	if (err < 0)
		return err;
	memcpy(w->text + w->len, line, len);
	w->len += len;
	return 0;
}

static int on_change(void *arg, bool joins, const char *line, size_t len)
{
	struct work *w = arg;
	return list_diff_change(w->diff, joins, line, len);
}

// The addresses of the URL's host.
static int host_resolve(struct work *w, const struct url *u)
{
	const struct list_fetch_request *r = w->request;
	char host[DNS_NAME_MAX + 1], why[BOOTSTRAP_WHY_MAX];
	struct socket_address literal;
	struct bootstrap b = {.server_count = r->server_count,
		.deadline_ms = w->axfr.deadline_ms,
		.stop = r->stop};
	snprintf(host, sizeof(host), "%.*s", (int)u->host_len, u->host);
	if (socket_address_parse(host, DNS_PORT, &literal) == 0) {
		w->address[0] = literal.ip;
		w->count = 1;
		return 0;
	}
	if (b.server_count > ARRAY_LEN(b.server))
		b.server_count = ARRAY_LEN(b.server);
	if (b.server_count)
		memcpy(b.server, r->servers, b.server_count * sizeof(b.server[0]));
	int err = bootstrap_resolve(&b, host, w->address, &w->count, why);
	if (err)
		return fail(w, err == -ECANCELED || err == -ETIMEDOUT ? err : -EIO, "%s", why);
	return 0;
}

// Whom the server must be. Without a name of one the URL has its address.
static int peer_take(struct work *w)
{
	char why[TLS_WHY_MAX] = "no memory";
	const struct config_list_tls *t = w->request->tls;
	if (!t)
		return 0;
	const struct tls_target target = {.name = t->name[0] ? t->name : NULL,
		.address = w->address[0],
		.ca_file = t->ca_file[0] ? t->ca_file : NULL,
		.alpn = "dot",
		.only_1_3 = true,
		.pin_count = t->pin_count,
		.pin = t->pin};
	if (tls_peer_new(&w->axfr.peer, &target, why) == 0)
		return 0;
	return fail(w, -EKEYREJECTED, "authorities: %.140s", why);
}

static int address_ask(struct work *w, const struct ip_address *a, struct axfr_result *got)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	*got = (struct axfr_result){0};
	if (!w->request->allow_private && !net_public(a))
		return fail(w, -EACCES,
			"%s is not a public address (blocking.update.allow_private)",
			ip_address_text(a, false, text));
	w->axfr.server.ip = *a;
	int err = axfr(&w->axfr, got);
	w->result->wire_bytes += got->bytes;
	return err && got->why[0] ? fail(w, err, "%s", got->why) : err;
}

// Another one for another algorithm or secret, of which it says nothing. 0: no memory.
static unsigned long long key_number(const struct config_tsig_key *key)
{
	static const char text[] = "the number of a key";
	uint8_t code[TLS_HMAC_MAX];
	size_t len = sizeof(code);
	tls_start();
	struct tls_hmac *h = tls_hmac_new("SHA256", key->secret, key->secret_len);
	bool ok = h && tls_hmac_add(h, text, sizeof(text))
		  && tls_hmac_add(h, &key->algorithm, sizeof(key->algorithm));
	ok = h && tls_hmac_end(h, ok ? code : NULL, &len);
	return ok ? (unsigned long long)get_u32(code) << 32 | get_u32(code + 4) : 0;
}

// Another one for another name, file of authorities or set of pins.
static unsigned long long tls_number(const struct config_list_tls *t)
{
	struct contenthash_state h;
	contenthash_begin(&h);
	contenthash_update(&h, t->name, strlen(t->name) + 1);
	contenthash_update(&h, t->ca_file, strlen(t->ca_file) + 1);
	contenthash_update(&h, t->pin, t->pin_count * sizeof(t->pin[0]));
	return contenthash_finish(&h);
}

// Which serial the copy has, and how it came. "" if that does not fit: of a part of a name there is
// no telling whose it is.
static void etag_write(const struct config_tsig_key *key, const struct config_list_tls *tls,
	uint32_t serial, char out[LIST_FETCH_ETAG_MAX])
{
	char name[DNS_NAME_TEXT_MAX];
	int n = snprintf(out, LIST_FETCH_ETAG_MAX, "serial %u", serial);
	if (key)
		n += snprintf(out + n, LIST_FETCH_ETAG_MAX - (size_t)n, ", signed by %s %016llx",
			dns_name_to_text(&key->name, name), key_number(key));
	if (tls && n < LIST_FETCH_ETAG_MAX)
		n += snprintf(out + n, LIST_FETCH_ETAG_MAX - (size_t)n, ", from %016llx",
			tls_number(tls));
	if (n >= LIST_FETCH_ETAG_MAX)
		out[0] = '\0';
}

static bool etag_read(const char *etag, const struct config_tsig_key *key,
	const struct config_list_tls *tls, uint32_t *serial)
{
	static const char word[] = "serial ";
	char same[LIST_FETCH_ETAG_MAX];
	if (strncmp(etag, word, strlen(word)) != 0)
		return false;
	*serial = (uint32_t)strtoul(etag + strlen(word), NULL, 10);
	if (!key && !tls)
		return true;
	etag_write(key, tls, *serial, same);
	return strcmp(same, etag) == 0;
}

bool list_axfr_is_good(
	const char *etag, const struct config_tsig_key *key, const struct config_list_tls *tls)
{
	uint32_t serial;
	return etag_read(etag, key, tls, &serial);
}

static void whole_report(const struct work *w, const char *why)
{
	char shown[SHOWN_MAX];
	log_info("lists: %s: whole zone in place of its differences: %s",
		url_shown(w->request->url, shown, sizeof(shown)), why);
}

// Drops what was written to the file.
static int file_empty(struct work *w)
{
	w->len = 0;
	w->result->bytes = 0;
	if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
		return fail(w, -EIO, "cannot write: %s", strerror(errno));
	return 0;
}

// The new SOA is what is in w->text.
static int difference_apply(struct work *w, const struct ip_address *from, struct axfr_result *got)
{
	int err = files_open(w);
	if (err == 0)
		err = w->copy < 0 ? -ENOENT
				  : list_diff_apply(w->diff, w->copy, w->text, w->len, on_text, w);
	w->result->changes = list_diff_changes(w->diff);
	if (err == 0 || w->result->why[0])
		return err;
	whole_report(w, "they do not fit the stored file");
	w->result->changes = 0;
	w->axfr.has_serial = false;
	err = file_empty(w);
	return err ? err : address_ask(w, from, got);
}

static int zone_take(struct work *w)
{
	const struct list_fetch_request *request = w->request;
	struct axfr_result got = {0};
	unsigned i = 0;
	int err = -EIO;
	w->axfr.has_serial = etag_read(request->etag, request->key, request->tls, &w->axfr.serial);
	if (w->axfr.has_serial && (request->open || request->copy >= 0)
		&& list_axfr_wants_copy(request->url)
		&& list_diff_new(&w->diff) == 0) // else the whole zone comes
		w->axfr.change = on_change;
	for (; i < w->count && !got.connected && err != -ECANCELED; i++)
		err = address_ask(w, &w->address[i], &got);
	if (err == 0)
		w->result->why[0] = '\0'; // an address that was tried before left it
	if (err == 0 && got.instead[0])
		whole_report(w, got.instead);
	if (err == 0 && got.is_difference)
		err = difference_apply(w, &w->address[i - 1], &got);
	if (err == 0 && !got.unchanged)
		err = text_flush(w);
	if (err)
		return err;
	w->result->not_modified = got.unchanged;
	etag_write(request->key, request->tls, got.serial, w->result->etag);
	return 0;
}

int list_axfr(const struct list_fetch_request *request, struct list_fetch_result *out)
{
	*out = (struct list_fetch_result){0};
	struct work *w = heap_calloc(1, sizeof(*w));
	struct url u;
	if (!w) {
		snprintf(out->why, sizeof(out->why), "no memory");
		return -EIO;
	}
	w->request = request;
	w->result = out;
	w->axfr = (struct axfr_request){.max_bytes = request->max_bytes,
		.key = request->key,
		.deadline_ms = clock_mono_ms() + request->timeout_ms,
		.connect_ms = LIST_FETCH_CONNECT_MS,
		.idle_ms = request->low_speed_s * 1000,
		.stop = request->stop,
		.text = on_text,
		.arg = w};
	int err = -EPROTO;
	if (url_parse_list(request->url, &u) < 0 || u.path_len < 2
		|| dns_name_from_text(u.path + 1, u.path_len - 1, &w->axfr.zone) < 0) {
		err = fail(w, -EPROTO, "not the URL of a zone");
	} else {
		w->axfr.server.port = u.port_len   ? (uint16_t)strtoul(u.port, NULL, 10)
				      : u.axfr_tls ? TLS_PORT
						   : DNS_PORT;
		err = !u.axfr_tls == !request->tls
			      ? host_resolve(w, &u)
			      : fail(w, -EPROTO, "nothing says whom the server must be");
	}
	if (err == 0)
		err = peer_take(w);
	if (err == 0)
		err = zone_take(w);
	tls_peer_free(w->axfr.peer);
	list_diff_free(w->diff);
	heap_free(w);
	return err;
}
