// SPDX-License-Identifier: BSD-3-Clause

#include "config_certificates.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

// A key with a password would be asked for at the terminal.
static int on_password(char *, int, int, void *)
{
	return 0;
}

// NULL, with the reason. A file that is none could block the open.
static FILE *file_open(const char *path, const char **why)
{
	struct stat st;
	FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;

	*why = f ? NULL : errno ? strerror(errno) : "is no file";
	return f;
}

static X509 *certificate_read(const char *path, const char **why)
{
	FILE *f = file_open(path, why);

	if (!f)
		return NULL;
	X509 *x = PEM_read_X509(f, NULL, on_password, NULL);
	fclose(f);
	*why = x ? NULL : "has no certificate (PEM)";
	return x;
}

static EVP_PKEY *key_read(const char *path, const char **why)
{
	FILE *f = file_open(path, why);

	if (!f)
		return NULL;
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, on_password, NULL);
	fclose(f);
	*why = key ? NULL : "has no private key (PEM), or one with a password";
	return key;
}

const char *config_certificate_wrong(const char *cert, const char *key, bool *is_of_key)
{
	const char *why;

	errno = 0;
	*is_of_key = false;
	X509 *x = certificate_read(cert, &why);
	if (!x)
		return why;
	*is_of_key = true;
	EVP_PKEY *private = key_read(key, &why);
	if (private && X509_check_private_key(x, private) != 1)
		why = "is not the key of the certificate";
	X509_free(x);
	EVP_PKEY_free(private);
	ERR_clear_error();
	return why;
}

const char *config_authorities_wrong(const char *path)
{
	const char *why;

	errno = 0;
	X509_free(certificate_read(path, &why));
	ERR_clear_error();
	return why;
}
