// SPDX-License-Identifier: BSD-3-Clause
// What a configuration wants of the machine, and what a change is to blame for.

#include "config_folder.h"

static struct config *of(const char *dataplane)
{
	return config_text_load(text_from("runtime: {group: no-such-group}\n"
					  "dataplane: {%s, service_addresses: [198.18.0.53/24]}\n"
					  "upstreams: {servers: [{address: 198.18.0.1}]}\n",
		dataplane));
}

static bool has(const struct config_errors *e, const char *part)
{
	for (unsigned i = 0; i < e->count; i++)
		if (strstr(e->text[i], part))
			return true;
	return false;
}

TEST(what_the_machine_lacks)
{
	struct config *c = of("main_lcore: 0, worker_lcores: [127], ports: [{device: "
			      "'0000:ff:1f.7'}, {device: eth0}, {device: 'net_tap0,,x=1'}]");
	struct config_errors e = {0};
	config_machine_prove(c, "", &(struct config_proof){.errors = &e});
	assert_int_equal(e.count, 5);
	assert_true(has(&e, "runtime.group: this machine has no group \"no-such-group\""));
	assert_true(has(&e, "dataplane.worker_lcores[0]: this machine has no core 127"));
	assert_true(
		has(&e, "dataplane.ports[0].device: this machine has no PCI device 0000:ff:1f.7"));
	assert_true(has(&e, "dataplane.ports[1].device: \"eth0\" is neither"));
	assert_true(has(&e, "dataplane.ports[2].device: an argument has no name"));
}

TEST(a_change_is_to_blame_for_its_own)
{
	static const char lacking[] = "main_lcore: 0, ports: [{device: '0000:ff:1f.7'}]";
	struct config *
		running = of(lacking),
	       *same = of(lacking),
	       *worse =
		       of("main_lcore: 127, worker_lcores: [1], ports: [{device: '0000:ff:1f.7'}]");
	struct config_errors e = {0};
	config_machine_prove_change(running, same, NULL, "", &e);
	assert_int_equal(e.count, 0);
	config_machine_prove_change(running, worse, NULL, "", &e);
	assert_int_equal(e.count, 1);
	assert_true(has(&e, "dataplane.main_lcore: this machine has no core 127"));
}

// The place is that in the file that has the key, as its own item of the list.
TEST(a_proof_names_file_and_place)
{
	struct config_bundle b;
	struct config *c = NULL;
	more = "dataplane:\n  worker_lcores: [127]\n"
	       "  ports:\n  - device: net_null1\n  - device: eth0\n";
	write_config("one.test");
	char path[] = "/managed.yaml", bytes[] = "tls:\n  certificates: []\n";
	const struct config_bundle kept = {
		.managed = {.path = path, .bytes = bytes, .len = strlen(bytes)}};
	assert_int_equal(config_bundle_read(file, &kept, CONFIG_SECRETS_ALL, &b, &c, &errors), 0);
	const struct config_proof proof = {.texts = &b, .errors = &errors};
	config_machine_prove(c, "", &proof);
	config_proof_refuse(&proof, "tls.certificates", "cannot be used");
	config_proof_refuse(&proof, "dataplane.ports[0].device", "is not there");
	assert_int_equal(errors.count, 4);
	assert_true(has(&errors, text_from("(%s/conf.d/a.yaml:3:19)", folder)));
	assert_true(has(&errors, text_from("(net_...) (%s/conf.d/a.yaml:6:5)", folder)));
	assert_true(has(&errors, "config: tls.certificates: cannot be used (/managed.yaml:2:3)"));
	assert_true(has(&errors, text_from("is not there (%s/weir.yaml:3:22)", folder)));
	config_bundle_free(&b);
	config_free(c);
}

// As it was given, which is how the errors of the document name it.
TEST(a_proof_names_the_file_as_it_was_given)
{
	struct config_bundle b;
	struct config *c = NULL;
	char *before = getcwd(NULL, 0);
	more = "dataplane:\n  worker_lcores: [127]\n"
	       "  ports:\n  - device: net_null1\n  - device: eth0\n";
	write_config("one.test");
	assert_non_null(before);
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(
		config_bundle_read("weir.yaml", NULL, CONFIG_SECRETS_ALL, &b, &c, &errors), 0);
	assert_int_equal(chdir(before), 0);
	const struct config_proof proof = {.texts = &b, .errors = &errors};
	config_machine_prove(c, "", &proof);
	config_proof_refuse(&proof, "dataplane.ports[0].device", "is not there");
	assert_true(has(&errors, "(conf.d/a.yaml:3:19)"));
	assert_true(has(&errors, "is not there (weir.yaml:3:22)"));
	config_bundle_free(&b);
	config_free(c);
	free(before);
}

TEST_GROUP(setup, teardown)
