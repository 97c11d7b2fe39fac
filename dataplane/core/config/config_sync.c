// SPDX-License-Identifier: BSD-3-Clause
// The section `sync`, and the names of the shared sections.

#include "config_ed25519.h"
#include "config_entries.h"
#include "config_file.h"
#include "config_override.h"
#include "config_sections.h"
#include "config_shared_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config/shared.h>
#include <weir/heap_site.h>
#include <weir/url.h>

const char *const config_shared_sections[CONFIG_SHARED_COUNT] = {
#define X(name) [CONFIG_SHARED_##name] = #name,
	CONFIG_SHARED_SECTIONS(X)
#undef X
};
static_assert(CONFIG_SHARED_COUNT <= 32);

int config_shared_find(const char *key)
{
	for (int i = 0; i < CONFIG_SHARED_COUNT; i++)
		if (strcmp(config_shared_sections[i], key) == 0)
			return i;
	return -1;
}

char *config_shared_names(uint32_t sections, char out[CONFIG_SHARED_NAMES_MAX])
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < CONFIG_SHARED_COUNT; i++)
		if (sections & 1u << i)
			len += (size_t)snprintf(out + len, CONFIG_SHARED_NAMES_MAX - len, "%s%s",
				len ? ", " : "", config_shared_sections[i]);
	return out;
}

uint32_t config_shared_own(const struct config_node *root)
{
	const struct config_node *sync = config_node_mapping(root, "sync");
	uint32_t own = 0;
	for (unsigned i = 0; i < config_node_count(sync, "own"); i++) {
		const char *name = config_node_item_text(sync, "own", i);
		const int section = name ? config_shared_find(name) : -1;
		own |= section < 0 ? 0 : 1u << section;
	}
	return own;
}

int config_shared_refuse(const struct config_doc *part)
{
	const struct config_node *root = part->tree.root;
	int rc = 0;
	for (unsigned i = 0;
		!config_node_is_empty(root) && root->kind == CONFIG_NODE_MAPPING && i < root->count;
		i++)
		if (config_shared_find(root->child[i]->key) < 0)
			rc = config_refuse(part, root->child[i]->key, "is no shared section");
	return rc;
}

uint32_t config_shared_drop(struct config_node *root, uint32_t sections)
{
	uint32_t dropped = 0;
	for (unsigned i = 0; i < CONFIG_SHARED_COUNT; i++) {
		const struct config_node *n = config_node_find(root, config_shared_sections[i]);
		if (!n || !(sections & 1u << i))
			continue;
		dropped |= config_node_is_empty(n) ? 0 : 1u << i;
		config_child_remove(root, n);
	}
	return dropped;
}

static int own_check(const struct config_doc *doc, const struct config_node *sync)
{
	char key[CONFIG_PATH_MAX], names[CONFIG_SHARED_NAMES_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(sync, "own"); i++) {
		const char *name = config_node_item_text(sync, "own", i);
		if (!name || config_shared_find(name) < 0)
			rc = config_refuse(doc, config_item_key(key, "sync.own", i, NULL),
				"is no shared section; those are %s",
				config_shared_names(UINT32_MAX, names));
	}
	return rc;
}

static int primary_check(const struct config_doc *doc, const char *text)
{
	struct url url;
	if (!*text)
		return 0;
	if (url_parse(text, &url) < 0 || !url.https)
		return config_refuse(doc, "sync.primary", "is not a URL with https");
	if (url.userinfo_len || url.has_query || url.path_len > 1)
		return config_refuse(doc, "sync.primary",
			"must be without a user, a path and a query: https://box1.example:9953");
	return 0;
}

static int ca_check(const struct config_doc *doc, const char *path)
{
	return *path && *path != '/'
		       ? config_refuse(doc, "sync.ca_file", "must be an absolute path")
		       : 0;
}

static int token_take(const struct config_doc *doc, struct config_sync *s)
{
	static const char key[] = "sync.token_file";
	if (*s->primary && !*s->token_file)
		return config_refuse(doc, key, "`sync.primary` needs it");
	if (*s->token_file)
		return config_password_read(doc, key, s->token_file, &s->token);
	s->token = heap_strdup("");
	return s->token ? 0 : -ENOMEM;
}

static int trusted_take(const struct config_doc *doc, struct config_sync *s)
{
	const struct config_node *sync = config_section(doc, "sync");
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	s->trusted_count = 0;
	for (unsigned i = 0; i < config_node_count(sync, "trusted_keys"); i++) {
		const char *text = config_node_item_text(sync, "trusted_keys", i);
		if (text && config_ed25519_public(text, s->trusted[s->trusted_count]))
			s->trusted_count++;
		else
			rc = config_refuse(doc, config_item_key(key, "sync.trusted_keys", i, NULL),
				"is no Ed25519 public key in base64: 60 characters that begin with "
				"MCowBQYDK2VwAyEA");
	}
	return rc;
}

// Reads "5" or "25%". False: it is neither.
static bool wave_read(const char *text, struct config_waves *w)
{
	const size_t digits = strspn(text, "0123456789");
	const bool is_percent = text[digits] == '%';
	const unsigned long size = digits && digits <= 4 ? strtoul(text, NULL, 10) : 0;
	if (!size || size > (is_percent ? 100 : CONFIG_WAVE_BOXES_MAX)
		|| text[digits + is_percent] != '\0')
		return false;
	w->one[w->count].size = (uint16_t)size;
	w->one[w->count++].is_percent = is_percent;
	return true;
}

static int waves_take(
	const struct config_doc *doc, const struct config_node *sync, struct config_waves *w)
{
	const struct config_node *waves = config_node_find(sync, "waves");
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	if (!waves || waves->kind != CONFIG_NODE_LIST)
		return wave_read("1", w) && wave_read("25%", w) ? 0 : -EINVAL;
	for (unsigned i = 0; i < config_node_count(sync, "waves"); i++) {
		const char *text = config_node_item_text(sync, "waves", i);
		if (!text || !wave_read(text, w))
			rc = config_refuse(doc, config_item_key(key, "sync.waves", i, NULL),
				"is neither a number of boxes, 1 to %d, nor a percent, 1%% to "
				"100%%",
				CONFIG_WAVE_BOXES_MAX);
	}
	return rc;
}

struct sign_key {
	struct config_sync *sync;
	bool was_read;
};

// Takes the one word of the file that is a key; the other words are the PEM's first and last line.
static int sign_key_add(const struct config_secrets *from, const char *text, size_t len)
{
	struct sign_key *k = from->arg;
	struct config_sync *s = k->sync;
	k->was_read = true;
	s->has_sign_key = s->has_sign_key || config_ed25519_private(text, len, s->sign_key);
	return 0;
}

static int sign_key_take(const struct config_doc *doc, struct config_sync *s)
{
	static const char key[] = "sync.sign_key_file";
	struct sign_key k = {.sync = s};
	const struct config_secrets from = {doc, key, sign_key_add, &k};
	s->has_sign_key = false;
	if (!*s->sign_key_file)
		return 0;
	const int rc = config_secrets_read(&from, s->sign_key_file);
	if (rc < 0 || s->has_sign_key || !k.was_read)
		return rc;
	return config_refuse(doc, key,
		"has no Ed25519 private key: openssl genpkey -algorithm ed25519 makes one");
}

bool config_is_box_name(const char *name)
{
	const size_t len =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
	return len > 0 && len <= CONFIG_BOX_NAME_MAX && name[len] == '\0' && *name != '-';
}

static int name_check(const struct config_doc *doc, const char *name)
{
	return !*name || config_is_box_name(name)
		       ? 0
		       : config_refuse(doc, "sync.name",
			       "is no name of a box: letters, digits, -, _ and ., not - first");
}

static bool is_canary(const struct config_waves *w, const char *name)
{
	unsigned i = 0;
	while (i < w->canary_count && strcmp(w->canary[i], name) != 0)
		i++;
	return i < w->canary_count;
}

static int canaries_take(
	const struct config_doc *doc, const struct config_node *sync, struct config_waves *w)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(sync, "canaries"); i++) {
		const char *name = config_node_item_text(sync, "canaries", i);
		const bool is_new = name && config_is_box_name(name) && !is_canary(w, name);
		if (is_new)
			snprintf(w->canary[w->canary_count++], sizeof(w->canary[0]), "%s", name);
		else
			rc = config_refuse(doc, config_item_key(key, "sync.canaries", i, NULL),
				name && is_canary(w, name) ? "is there twice"
							   : "is no name of a box");
	}
	return rc;
}

static int sync_apply(const struct config_doc *doc, struct config *out)
{
	struct config_sync *s = &out->sync;
	const struct config_node *sync = config_section(doc, "sync");
	int rc = own_check(doc, sync);
	rc = config_worse(rc, waves_take(doc, sync, &s->waves));
	rc = config_worse(rc, canaries_take(doc, sync, &s->waves));
	s->own = doc->own;
	s->ignored = doc->ignored;
	rc = config_worse(rc, name_check(doc, s->name));
	rc = config_worse(rc, primary_check(doc, s->primary));
	rc = config_worse(rc, ca_check(doc, s->ca_file));
	rc = config_worse(rc, trusted_take(doc, s));
	rc = config_worse(rc, sign_key_take(doc, s));
	return config_worse(rc, token_take(doc, s));
}

static void sync_free(struct config *c)
{
	if (c->sync.token)
		explicit_bzero(c->sync.token, strlen(c->sync.token));
	FREE_AND_NULL(c->sync.token);
	explicit_bzero(c->sync.sign_key, sizeof(c->sync.sign_key));
}

// The section `sync`. No message has the token or the private key.
const struct config_step config_sync_step = {.apply = sync_apply, .free = sync_free};
