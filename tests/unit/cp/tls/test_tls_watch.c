// SPDX-License-Identifier: BSD-3-Clause
// What a look at the files of certificates finds: other files, other rules, files that are too
// young to be trusted, and no files.

#include "controlplane/tls/tls_server.h"
#include "tests/unit/unit.h"
#include "tls_rig.h"

static struct tls_watch w;
static struct tls_rig_files paths;
static struct tls_certificate_files files[2];
static struct tls_server_settings set;

static int read_all(void)
{
	struct tls_server *server = NULL;
	char why[TLS_WHY_MAX];
	const int rc = tls_watch_read(&w, &set, NULL, &server, why);
	tls_server_free(server);
	return rc;
}

// Reads until the files have not changed for long enough.
static void settle(void)
{
	assert_int_equal(read_all(), 0);
	WAIT_FOR(tls_watch_same(&w, &set), assert_int_equal(read_all(), 0));
}

static int start(void **)
{
	tls_rig_start();
	tls_rig_files(TLS_RIG_GOOD, &paths);
	files[0] = files[1] = (struct tls_certificate_files){paths.cert, paths.key};
	set = (struct tls_server_settings){.count = 1, .certificate = files};
	return 0;
}

FIXTURE(stop, tls_rig_stop())

TEST(test_changes)
{
	assert_false(tls_watch_same(&w, &set)); // nothing is read
	assert_int_equal(read_all(), 0);
	assert_false(tls_watch_same(&w, &set)); // a second write in this tick would not show
	settle();
	set.only_1_3 = true;
	assert_false(tls_watch_same(&w, &set));
	set.only_1_3 = false;
	set.client_ca = tls_rig_ca;
	assert_false(tls_watch_same(&w, &set));
	set.client_ca = NULL;
	set.count = 2;
	assert_false(tls_watch_same(&w, &set));
	set.count = 1;
	assert_true(tls_watch_same(&w, &set));
	FILE *f = fopen(paths.key, "a");
	assert_non_null(f);
	fputs("\n", f);
	assert_int_equal(fclose(f), 0);
	assert_false(tls_watch_same(&w, &set));
}

TEST(test_no_file)
{
	settle();
	assert_int_equal(unlink(paths.cert), 0);
	assert_int_equal(read_all(), -EINVAL);
	assert_false(tls_watch_same(&w, &set)); // it may come
	set.count = 0;
	assert_int_equal(read_all(), -EINVAL);
	assert_true(tls_watch_same(&w, &set)); // no file may come
}

TEST_GROUP(start, stop)
