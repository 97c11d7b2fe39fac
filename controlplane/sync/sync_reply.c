// SPDX-License-Identifier: BSD-3-Clause
#include "sync_reply.h"

#include "access/access_text.h"
#include "base/json.h"
#include "tls/tls_crypto.h"
#include "transfer/http_transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

const char *const sync_result_names[SYNC_RESULTS] = {
#define X(name) #name,
	SYNC_RESULTS(X)
#undef X
};

bool sync_digest(const char *text, size_t len, char out[SYNC_DIGEST_LEN + 1])
{
	uint8_t digest[TLS_SHA256_LEN];
	if (!tls_sha256(text, len, digest))
		return false;
	access_hex_write(digest, sizeof(digest), out);
	return true;
}

bool sync_name_is_good(const char *name)
{
	static_assert((int)SYNC_NAME_MAX == CONFIG_BOX_NAME_MAX);
	return config_is_box_name(name);
}

static bool is_hex(const char *text, size_t len)
{
	return strspn(text, "0123456789abcdef") == len && text[len] == '\0';
}

static bool digest_is_good(const char *text)
{
	return is_hex(text, SYNC_DIGEST_LEN);
}

// The form.

struct form {
	char *out;
	size_t len;
	bool is_full;
};

// Names of fields need no escape.
static void form_text(struct form *f, const char *name, const char *value)
{
	const size_t room = SYNC_FORM_MAX - f->len;
	const int n = snprintf(f->out + f->len, room, "%s%s=", f->len ? "&" : "", name);
	f->is_full = f->is_full || (size_t)n >= room
		     || !http_url_escape(value, f->out + f->len + n, room - (size_t)n);
	if (!f->is_full)
		f->len += strlen(f->out + f->len);
}

static void form_number(struct form *f, const char *name, int64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, value);
	form_text(f, name, text);
}

bool sync_form_write(const struct sync_report *r, char out[SYNC_FORM_MAX])
{
	struct form f = {.out = out};
	form_number(&f, "protocol", SYNC_PROTOCOL);
	form_text(&f, "box", r->box);
	form_number(&f, "epoch", (int64_t)r->epoch);
	form_text(&f, "primary", r->primary);
	form_text(&f, "digest", r->digest);
	form_number(&f, "version", r->version);
	form_text(&f, "result", sync_result_names[r->result]);
	form_text(&f, "reason", r->reason);
	form_number(&f, "ready", r->is_ready);
	form_number(&f, "unix_ms", r->unix_ms);
	form_text(&f, "software", r->software);
	return !f.is_full;
}

struct fields {
	const char *(*field)(const void *arg, const char *name);
	const void *arg;
	const char *wrong; // the first wrong field; NULL: all are right
};

static const char *get(struct fields *f, const char *name)
{
	const char *value = f->field(f->arg, name);
	if (!value && !f->wrong)
		f->wrong = name;
	return value ? value : "";
}

static uint64_t get_number(struct fields *f, const char *name, uint64_t max)
{
	const char *text = get(f, name);
	const size_t len = strlen(text);
	const bool is_number = len > 0 && len <= 18 && strspn(text, "0123456789") == len;
	const uint64_t n = is_number ? strtoull(text, NULL, 10) : 0;
	if ((!is_number || n > max) && !f->wrong)
		f->wrong = name;
	return n;
}

// Copies printable ASCII of at most cap - 1 bytes.
static void get_text(struct fields *f, const char *name, char *out, size_t cap)
{
	const char *text = get(f, name);
	const size_t len = strlen(text);
	bool is_good = len < cap;
	for (size_t i = 0; i < len && is_good; i++)
		is_good = text[i] >= ' ' && text[i] <= '~';
	snprintf(out, cap, "%s", is_good ? text : "");
	if (!is_good && !f->wrong)
		f->wrong = name;
}

static enum sync_result get_result(struct fields *f)
{
	const char *text = get(f, "result");
	for (unsigned i = 0; i < SYNC_RESULTS; i++)
		if (strcmp(text, sync_result_names[i]) == 0)
			return (enum sync_result)i;
	f->wrong = f->wrong ? f->wrong : "result";
	return SYNC_none;
}

int sync_form_read(const char *(*field)(const void *arg, const char *name), const void *arg,
	struct sync_report *out, char why[SYNC_WHY_MAX])
{
	struct fields f = {.field = field, .arg = arg};
	*out = (struct sync_report){0};
	const uint64_t protocol = get_number(&f, "protocol", UINT16_MAX);
	if (!f.wrong && protocol != SYNC_PROTOCOL) {
		snprintf(why, SYNC_WHY_MAX,
			"the secondary speaks protocol %" PRIu64 ", this box %d: install one "
			"version of weir on both",
			protocol, SYNC_PROTOCOL);
		return -EPROTO;
	}
	get_text(&f, "box", out->box, sizeof(out->box));
	if (!f.wrong && !sync_name_is_good(out->box))
		f.wrong = "box";
	out->epoch = get_number(&f, "epoch", SYNC_EPOCH_MAX);
	get_text(&f, "primary", out->primary, sizeof(out->primary));
	if (!f.wrong && *out->primary && !sync_name_is_good(out->primary))
		f.wrong = "primary";
	get_text(&f, "digest", out->digest, sizeof(out->digest));
	if (!f.wrong && *out->digest && !digest_is_good(out->digest))
		f.wrong = "digest";
	out->version = (unsigned)get_number(&f, "version", UINT32_MAX);
	out->result = get_result(&f);
	get_text(&f, "reason", out->reason, sizeof(out->reason));
	out->is_ready = get_number(&f, "ready", 1) == 1;
	out->unix_ms = (int64_t)get_number(&f, "unix_ms", INT64_MAX);
	get_text(&f, "software", out->software, sizeof(out->software));
	if (f.wrong)
		snprintf(why, SYNC_WHY_MAX, "%s: missing or malformed", f.wrong);
	return f.wrong ? -EINVAL : 0;
}

// The reply.

void sync_author_set(struct sync_offer *o, const char *who, const char *what)
{
	snprintf(o->author, sizeof(o->author), "%s: %s", who, what);
	for (char *at = o->author; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

char *sync_line_write(const struct sync_offer *offer)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "protocol", SYNC_PROTOCOL);
	json_out_text(o, root, "box", offer->box);
	json_out_count(o, root, "epoch", offer->epoch);
	json_out_count(o, root, "version", offer->version);
	json_out_text(o, root, "digest", offer->digest);
	if (*offer->signature)
		json_out_text(o, root, "signature", offer->signature);
	json_out_text(o, root, "author", offer->author);
	json_out_bool(o, root, "unchanged", !offer->text);
	if (offer->text)
		json_out_text(o, root, "text", offer->text);
	char *json = json_out_finish(o), *line = NULL;
	if (json && asprintf(&line, "%s\n", json) < 0)
		line = NULL;
	heap_free(json);
	return line;
}

static int wrong(char why[SYNC_WHY_MAX], const char *what)
{
	snprintf(why, SYNC_WHY_MAX, "the reply has no good \"%s\"", what);
	return -EINVAL;
}

static int text_read(const struct json_in *v, struct sync_offer *out, char why[SYNC_WHY_MAX])
{
	const char *text = json_in_text(json_in_get(v, "text"));
	const size_t len = strlen(text);
	char digest[SYNC_DIGEST_LEN + 1];
	if (json_in_kind(json_in_get(v, "text")) != JSON_IN_TEXT || len > CONFIG_SHARED_MAX)
		return wrong(why, "text");
	if (!sync_digest(text, len, digest))
		return -ENOMEM;
	if (strcmp(digest, out->digest) != 0) {
		snprintf(why, SYNC_WHY_MAX, "the text of the reply does not have its digest");
		return -EINVAL;
	}
	out->text = heap_strdup(text);
	if (!out->text)
		return -ENOMEM;
	out->len = len;
	const int rc = config_shared_check(text, len, out->text_why);
	if (rc == 0)
		out->text_why[0] = '\0';
	return rc == -ENOMEM ? rc : 0;
}

// A text that is not printable ASCII, or too long, counts as absent: nothing depends on it.
static void author_read(const char *text, char out[SYNC_AUTHOR_MAX + 1])
{
	size_t len = 0;
	while (text[len] >= ' ' && text[len] <= '~')
		len++;
	snprintf(out, SYNC_AUTHOR_MAX + 1, "%s", !text[len] && len <= SYNC_AUTHOR_MAX ? text : "");
}

static int values_read(const struct json_in *v, struct sync_offer *out, char why[SYNC_WHY_MAX])
{
	const int64_t protocol = json_in_number(json_in_get(v, "protocol"));
	const int64_t epoch = json_in_number(json_in_get(v, "epoch"));
	const int64_t version = json_in_number(json_in_get(v, "version"));
	const char *box = json_in_text(json_in_get(v, "box"));
	const char *digest = json_in_text(json_in_get(v, "digest"));
	const char *signature = json_in_text(json_in_get(v, "signature"));
	if (protocol != SYNC_PROTOCOL) {
		snprintf(why, SYNC_WHY_MAX,
			"the primary speaks protocol %" PRId64 ", this box %d: install one version "
			"of weir on both",
			protocol, SYNC_PROTOCOL);
		return -EPROTO;
	}
	if (epoch < 1 || epoch > SYNC_EPOCH_MAX)
		return wrong(why, "epoch");
	if (version < 0 || version > UINT32_MAX)
		return wrong(why, "version");
	if (!sync_name_is_good(box))
		return wrong(why, "box");
	if (!digest_is_good(digest))
		return wrong(why, "digest");
	if (*signature && !is_hex(signature, SYNC_SIGNATURE_LEN))
		return wrong(why, "signature");
	if (json_in_kind(json_in_get(v, "unchanged")) != JSON_IN_FLAG)
		return wrong(why, "unchanged");
	*out = (struct sync_offer){.epoch = (uint64_t)epoch,
		.version = (unsigned)version,
		.is_unchanged = json_in_flag(json_in_get(v, "unchanged"))};
	snprintf(out->box, sizeof(out->box), "%s", box);
	snprintf(out->digest, sizeof(out->digest), "%s", digest);
	snprintf(out->signature, sizeof(out->signature), "%s", signature);
	author_read(json_in_text(json_in_get(v, "author")), out->author);
	return out->is_unchanged ? 0 : text_read(v, out, why);
}

int sync_line_read(const char *line, size_t len, struct sync_offer *out, char why[SYNC_WHY_MAX])
{
	char json_why[JSON_IN_WHY_MAX];
	*out = (struct sync_offer){0};
	struct json_in *v = json_in_read(line, len, json_why);
	if (json_in_kind(v) != JSON_IN_OBJECT) {
		json_in_free(v);
		snprintf(why, SYNC_WHY_MAX, "the reply is no JSON object of the sync protocol");
		return -EINVAL;
	}
	const int rc = values_read(v, out, why);
	json_in_free(v);
	if (rc == -ENOMEM)
		snprintf(why, SYNC_WHY_MAX, "%s", strerror(ENOMEM));
	if (rc < 0)
		sync_offer_free(out);
	return rc;
}

void sync_offer_free(struct sync_offer *o)
{
	FREE_AND_NULL(o->text);
	*o = (struct sync_offer){0};
}
