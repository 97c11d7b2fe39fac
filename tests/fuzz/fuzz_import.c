// SPDX-License-Identifier: BSD-3-Clause

// Configurations of other resolvers: the first byte says whose. Whatever is in them, the readers
// end, and weir takes what the gate of the model let through.

#include "fuzz.h"
#include "tools/ctl/import/import_gravity.h"
#include "tools/ctl/import/import_model.h"
#include "tools/ctl/import/import_pihole_settings.h"
#include "tools/ctl/import/import_rules.h"
#include "tools/ctl/import/import_settle.h"
#include "tools/ctl/import/import_sources.h"
#include "tools/ctl/import/import_write.h"

#include <sys/mman.h>
#include <weir/config_tools.h>

enum { PATH_ROOM = 40 };

static int file_make(const void *bytes, size_t len, char path[PATH_ROOM])
{
	int fd = memfd_create("fuzz-import", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, PATH_ROOM, "/proc/self/fd/%d", fd);
	return fd;
}

static void gravity_read(struct import_model *m, const char *path)
{
	char why[IMPORT_WHY_MAX];
	struct gravity g = {0};
	if (import_gravity_db(&g, path, why) == 0)
		import_gravity_give(m, &g);
	import_gravity_free(&g);
}

static void toml_read(struct import_model *m, const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	FUZZ_CHECK(text);
	memcpy(text, data, len);
	text[len] = '\0';
	(void)import_pihole_toml(m, text);
	free(text);
}

static void source_read(
	struct import_model *m, char source, const char *path, const uint8_t *data, size_t len)
{
	char why[IMPORT_WHY_MAX];
	int rc = 0;
	m->source = "fuzz";
	m->place = path;
	switch (source) {
	case 'a':
		rc = import_adguard(m, path, why);
		break;
	case 'b':
		rc = import_blocky(m, path, why);
		break;
	case 'd':
		rc = import_dnsmasq(m, path, why);
		break;
	case 'e':
		rc = import_beyond_ads(m, path, why);
		break;
	case 'g':
		gravity_read(m, path);
		break;
	case 'p':
		toml_read(m, data, len);
		break;
	case 't':
		rc = import_technitium(m, path, why);
		break;
	default:
		rc = import_unbound(m, path, why);
		break;
	}
	FUZZ_CHECK(rc >= 0 || *why); // a refusal has a sentence
	import_rules_settle(m);
	import_settle(m);
}

// What weir refuses in a file that a person must correct: relations between records and servers.
static bool is_known(const char *error)
{
	return strstr(error, "leads in a circle") || strstr(error, "is an address of this service");
}

static void result_check(const struct import_model *m)
{
	struct config *config = NULL;
	struct config_errors errors = {0};
	char *text = NULL, path[PATH_ROOM];
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	FUZZ_CHECK(out);
	import_write(m, out);
	FUZZ_CHECK(fclose(out) == 0);
	int fd = file_make(text, len, path);
	if (config_load_all(path, &config, &errors) == 0)
		config_free(config);
	for (unsigned i = 0; i < errors.count && i < CONFIG_ERRORS_MAX; i++)
		if (!is_known(errors.text[i])) {
			fprintf(stderr, "%s\n%s\n", errors.text[i], text);
			FUZZ_CHECK(!"weir takes the result");
		}
	close(fd);
	free(text);
}

FUZZ_BODY(data, len)
{
	struct import_model m = {0};
	char path[PATH_ROOM];
	if (len < 2)
		return 0;
	int fd = file_make(data + 1, len - 1, path);
	source_read(&m, (char)data[0], path, data + 1, len - 1);
	if (!m.failed)
		result_check(&m);
	import_model_free(&m);
	close(fd);
	return 0;
}
