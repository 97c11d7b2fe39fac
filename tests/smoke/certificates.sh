# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the tests of TLS: certificates in $dir.

authority() { # authority NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1 of this test" \
		-keyout $dir/$1.key -out $dir/$1.pem -addext keyUsage=critical,keyCertSign
}
certificate() { # certificate FILE AUTHORITY NAMES
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=server \
		-keyout $dir/$1.key -out $dir/$1.pem -CA $dir/$2.pem -CAkey $dir/$2.key \
		-addext "subjectAltName=$3" -addext basicConstraints=critical,CA:FALSE
}
expired_certificate() { # expired_certificate FILE AUTHORITY COMMON_NAME: since yesterday
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$3" \
		-addext "subjectAltName=DNS:$3" -keyout $dir/$1.key -out $dir/$1.csr &&
		openssl x509 -req -days -1 -copy_extensions copy -in $dir/$1.csr -CA $dir/$2.pem -CAkey $dir/$2.key -out $dir/$1.pem
}
